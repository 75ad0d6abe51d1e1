"""Bodies that are too large or made to be slow: the caller reads its answer, the door stays quick."""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest
import requests

from tests.integration.bridge import Bridge, chunk, head, read_reply
from tests.integration.test_rms_door_bodies import DOORS, at_every_door, dump, prove_door_open

MIB = 1024 * 1024
LIMIT = 10 * MIB
PATHS = pytest.mark.parametrize("path", ["/rms/return-orders", "/webhooks/shopify"])


def make_large(size: int) -> bytes:
    good = dump("return_order")
    return good[:-1] + b', "x": "' + b"y" * (size - len(good) - 9) + b'"}'


def test_the_limit_itself_is_taken_and_one_byte_more_is_not(bridge: Bridge) -> None:
    assert len(make_large(LIMIT)) == LIMIT
    assert bridge.push("/rms/return-orders", make_large(LIMIT)).status == 200
    before = bridge.count_events()
    reply = bridge.push("/rms/return-orders", make_large(LIMIT + 1))
    assert reply.status == 413
    assert reply.error()["code"] == "TOO_LARGE"
    assert bridge.count_events() == before


@at_every_door
def test_too_large_with_its_length(bridge: Bridge, method: str, path: str, topic: str) -> None:
    before = bridge.count_events()
    reply = bridge.push(path, make_large(11 * MIB), method)
    assert reply.status == 413
    assert reply.error()["code"] == "TOO_LARGE"
    assert bridge.count_events() == before
    prove_door_open(bridge, method, path, topic)


@PATHS
@pytest.mark.parametrize("size", [11 * MIB, 40 * MIB], ids=["11 MiB", "40 MiB"])
def test_requests_reads_its_413(bridge: Bridge, path: str, size: int) -> None:
    before = bridge.count_events()
    url = f"http://127.0.0.1:{bridge.port}{path}"
    answer = requests.post(url, data=b"x" * size, headers=bridge.rms_headers(), timeout=30)
    assert answer.status_code == 413
    assert answer.json()["code"] == "TOO_LARGE"
    assert bridge.count_events() == before


@PATHS
def test_requests_reads_its_413_of_a_chunked_body(bridge: Bridge, path: str) -> None:
    before = bridge.count_events()
    url = f"http://127.0.0.1:{bridge.port}{path}"
    answer = requests.post(url, data=(b"x" * MIB for _ in range(12)), headers=bridge.rms_headers(), timeout=30)
    assert answer.status_code == 413
    assert answer.json()["code"] == "TOO_LARGE"
    assert bridge.count_events() == before


@PATHS
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_caller_that_sends_all_before_it_reads(bridge: Bridge, path: str, chunked: bool) -> None:
    body = make_large(12 * MIB)
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    request = head("POST", path, {**bridge.rms_headers(), **framing}) + (chunk(body) if chunked else body)
    assert bridge.send_raw(request).error()["code"] == "TOO_LARGE"


@pytest.mark.parametrize("size", [300_000, 12 * MIB], ids=["300 kB", "12 MiB"])
def test_a_refused_caller_with_a_large_body_reads_its_401(bridge: Bridge, size: int) -> None:
    """Credentials are looked at first, so the body may still be on its way when the answer is ready."""
    before = bridge.count_events()
    reply = bridge.push("/rms/return-orders", make_large(size), authPassword="wrong")
    assert reply.status == 401
    assert reply.error()["code"] == "UNAUTHORIZED"
    assert bridge.count_events() == before


@pytest.mark.parametrize("path", ["/rms/unknown", "/healthz"])
def test_a_lost_caller_with_a_large_body_reads_its_answer(bridge: Bridge, path: str) -> None:
    reply = bridge.push(path, make_large(12 * MIB))
    assert reply.status in (404, 405)
    reply.error()


@at_every_door
def test_a_good_chunked_body(bridge: Bridge, method: str, path: str, topic: str) -> None:
    before = bridge.count_events()
    headers = {**bridge.rms_headers(), "Transfer-Encoding": "chunked"}
    reply = bridge.send_raw(head(method, path, headers) + chunk(dump(topic), size=7))
    assert (reply.status, reply.body) == (200, b"")
    assert bridge.count_events() == before + 1


def test_a_kept_connection_serves_the_next_request(bridge: Bridge) -> None:
    before = bridge.count_events()
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=30)
    for number, body in enumerate([dump("return_order"), b"no", dump("return_order"), b"[]", dump("return_order")]):
        connection.request("POST", "/rms/return-orders", body, bridge.rms_headers())
        assert read_reply(connection.getresponse()).status == (400 if number % 2 else 200)
    connection.close()
    assert bridge.count_events() == before + 3


def test_a_caller_that_leaves_in_mid_body_stores_nothing(bridge: Bridge) -> None:
    body = dump("return_order")
    before = bridge.count_events()
    request = head("POST", "/rms/return-orders", {**bridge.rms_headers(), "Content-Length": str(len(body) + 50)})
    with socket.create_connection(("127.0.0.1", bridge.port)) as connection:
        connection.sendall(request + body[: len(body) // 2])
    time.sleep(0.3)
    assert bridge.count_events() == before
    prove_door_open(bridge, *DOORS[0].values)  # type: ignore[arg-type]


def test_a_long_key_over_many_values_costs_no_time(bridge: Bridge) -> None:
    """The path of a value is only needed when it has a fault."""
    body = dump("return_order")[:-1] + b', "' + b"k" * 1_500_000 + b'": [' + b"0," * 150_000 + b"0]}"
    began = time.monotonic()
    assert bridge.push("/rms/return-orders", body).status == 200
    assert time.monotonic() - began < 3


def test_a_long_key_over_many_faults_makes_no_endless_answer(bridge: Bridge) -> None:
    values = ",".join(['"\\u0000"'] * 3000).encode()
    body = dump("return_order")[:-1] + b', "' + b"k" * 10_000 + b'": [' + values + b"]}"
    reply = bridge.push("/rms/return-orders", body)
    assert reply.status == 400
    reply.error()
    assert len(reply.body) < 20 * len(body)


def test_very_many_faults_are_told_in_bounds(bridge: Bridge) -> None:
    body = json.dumps({"orderItems": [{}] * 9_000, "forwardOrderCode": 1}).encode()
    began = time.monotonic()
    reply = bridge.push("/rms/returns-processing-updates", body)
    assert reply.status == 400
    reply.error()
    assert time.monotonic() - began < 5
