"""The door for Shopify's webhooks, every topic: verify, store the raw bytes, answer (shopify.md §2).

Two ways lead to it: the ASGI front, which answers without taking a thread, and a Flask route under any other server.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import uuid4

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from core.clock import parse_time
from core.config import Config
from core.errors import Transient, Unauthorized
from core.flows.credentials import Headers
from core.flows.exchanges import find_known_orders
from core.flows.tenants import ensure_shops
from core.front import FastDoor
from core.relay.gathering import Gatherer
from core.relay.inbox import ALWAYS, FIRST, KNOWN, NORMAL, Arrival, record_events
from core.runtime import Runtime
from core.signing import verify_hmac
from shopify_app.auth import list_secrets, read_shop
from shopify_app.topics import API_VERSION, APP_TOPICS, COLLAPSING_TOPIC, COMPLIANCE_TOPICS, ORDER_TOPICS, SOURCE

logger = logging.getLogger(__name__)
PATH = "/webhooks/shopify"
PATIENCE_SECONDS = 4.0  # Shopify waits 5; what is stored after that comes again and is known

_FIRST_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,18})\s*,')  # Shopify writes an order's id first
_NONE_KNOWN: Mapping[tuple[int, int], bool] = {}
_NOT_YET = "it could not be stored in time: send it again"


@dataclass(frozen=True)
class Webhook:
    """One verified delivery."""

    domain: str
    topic: str
    delivery_id: str
    body: bytes
    triggered_at: datetime | None

    @property
    def order_id(self) -> int | None:
        """The order that an order's webhook is about: a look at its first bytes, for nothing is parsed here."""
        found = _FIRST_ID.match(self.body) if self.topic in ORDER_TOPICS else None
        return int(found[1]) if found else None

    def arrive(self, shop_id: int, known_orders: Mapping[tuple[int, int], bool] = _NONE_KNOWN) -> Arrival:
        """As it is stored. What is about the shop itself is thought about though the shop is paused or removed; an
        exchange's order before other orders, and with the verdicts while we act on one: it is their second half; of
        several updates of an order only the newest."""
        acting = known_orders.get((shop_id, self.order_id or 0))
        priority = NORMAL if acting is None else FIRST if acting else KNOWN
        priority = ALWAYS if self.topic in (*APP_TOPICS, *COMPLIANCE_TOPICS) else priority
        about = str(self.order_id) if self.order_id and self.topic == COLLAPSING_TOPIC else None
        return Arrival(shop_id, SOURCE, self.topic, self.delivery_id, self.body, priority, self.triggered_at, about)


class WebhookDoor:
    """Verifies webhooks and has them stored."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._gatherer = Gatherer(runtime.database, self._store)

    def receive(self, headers: Headers, body: bytes) -> Future[None]:
        """Ends when the delivery is committed. Raises Unauthorized."""
        return self._gatherer.record(verify_webhook(self._runtime.config, headers, body))

    def ring(self) -> None:
        """Something was stored."""
        self._runtime.bell.ring_soon()

    def _store(self, session: Session, webhooks: Sequence[Webhook]) -> None:
        shops = ensure_shops(session, {one.domain for one in webhooks})
        named = [(shops[one.domain], one.order_id) for one in webhooks if one.order_id is not None]
        known = find_known_orders(session, named) if named else _NONE_KNOWN
        record_events(session, self._runtime.keyring, [one.arrive(shops[one.domain], known) for one in webhooks])


def make_blueprint(door: WebhookDoor) -> Blueprint:
    """The webhook endpoint for a WSGI server."""
    doors = Blueprint("shopify", __name__)

    @doors.post(PATH)
    def receive_webhook() -> Response:
        body = request.get_data(cache=False, parse_form_data=False)
        wait_until_stored(door.receive(request.headers, body))
        door.ring()
        return Response(status=200)

    return doors


def make_fast_door(door: WebhookDoor) -> FastDoor:
    """The same endpoint for the ASGI front. What it does not take is for the Flask route to answer."""

    async def receive_webhook(headers: Headers, body: bytes) -> bool:
        try:
            stored = door.receive(headers, body)
        except Unauthorized:
            return False
        try:
            await asyncio.wait_for(asyncio.wrap_future(stored), PATIENCE_SECONDS)
        except TimeoutError:
            raise Transient(_NOT_YET) from None
        door.ring()
        return True

    return receive_webhook


def wait_until_stored(stored: Future[None]) -> None:
    """Block until the delivery is committed. Raises Transient."""
    try:
        stored.result(PATIENCE_SECONDS)
    except TimeoutError:
        raise Transient(_NOT_YET) from None


def verify_webhook(config: Config, headers: Headers, body: bytes) -> Webhook:
    """The delivery, when it is Shopify's. The HMAC is over the raw bytes, so nothing is parsed before or after it here
    (law 1). Raises Unauthorized."""
    if not verify_hmac(body, read_header(headers, "hmac-sha256"), list_secrets(config)):
        raise Unauthorized("the webhook's signature is wrong or missing")
    _note_version((read_header(headers, "api-version") or API_VERSION)[:20])
    topic = (read_header(headers, "topic") or "unknown")[:64]
    return Webhook(_read_domain(headers), topic, _read_delivery_id(headers), body, _read_trigger_time(headers))


@lru_cache(maxsize=8)
def _note_version(version: str) -> None:
    """Said once by each process: a payload of another version may lack what we read, or say it otherwise."""
    if version != API_VERSION:
        logger.warning("webhooks come in API version %s, not %s: update Returnbridge", version, API_VERSION)


def read_header(headers: Headers, name: str) -> str | None:
    """A Shopify header under its old or its newer name, as printable ASCII; None when absent or anything else."""
    value = headers.get(f"x-shopify-{name}") or headers.get(f"shopify-{name}")
    return value if value and value.isascii() and value.isprintable() else None


def _read_delivery_id(headers: Headers) -> str:
    """Shopify's id of this delivery; one too long for the column is told apart by its hash, none gets one of ours."""
    given = read_header(headers, "webhook-id") or uuid4().hex
    return given if len(given) <= 255 else hashlib.sha256(given.encode()).hexdigest()


def _read_trigger_time(headers: Headers) -> datetime | None:
    try:
        return parse_time(read_header(headers, "triggered-at"))
    except ValueError:
        return None


def _read_domain(headers: Headers) -> str:
    domain = read_shop(read_header(headers, "shop-domain"))
    if domain is None:
        raise Unauthorized("the webhook names no shop")
    return domain
