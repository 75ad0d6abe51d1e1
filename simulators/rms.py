"""Increff RMS: builds the bodies its pages document and pushes them to us (reference §§2.1, 2.4, 2.6)."""

# ruff: noqa: N803 (arguments are named as the JSON fields they fill)

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify

from simulators.bridge import Answer, Bridge
from simulators.rms_bodies import notification_body, return_order_body, verdict_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Json = dict[str, Any]
HELD_BACK: Answer = (0, "held back")
LOST: Answer = (0, "lost on command")


class RmsSimulator:
    """Pushes to the bridge and keeps a book of its own. Each push returns (status, body); status 0 means no answer."""

    def __init__(
        self,
        bridge_url: str,
        username: str = "",
        password: str = "",
        domain: str | None = None,
        *,
        retry: bool = False,
        attempts: int = 5,
    ) -> None:
        self.bridge = Bridge(bridge_url, username, password, domain)
        # Whether RMS repeats a failed push is not public (reference §2.4), so it is a switch.
        self.retry, self.attempts = retry, attempts
        self._lock = threading.RLock()
        self._book: dict[str, Json] = {}
        self._waiting: list[Callable[[], Answer]] = []
        self._holding = False
        self._lose = self._double = self._delayed = 0
        self._delay = 0.0
        self.wsgi: WSGIApplication = _status_pages(self).wsgi_app

    def connect(self, username: str, password: str, domain: str | None = None, bridge_url: str | None = None) -> None:
        self.bridge.connect(username, password, domain, bridge_url)

    # What RMS pushes. `overrides` replace top-level fields; `without` leaves fields out.

    def push_return(
        self,
        returnOrderCode: str,
        forwardOrderCode: str,
        items: list[Json],
        without: Collection[str] = (),
        **overrides: Any,
    ) -> Answer:
        body = return_order_body(returnOrderCode, forwardOrderCode, items, without, **overrides)
        page = self._page(returnOrderCode, forwardOrderCode, body.get("returnOrderStatus"))
        with self._lock:
            page["items"] = _units(items)
        return self._push("POST", "/rms/return-orders", body)

    def notify(
        self,
        returnOrderCode: str | None,
        forwardOrderCode: str,
        notificationType: str,
        items: list[Json] | None = None,
        awb: str | None = None,
        **overrides: Any,
    ) -> Answer:
        body = notification_body(returnOrderCode, forwardOrderCode, notificationType, items, awb, **overrides)
        if returnOrderCode is not None:
            page = self._page(returnOrderCode, forwardOrderCode, notificationType)
            with self._lock:
                page["items"] = page["items"] or _units(items or [])
        return self._push("POST", "/rms/notifications", body)

    def send_verdict(
        self,
        returnOrderCode: str,
        forwardOrderCode: str,
        verdicts: list[Json],
        method: str = "POST",
        **overrides: Any,
    ) -> Answer:
        body = verdict_body(returnOrderCode, forwardOrderCode, verdicts, **overrides)
        page = self._page(returnOrderCode, forwardOrderCode, None)
        with self._lock:
            for item in body["orderItems"]:
                page["verdicts"][item["itemCode"]] = {"status": item["qcStatus"], "reason": item["qcReason"]}
        return self._push(method, "/rms/returns-processing-updates", body)

    def send_raw(self, method: str, path: str, raw_bytes: bytes, headers: dict[str, str] | None = None) -> Answer:
        """These bytes, at once. `headers` None sends the credential; a dict sends only what is in it."""
        return self.bridge.send(method, path, raw_bytes, headers)

    # Misbehaviour on command.

    def lose_next(self, n: int = 1) -> None:
        with self._lock:
            self._lose += n

    def double_next(self, n: int = 1) -> None:
        with self._lock:
            self._double += n

    def delay_next(self, seconds: float, n: int = 1) -> None:
        with self._lock:
            self._delay, self._delayed = seconds, n

    def hold_back(self) -> None:
        """From now on nothing leaves until `let_go`."""
        with self._lock:
            self._holding = True

    def let_go(self, order: str | list[int] = "fifo") -> list[Answer]:
        """Send what waits: fifo, lifo, shuffle, or the positions in the wanted order."""
        with self._lock:
            waiting, self._waiting, self._holding = self._waiting, [], False
        return [send() for send in _arranged(waiting, order)]

    # What RMS knows.

    def returns(self) -> dict[str, Json]:
        with self._lock:
            return {
                code: {**page, "statuses": list(page["statuses"]), "verdicts": dict(page["verdicts"])}
                for code, page in self._book.items()
            }

    @property
    def calls(self) -> list[Json]:
        """Every push that left: at, method, path, body, status, answer."""
        return self.bridge.journal.entries()

    def reset(self) -> None:
        with self._lock:
            self._book.clear()
            self._waiting.clear()
            self._holding = False
            self._lose = self._double = self._delayed = 0
        self.bridge.journal.clear()

    def _page(self, code: str, forward: str, status: str | None) -> Json:
        fresh: Json = {"forwardOrderCode": forward, "items": [], "statuses": [], "verdicts": {}}
        with self._lock:
            page = self._book.setdefault(code, fresh)
            page["statuses"] += [status] if status else []
            return page

    def _push(self, method: str, path: str, body: Json) -> Answer:
        def send() -> Answer:
            return self.bridge.send(method, path, body, attempts=self.attempts if self.retry else 1)

        with self._lock:
            if self._holding:
                self._waiting.append(send)
                return HELD_BACK
            lost, doubled, wait = self._next_misbehaviour()
        if lost:
            return LOST
        time.sleep(wait)
        answer = send()
        return send() if doubled else answer

    def _next_misbehaviour(self) -> tuple[bool, bool, float]:
        lost, doubled, delayed = self._lose > 0, self._double > 0, self._delayed > 0
        self._lose -= lost
        self._double -= doubled and not lost
        self._delayed -= delayed and not lost
        return lost, doubled, self._delay if delayed else 0.0


def _units(items: list[Json]) -> list[Json]:
    """Items as the book keeps them: notifications may call the code `itemId`."""
    return [{**item, "itemCode": item.get("itemCode", item.get("itemId"))} for item in items]


def _arranged(waiting: list[Callable[[], Answer]], order: str | list[int]) -> list[Callable[[], Answer]]:
    if isinstance(order, list):
        return [waiting[position] for position in order]
    if order not in ("fifo", "lifo", "shuffle"):
        raise ValueError("order: fifo, lifo, shuffle or a list of positions")
    arranged = waiting[::-1] if order == "lifo" else list(waiting)
    if order == "shuffle":
        random.shuffle(arranged)
    return arranged


def _status_pages(rms: RmsSimulator) -> Flask:
    app = Flask("rms")
    app.add_url_rule("/", "returns", lambda: jsonify(rms.returns()))
    app.add_url_rule("/calls", "calls", lambda: jsonify(rms.calls))
    return app
