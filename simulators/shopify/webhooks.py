"""Signs deliveries and brings them to the app: late, twice, out of order or not at all when told so."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from simulators.shopify.schema import API_VERSION

TIME_OUT = (1, 5)
RETRY_SCHEDULE = [0.5, 1, 2, 4, 8, 16, 32, 60]


def sign(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def prune(payload: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Only these dot paths, as `include_fields` in the app's configuration."""
    kept: dict[str, Any] = {}
    for path in paths:
        head, _, rest = path.partition(".")
        if head not in payload:
            continue
        kept[head] = _merge(kept.get(head), payload[head], rest)
    return kept


def _merge(kept: Any, value: Any, rest: str) -> Any:
    if not rest:
        return value
    if isinstance(value, list):
        before = kept or [{} for _ in value]
        return [_merge(old, new, rest) for old, new in zip(before, value, strict=True)]
    return {**(kept or {}), **prune(value, [rest])} if isinstance(value, dict) else value


@dataclass
class Parcel:
    """One delivery. A retry sends the same bytes under the same webhook id."""

    shop: str
    topic: str
    body: bytes
    headers: dict[str, str]
    address: str
    attempt: int = 1

    def entry(self, outcome: str, status: int | None = None, note: str = "") -> dict[str, Any]:
        return {
            "at": datetime.now(UTC).isoformat(),
            "shop": self.shop,
            "topic": self.topic,
            "webhook_id": self.headers["X-Shopify-Webhook-Id"],
            "event_id": self.headers["X-Shopify-Event-Id"],
            "attempt": self.attempt,
            "outcome": outcome,
            "status": status,
            "note": note,
        }


class Delivery:
    """`log` has one entry for each attempt: delivered, failed, lost, held, debounced, gave_up, no_address."""

    def __init__(self, secret: str, later: Callable[[float, Callable[[], None]], None]) -> None:
        self.secret, self._later = secret, later
        self.address: str | None = None
        self.retry_schedule: list[float] = list(RETRY_SCHEDULE)
        self.include_fields: dict[str, list[str]] = {}
        self._lock = threading.Condition()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="shopify-webhook")
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.log: list[dict[str, Any]] = []
            self._held: list[Parcel] = []
            self._holding = False
            self._lose: list[str | None] = []
            self._double: list[str | None] = []
            self._last: dict[tuple[str, str, str], bytes] = {}
            self._under_way = 0
            # A retry that was planned before a reset must not go out after it.
            self._round = getattr(self, "_round", 0) + 1

    def close(self) -> None:
        self.reset()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def lose_next(self, n: int = 1, topic: str | None = None) -> None:
        with self._lock:
            self._lose += [topic] * n

    def double_next(self, n: int = 1, topic: str | None = None) -> None:
        with self._lock:
            self._double += [topic] * n

    def hold_back(self) -> None:
        with self._lock:
            self._holding = True

    def let_go(self, order: str = "fifo") -> int:
        """Send what was held back, one after the other; `lifo` turns the order round."""
        with self._lock:
            self._holding = False
            parcels = self._held if order == "fifo" else self._held[::-1]
            self._held = []
            self._under_way += len(parcels)
            started = self._round
        self._pool.submit(self._in_order, parcels, started)
        return len(parcels)

    def settle(self, timeout: float = 5.0) -> bool:
        """Wait until nothing is under way and no retry is planned."""
        end = time.monotonic() + timeout
        with self._lock:
            while self._under_way and time.monotonic() < end:
                self._lock.wait(0.05)
            return not self._under_way

    def send(self, shop: str, topic: str, payload: dict[str, Any], event_id: str, test: bool = False) -> None:
        paths = self.include_fields.get(topic)
        body = json.dumps(prune(payload, paths) if paths else payload, ensure_ascii=False).encode()
        parcel = Parcel(shop, topic, body, self._headers(shop, topic, body, event_id, test), self.address or "")
        copies = self._commanded(parcel, bool(paths) and self._unchanged(shop, topic, payload, body))
        for _ in range(copies):
            self._dispatch(parcel)

    def _headers(self, shop: str, topic: str, body: bytes, event_id: str, test: bool) -> dict[str, str]:
        triggered = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.{time.time_ns() % 10**9:09d}Z"
        return {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": sign(self.secret, body),
            "X-Shopify-Shop-Domain": shop,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": triggered,
            "X-Shopify-Name": topic.partition("/")[0],
            "X-Shopify-Test": "true" if test else "false",
        }

    def _unchanged(self, shop: str, topic: str, payload: dict[str, Any], body: bytes) -> bool:
        """Shopify drops a delivery that looks like the one before: why include_fields needs `updated_at`."""
        key = (shop, topic, str(payload.get("id")))
        with self._lock:
            same = self._last.get(key) == body
            self._last[key] = body
        return same

    def _commanded(self, parcel: Parcel, unchanged: bool) -> int:
        """How many copies go out now."""
        with self._lock:
            if unchanged or not parcel.address:
                self.log.append(parcel.entry("debounced" if unchanged else "no_address"))
                return 0
            if _use(self._lose, parcel.topic):
                self.log.append(parcel.entry("lost"))
                return 0
            copies = 2 if _use(self._double, parcel.topic) else 1
            if self._holding:
                self._held += [parcel] * copies
                self.log.append(parcel.entry("held"))
                return 0
        return copies

    def _dispatch(self, parcel: Parcel) -> None:
        with self._lock:
            self._under_way += 1
            started = self._round
        self._pool.submit(self._attempt, parcel, started)

    def _in_order(self, parcels: list[Parcel], started: int) -> None:
        for parcel in parcels:
            self._attempt(parcel, started)

    def _attempt(self, parcel: Parcel, started: int) -> None:
        if started != self._round:
            return
        status, note = _post(parcel)
        good = status is not None and 200 <= status < 300
        with self._lock:
            if started != self._round:
                return
            self.log.append(parcel.entry("delivered" if good else "failed", status, note))
            if good or not self._plan_retry(parcel, started):
                self._under_way -= 1
                self._lock.notify_all()

    def _plan_retry(self, parcel: Parcel, started: int) -> bool:
        if parcel.attempt > len(self.retry_schedule):
            self.log.append(parcel.entry("gave_up"))
            return False
        wait = self.retry_schedule[parcel.attempt - 1]
        again = Parcel(
            parcel.shop, parcel.topic, parcel.body, parcel.headers, parcel.address, attempt=parcel.attempt + 1
        )
        self._later(wait, lambda: self._submit(again, started))
        return True

    def _submit(self, parcel: Parcel, started: int) -> None:
        if started == self._round:
            self._pool.submit(self._attempt, parcel, started)


def _use(commands: list[str | None], topic: str) -> bool:
    for wanted in commands:
        if wanted in (None, topic):
            commands.remove(wanted)
            return True
    return False


def _post(parcel: Parcel) -> tuple[int | None, str]:
    """A redirect is a failure too."""
    try:
        answer = requests.post(
            parcel.address, data=parcel.body, headers=parcel.headers, timeout=TIME_OUT, allow_redirects=False
        )
    except requests.RequestException as error:
        return None, type(error).__name__
    return answer.status_code, ""
