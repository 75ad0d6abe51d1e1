"""Serving and faults on command, over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulators.faults import Faults
from simulators.serving import Served, serve


class Echo:
    """A tiny application that counts what it did and echoes the body."""

    def __init__(self) -> None:
        self.done = 0
        self.peers: set[str] = set()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.done += 1
        self.peers.add(environ["REMOTE_PORT"])
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"echo:", body]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def faulty(echo: Echo, faults: Faults) -> Iterator[Served]:
    with serve(faults.wrap(echo)) as served:
        yield served


def test_connections_are_kept_alive(faulty: Served, echo: Echo) -> None:
    with requests.Session() as session:
        bodies = [session.post(faulty.url + "/a", data=f"{n}" * 1000).text for n in range(5)]
    assert bodies == ["echo:" + f"{n}" * 1000 for n in range(5)]
    assert len(echo.peers) == 1


def test_chunked_bodies_and_head(faulty: Served) -> None:
    with requests.Session() as session:
        assert session.post(faulty.url, data=iter([b"ab", b"cd"])).text == "echo:abcd"
        assert session.head(faulty.url).text == ""
        assert session.post(faulty.url, data="x").text == "echo:x"


def test_closing_a_server_ends_kept_alive_connections(echo: Echo) -> None:
    served = serve(echo)
    with requests.Session() as session:
        session.get(served.url)
        served.close()
        with pytest.raises(requests.ConnectionError):
            session.get(served.url)
    with serve(echo, port=served.port) as again:
        assert requests.get(again.url).status_code == 200


def test_status_fault_answers_without_doing(faulty: Served, faults: Faults, echo: Echo) -> None:
    faults.add(
        {"match": "POST /a", "kind": "status", "status": 429, "body": {"a": 1}, "headers": {"X": "y"}, "times": 1}
    )
    first, other, second = (requests.post(faulty.url + path) for path in ("/a", "/b", "/a"))
    assert (first.status_code, first.json(), first.headers["X"]) == (429, {"a": 1}, "y")
    assert (other.status_code, second.status_code, echo.done) == (200, 200, 2)


def test_lost_answer_was_done_and_dropped_call_was_not(faulty: Served, faults: Faults, echo: Echo) -> None:
    for kind, done in (("lose_answer", 1), ("drop", 1)):
        faults.add({"match": "", "kind": kind, "times": 1})
        with pytest.raises(requests.ConnectionError):
            requests.post(faulty.url, data="x")
        assert echo.done == done
    assert requests.post(faulty.url, data="x").text == "echo:x"


def test_delay_waits_and_then_does(faulty: Served, faults: Faults) -> None:
    faults.add({"match": "/slow", "kind": "delay", "seconds": 0.3})
    started = time.monotonic()
    assert requests.post(faulty.url + "/slow", data="x").text == "echo:x"
    assert time.monotonic() - started >= 0.3
    assert [fault["hits"] for fault in faults.listing()] == [1]
    faults.clear()
    assert faults.listing() == []


def test_a_name_may_read_the_body(echo: Echo, faults: Faults) -> None:
    faults.add({"match": "orderCancel", "kind": "status", "status": 500})
    with serve(faults.wrap(echo, name_of=lambda environ: environ["wsgi.input"].read().decode())) as served:
        assert requests.post(served.url, data="mutation orderCancel").status_code == 500
        assert requests.post(served.url, data="query orders").text == "echo:query orders"


def test_bad_faults_are_refused(faults: Faults) -> None:
    for bad in ({"kind": "explode"}, {"kinds": "drop"}, {"status": 9}):
        with pytest.raises(ValueError, match=r"kind|unknown keys|9"):
            faults.add(bad)


def test_a_half_sent_request_is_not_done(faulty: Served, echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", faulty.port)) as caller:
        caller.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(100) == b""
    assert echo.done == 0


def test_a_taken_port_is_an_ordinary_error(faulty: Served, echo: Echo) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(echo, port=faulty.port)
