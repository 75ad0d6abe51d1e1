"""The door out against servers that mean harm: every call ends, in time, in memory, and with its fate known."""

from __future__ import annotations

import gzip
import socket
import struct
import time
import tracemalloc
from typing import Any

import pytest

from core.clock import monotonic
from core.errors import Ambiguous, Fault, Permanent, Transient
from core.http import HttpDoor, raise_for_answer, speak_until
from tests.hostile.servers import Act, answer, hostile, say

DOOR = HttpDoor(("127.0.0.0/8", "::1/128"))
CLOSED = HttpDoor()
OK = "HTTP/1.1 200 OK\r\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def sleep_on(connection: socket.socket) -> None:
    time.sleep(5)


def drip(head: bytes, drop: bytes, pause: float = 0.1) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(40):
            connection.sendall(drop)
            time.sleep(pause)

    return act


def flood(head: bytes, block: bytes, times: int = 1000) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(block)

    return act


def test_a_good_answer() -> None:
    with hostile(answer(200, b'{"a": 1}')) as server:
        got = DOOR.send("POST", server.url, json_body={"é": "x"}, headers={"X-A": "1"})
    assert (got.status, got.read_json()) == (200, {"a": 1})
    assert b"X-A: 1" in server.requests[0]


def test_a_refused_connection_did_nothing() -> None:
    with pytest.raises(Transient):
        DOOR.send("POST", f"http://127.0.0.1:{free_port()}/", json_body={})


def test_a_name_that_does_not_exist_did_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Transient):
        DOOR.send("POST", "http://nowhere.example/", json_body={})


