"""The front of the app: slow callers take no thread, and what cannot be stored is refused, not lost."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core import front
from core.db import Database
from shopify_app import webhooks
from tests.integration.bridge import SECONDS, SHOP, Bridge, head, sign

BODY = b'{"id": 1}'
PROCESSING_UPDATE = Path("tests/fixtures/rms/returns_processing_update__fail.json").read_bytes()
WSGI_THREADS = 16


def signed(bridge: Bridge, body: bytes = BODY) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": "orders/updated",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": uuid4().hex,
        "X-Shopify-Hmac-Sha256": sign(body, bridge.config.shopify_api_secret),
    }


@contextlib.contextmanager
def stalled_callers(bridge: Bridge, path: str, count: int) -> Iterator[list[socket.socket]]:
    """Callers that promised a body and send no more of it."""
    with contextlib.ExitStack() as stack:
        callers = []
        for _ in range(count):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", bridge.port), timeout=SECONDS))
            caller.sendall(head("POST", path, {"Content-Length": "500000"}) + b"{")
            callers.append(caller)
        yield callers


@pytest.mark.parametrize("path", ["/rms/notifications", "/webhooks/shopify"])
def test_stalled_callers_take_no_thread_from_others(bridge: Bridge, path: str) -> None:
    with stalled_callers(bridge, path, 3 * WSGI_THREADS):
        assert bridge.call("GET", "/healthz").status == 200
        assert bridge.webhook(BODY).status == 200
        assert bridge.push("/rms/notifications", b"[]").status == 400


def test_a_body_that_does_not_come_is_not_awaited_for_ever(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "BODY_SECONDS", 0.2)
    with stalled_callers(bridge, "/rms/notifications", 1) as callers:
        answer = read_raw(callers[0])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"REQUEST_TIMEOUT"' in answer


def read_raw(caller: socket.socket) -> bytes:
    received = b""
    while chunk := caller.recv(65536):
        received += chunk
    return received


def test_large_bodies_are_refused_while_too_many_are_held(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_HELD_BYTES", 400_000)
    large = b"x" * 900_000
    reply = bridge.call("POST", "/webhooks/shopify", large, signed(bridge, large))
    assert (reply.status, reply.error()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert bridge.webhook(BODY).status == 200, "a small one always has room"


def test_what_cannot_be_stored_is_refused_and_taken_when_it_comes_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, before = signed(bridge), bridge.count_events()

    @contextlib.contextmanager
    def full_disk(self: Database, place: str = "") -> Iterator[Any]:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", full_disk)
        refused = bridge.call("POST", "/webhooks/shopify", BODY, headers)
        assert (refused.status, refused.error()["code"]) == (503, "SERVICE_UNAVAILABLE")
        pushed = bridge.push("/rms/returns-processing-updates", PROCESSING_UPDATE)
        assert (pushed.status, pushed.error()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert bridge.count_events() == before
    assert bridge.call("POST", "/webhooks/shopify", BODY, headers).status == 200
    assert bridge.push("/rms/returns-processing-updates", PROCESSING_UPDATE).status == 200
    assert bridge.count_events() == before + 2


def test_a_store_that_hangs_is_answered_in_time(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed(bridge)
    monkeypatch.setattr(webhooks, "PATIENCE_SECONDS", 0.1)
    with (
        bridge.runtime.database.write() as session
    ):  # somebody else's long transaction holds the shop's row, or on SQLite everything
        session.execute(text("LOCK TABLE events" if not bridge.runtime.database.is_sqlite else "SELECT 1"))
        reply = bridge.call("POST", "/webhooks/shopify", BODY, headers)
    assert (reply.status, reply.error()["code"]) == (503, "SERVICE_UNAVAILABLE")
    monkeypatch.undo()
    assert bridge.call("POST", "/webhooks/shopify", BODY, headers).status == 200
    assert len(bridge.find_events(headers["X-Shopify-Webhook-Id"])) == 1, "it was stored late: the repeat is known"


def test_a_header_that_came_twice_proves_nothing(bridge: Bridge) -> None:
    given = signed(bridge)
    double = head("POST", "/webhooks/shopify", {**given, "Content-Length": str(len(BODY))})
    line = f"X-Shopify-Shop-Domain: other.myshopify.com\r\nX-Shopify-Topic: {given['X-Shopify-Topic']}\r\n\r\n".encode()
    before = bridge.count_events()
    assert bridge.send_raw(double[:-2] + line + BODY).status == 401
    assert bridge.count_events() == before
