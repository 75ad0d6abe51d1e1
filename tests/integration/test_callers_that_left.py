"""A verdict is stored while its caller waits for the answer, or not at all: who gave up sends it again, and may have
corrected it since (ADR 18)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from core import front
from tests.integration.bridge import Bridge, Reply, head
from tests.integration.test_rms_door_bodies import dump

PATH = "/rms/returns-processing-updates"
_REACHED_SECONDS = 0.5  # for a call to come as far as the database


@contextmanager
def nothing_stored(bridge: Bridge) -> Iterator[None]:
    """Whoever wants to store an event waits meanwhile."""
    with bridge.runtime.database.write() as session:
        postgres = bridge.runtime.database.engine.dialect.name == "postgresql"
        session.execute(text("LOCK TABLE events IN EXCLUSIVE MODE" if postgres else "SELECT 1"))
        yield


def make_verdict() -> bytes:
    return dump("processing_update")


def wait_for_count(bridge: Bridge, count: int) -> int:
    """How many events there are, once there are so many, or after some seconds."""
    end = time.monotonic() + 5
    while bridge.count_events() < count and time.monotonic() < end:
        time.sleep(0.05)
    return bridge.count_events()


def hang_up(bridge: Bridge, path: str, body: bytes) -> None:
    """Send a call and go, before it can be stored."""
    sent = head("POST", path, bridge.rms_headers(**{"Content-Length": str(len(body))})) + body
    with nothing_stored(bridge):
        with socket.create_connection(("127.0.0.1", bridge.port)) as connection:
            connection.sendall(sent)
            time.sleep(_REACHED_SECONDS)
        time.sleep(_REACHED_SECONDS)


def test_a_verdict_whose_caller_hung_up_before_it_was_stored_is_not_stored(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    before, body = bridge.count_events(), make_verdict()
    hang_up(bridge, PATH, body)
    assert wait_for_count(bridge, before + 1) == before
    assert "its caller has hung up" in caplog.text
    assert bridge.push(PATH, body).status == 200
    assert wait_for_count(bridge, before + 1) == before + 1


def test_what_is_true_in_any_order_is_stored_all_the_same(bridge: Bridge) -> None:
    before = bridge.count_events()
    hang_up(bridge, "/rms/return-orders", dump("return_order"))
    assert wait_for_count(bridge, before + 1) == before + 1


@pytest.mark.parametrize(("limit", "status"), [(0.2, 503), (60.0, 200)])
def test_what_could_not_be_stored_in_time_is_refused(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, limit: float, status: int
) -> None:
    """As when the process was frozen, and nobody can tell yet whether the caller still waits."""
    monkeypatch.setattr(front, "STORE_SECONDS", limit)
    before, replies = bridge.count_events(), list[Reply]()
    caller = threading.Thread(target=lambda: replies.append(bridge.push(PATH, make_verdict())))
    with nothing_stored(bridge):
        caller.start()
        time.sleep(_REACHED_SECONDS)
    caller.join(10)
    assert replies[0].status == status
    if status == 503:
        assert replies[0].error()["code"] == "SERVICE_UNAVAILABLE"
    assert bridge.count_events() - before == (status == 200)