UNCLEAR: dict[str, Act] = {
    "reset": reset,
    "closed without a word": lambda connection: None,
    "closed in mid-body": say(OK + "Content-Length: 100\r\n\r\nten bytes."),
    "closed in mid-chunk": say(OK + "Transfer-Encoding: chunked\r\n\r\n64\r\nten bytes."),
    "not HTTP": say("SSH-2.0-OpenSSH_9.6\r\n"),
    "a chunk of no size": say(OK + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a broken gzip": say(OK + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    "two lengths": say(OK + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a status that is none": say("HTTP/1.1 abc OK\r\n\r\n"),
    "nothing but newlines": say("\r\n" * 1000),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_broke_after_the_request_left_is_unclear(name: str) -> None:
    with hostile(UNCLEAR[name]) as server, pytest.raises(Ambiguous):
        DOOR.send("POST", server.url, json_body={}, deadline_seconds=1)


DRIPS: dict[str, Act] = {
    "no answer": sleep_on,
    "body": drip(OK.encode() + b"Content-Length: 100000\r\n\r\n", b"x"),
    "endless body": drip(OK.encode() + b"\r\n", b"x" * 1000),
    "chunks": drip(OK.encode() + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "status line": drip(b"HTTP/1.1 2", b"0"),
    "one header": drip(OK.encode() + b"X-A: ", b"x"),
    "headers": drip(OK.encode(), b"X-A: x\r\n"),
    "gzip": drip(
        OK.encode() + b"Content-Encoding: gzip\r\nContent-Length: 90000\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\3", b"\0"
    ),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_dripping_answer_ends_at_the_deadline(name: str) -> None:
    began = time.monotonic()
    with hostile(DRIPS[name]) as server, pytest.raises(Ambiguous):
        DOOR.send("POST", server.url, json_body={}, deadline_seconds=1)
    assert time.monotonic() - began < 2.5


BOMB = gzip.compress(bytes(100 * 1024 * 1024), compresslevel=6)
FLOODS: dict[str, Act] = {
    "6 MiB": answer(200, b"x" * 6 * 1024 * 1024),
    "6 MiB without a length": flood(OK.encode() + b"\r\n", b"x" * 65536, 96),
    "endless": flood(OK.encode() + b"\r\n", b"x" * 65536),
    "endless chunks": flood(OK.encode() + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "one endless chunk": flood(OK.encode() + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", b"x" * 65536),
    "gzip bomb": answer(200, BOMB, "Content-Encoding: gzip"),
    "gzip bomb in a gzip bomb": answer(200, gzip.compress(BOMB), "Content-Encoding: gzip, gzip"),
    "header flood": flood(OK.encode(), b"X-A: y\r\n" * 1000, 50),
    "one endless header": flood(OK.encode() + b"X-A: ", b"y" * 65536),
    "an endless chunk head": flood(OK.encode() + b"Transfer-Encoding: chunked\r\n\r\n1;", b"y" * 65536),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_cut_off(name: str) -> None:
    began = time.monotonic()
    tracemalloc.start()
    try:
        with hostile(FLOODS[name]) as server, pytest.raises(Ambiguous):
            DOOR.send("POST", server.url, json_body={}, deadline_seconds=5)
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with hostile(answer(200)) as other:
        with hostile(answer(status, b"", f"Location: {other.url}")) as server:
            got = DOOR.send("POST", server.url, json_body={})
        assert got.status == status
        assert other.connections == []
    with pytest.raises(Permanent, match="redirects are not followed"):
        raise_for_answer(got, "it")


PRIVATE = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433"]
PRIVATE += ["0177.0.0.1", "0x7f.1", "0x7f000001", "127.1", "127.0.0.1.", "localhost.", "LOCALHOST", "[::127.0.0.1]"]
PRIVATE += [
    "169.254.169.254",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.64.0.1",
    "[fe80::1]",
    "[fd00::1]",
    "224.0.0.1",
]
PRIVATE += ["[64:ff9b::7f00:1]", "[2002:7f00:1::]", "255.255.255.255", "１２７.０.０.１", "[::1%25lo]"]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("door", [CLOSED, HttpDoor(("10.99.0.0/16",))], ids=["closed", "another network"])
def test_private_addresses_are_not_connected_to(door: HttpDoor, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: tried.append(place))
    with hostile(answer(200)) as server:
        for scheme in ("http", "https"):
            with pytest.raises(Fault):
                door.send("POST", f"{scheme}://{host}:{server.port}/", json_body={}, deadline_seconds=1)
        assert server.connections == []
    assert tried == []


TRICKS = [
    "http://example.com@{}/",
    "http://u:p@{}/",
    "http://example.com\\@{}/",
    "http:\\\\{}/",
    "http://{}\\.example.com/",
]
TRICKS += ["//{}/", "{}/", "ftp://{}/", "file:///etc/passwd", "http:///x", "http://", "", "http://[{}/", "gopher://{}/"]
TRICKS += [
    "http://example.com#@{}/",
    "http://{}:99999/",
    "http://exa mple.com/",
    "http://{}\r\nX: y/",
    "http://%31%32/",
]


@pytest.mark.parametrize("url", TRICKS)
def test_odd_addresses_end_in_a_fault_and_no_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 1))])
    with hostile(answer(200)) as server:
        for door in (CLOSED, HttpDoor(("10.99.0.0/16",))):
            with pytest.raises(Fault):
                door.send("POST", url.replace("{}", f"127.0.0.1:{server.port}"), json_body={}, deadline_seconds=1)
        assert server.connections == []


def test_a_name_that_leads_to_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(answer(200)) as server:
        place = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: place)
        with pytest.raises(Permanent, match="private address"):
            CLOSED.send("POST", f"https://rebound.example:{server.port}/", json_body={})
        assert server.connections == []


def test_plain_http_only_reaches_the_networks_that_were_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """DESIGN §6: `http://` is allowed inside ALLOW_PRIVATE_NETWORKS, not everywhere because of it."""
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: tried.append(place))
    with pytest.raises(Fault):
        DOOR.send("POST", "http://93.184.215.14/", json_body={}, deadline_seconds=1)
    assert tried == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(answer(502)) as proxy, hostile(answer(200)) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert HttpDoor(("127.0.0.0/8",)).send("POST", server.url, json_body={}).status == 200
        assert proxy.connections == []


def test_no_cookie_is_kept() -> None:
    door = HttpDoor(("127.0.0.0/8",))
    with hostile(answer(200, b"", "Set-Cookie: a=b; Path=/")) as server:
        door.send("POST", server.url, json_body={})
        door.send("POST", server.url, json_body={})
    assert b"ookie" not in server.requests[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: b"},
        {"X-A": "a\nb"},
        {"X-A\r\nX-B": "a"},
        {"X-A": "\x00"},
        {"X-A": "日本"},
        {"X A": "a"},
        {"": "a"},
    ],
    ids=repr,
)
def test_headers_that_would_break_the_request_are_a_fault(headers: dict[str, str]) -> None:
    with hostile(answer(200)) as server, pytest.raises(Fault):
        DOOR.send("POST", server.url, json_body={}, headers=headers)
    assert not any(b"X-B" in request for request in server.requests)


def test_no_call_begins_that_could_outlast_the_lease() -> None:
    with hostile(answer(200)) as server:
        with speak_until(monotonic() + 5), pytest.raises(Transient):
            DOOR.send("POST", server.url, json_body={}, deadline_seconds=6)
        assert server.requests == []
        assert DOOR.send("POST", server.url, json_body={}, deadline_seconds=6).status == 200


@pytest.mark.parametrize(
    "body", [{"a": "\ud800"}, {"a": object()}, {"a": float("nan")}], ids=["surrogate", "object", "NaN"]
)
def test_a_body_that_cannot_be_written_sends_nothing(body: Any) -> None:
    """What cannot be rendered was never sent: certainly not an unclear outcome, and no invalid JSON."""
    with hostile(answer(200)) as server, pytest.raises(Permanent):
        DOOR.send("POST", server.url, json_body=body)
    assert server.requests == []
