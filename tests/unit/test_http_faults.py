"""The door out against each of the fault proxy's faults: its fate is known, the deadline is kept, and so is the cap."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Ambiguous, Fault, Permanent, Transient
from core.http import ENOUGH_BYTES, Answer, HttpDoor, raise_for_answer
from tests.hostile.faults import FAULTS, NEVER_ACCEPTS, late, make_bomb
from tests.hostile.proxies import open_proxies
from tests.hostile.servers import hostile

DOOR = HttpDoor(("127.0.0.0/8",))
DEADLINE, CONNECTING = 1.0, 3.05
DELIVERED = {"length too short", "length below nothing"}  # an answer is an answer, whatever it says of its length
FLOODS = ("gzip", "endless", "header")
FATES: dict[str, type[Fault]] = {
    **dict.fromkeys(FAULTS, Ambiguous),
    **dict.fromkeys(("redirect loop", "redirect to nonsense"), Permanent),
    NEVER_ACCEPTS: Transient,  # nothing was sent, so nothing was done
}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Every fault's port."""
    make_bomb()  # its making takes more memory than its reading may
    with open_proxies(tmp_path_factory.mktemp("proxies") / "journal") as opened:
        yield opened


def call(port: int, seconds: float = DEADLINE, enough: int | None = None) -> Answer:
    """As a deliverer does."""
    url = f"http://127.0.0.1:{port}/x"
    got = DOOR.send("POST", url, json_body={"a": 1}, deadline_seconds=seconds, enough_bytes=enough)
    raise_for_answer(got, "it")
    return got


@pytest.mark.parametrize("name", sorted(FATES.keys() - DELIVERED))
def test_each_fault_ends_in_time_in_memory_and_with_its_fate(name: str, ports: dict[str, int]) -> None:
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(FATES[name]):
            call(ports[name], seconds=5 if name.startswith(FLOODS) else DEADLINE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 1024 * 1024
    assert time.monotonic() - began < 5 + CONNECTING


@pytest.mark.parametrize("name", sorted(DELIVERED))
def test_an_odd_length_is_no_reason_to_send_again(name: str, ports: dict[str, int]) -> None:
    call(ports[name], seconds=5)


@pytest.mark.parametrize("name", ["gzip bomb", "endless chunks"])
def test_where_the_status_is_enough_the_rest_is_not_read(name: str, ports: dict[str, int]) -> None:
    """Nor is it sent again to a partner that said 200, which might not tell a repeat from a second report."""
    got = call(ports[name], seconds=5, enough=ENOUGH_BYTES)
    assert got.status == 200
    assert ENOUGH_BYTES <= len(got.body) < 2 * ENOUGH_BYTES


@pytest.mark.parametrize("name", ["gzip bomb in a refusal", "endless redirect"])
def test_where_the_status_is_enough_a_long_refusal_is_one(name: str, ports: dict[str, int]) -> None:
    with pytest.raises(Permanent):
        call(ports[name], seconds=5, enough=ENOUGH_BYTES)


def test_a_late_answer_within_the_deadline_is_an_answer() -> None:
    with hostile(late(0.3)(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        call(server.port, seconds=5)


def test_what_one_answer_left_behind_is_not_the_next_ones() -> None:
    """More than the length says: the rest must not be read as the answer to another request.

    A call on a connection that is just being closed may break, which is another matter; the one after it is well.
    """
    planted = b"{}HTTP/1.1 500 Planted\r\nContent-Length: 0\r\n\r\n"
    statuses: list[int] = []
    with hostile(lambda one: one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + planted)) as server:
        for _ in range(3):
            with contextlib.suppress(Ambiguous):
                statuses.append(DOOR.send("POST", server.url, json_body={}, deadline_seconds=5).status)
    assert statuses in ([200] * 3, [200] * 2)


def test_a_name_that_is_slow_to_look_up_keeps_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a name may have its servers answer late: that is no longer a call than any other."""
    over = threading.Event()

    def hang(*given: object, **more: object) -> list[object]:
        over.wait(20)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        with pytest.raises(Transient):
            DOOR.send("POST", "http://slow.example/", json_body={}, deadline_seconds=DEADLINE)
    finally:
        over.set()
    assert time.monotonic() - began < 2 * CONNECTING


def test_a_handshake_that_never_comes_keeps_the_deadline(ports: dict[str, int]) -> None:
    began = time.monotonic()
    with pytest.raises((Ambiguous, Transient)):
        DOOR.send("POST", f"https://127.0.0.1:{ports['never answers']}/", json_body={}, deadline_seconds=DEADLINE)
    assert time.monotonic() - began < 2 * CONNECTING


def test_a_journal_says_who_was_called(tmp_path: Path) -> None:
    with open_proxies(tmp_path / "journal") as opened, pytest.raises(Ambiguous):
        call(opened["reset"])
    assert '"reset", "/x"' in (tmp_path / "journal").read_text()
