"""The shops, their tokens and everything that is counted."""

from __future__ import annotations

import itertools
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from simulators.shopify.access import DEFAULT_SCOPES, granted
from simulators.shopify.base import Refused
from simulators.shopify.cost import Bucket
from simulators.shopify.order_model import Order

MAIN_APP = "main"
SHOP_TIME = timezone(timedelta(hours=5, minutes=30))


class Effect(NamedTuple):
    """One accepted change that an app made through the API."""

    at: str
    shop: str
    kind: str
    detail: dict[str, Any]


@dataclass
class Token:
    value: str
    shop: str
    app: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    # What a token exchange without `expiring` gives: the Admin API no longer takes it.
    outdated: bool = False

    @property
    def granted(self) -> frozenset[str]:
        return granted(self.scopes)


@dataclass
class Shop:
    domain: str
    pk: int
    scopes: tuple[str, ...]
    name: str = "Test Shop"
    currency: str = "INR"
    installed: bool = True
    orders: dict[int, Order] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    deactivated_locations: set[int] = field(default_factory=set)
    next_number: int = 1001


class World:
    """All shops of one simulator, with the settings a test may turn."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self.api_key, self.api_secret = api_key, api_secret
        self.lock = threading.RLock()
        self.cancel_delay = 0.3
        self.edit_session_seconds = 3600.0
        self.token_seconds = 3600
        self.refresh_token_days = 90
        self.bucket_size, self.restore_rate = 2000.0, 100.0
        self.max_query_cost = 1000
        self.connection_weight = 0.25
        # Below 2 the app has no approval for names, addresses and contacts: those fields come back null.
        self.customer_data_level = 2
        # What a fulfillment hold makes Shopify refuse: "edit", "cancel" or both.
        self.refuse_when_held = {"edit"}
        self._ids = itertools.count(5_600_000_000_017, 32_768)
        self._empty()

    def _empty(self) -> None:
        self.shops: dict[str, Shop] = {}
        self.tokens: dict[str, Token] = {}
        self.effects: list[Effect] = []
        self.requests: list[dict[str, Any]] = []

    def next_id(self) -> int:
        return next(self._ids)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        raise NotImplementedError

    def announce(self, shop: Shop, topic: str, payload: dict[str, Any], event_id: str) -> None:
        raise NotImplementedError

    def shop(self, domain: str) -> Shop:
        if domain not in self.shops:
            raise Refused(f"no shop {domain}")
        return self.shops[domain]

    def find_order(self, shop: Shop, order_id: int | str) -> Order:
        """By number or global id."""
        tail = str(order_id).rsplit("/", 1)[-1]
        order = shop.orders.get(int(tail)) if tail.isdigit() else None
        if order is None:
            raise Refused("The order does not exist", ["id"], "NOT_FOUND")
        return order

    def add_token(self, shop: Shop, app: str, scopes: Iterable[str], value: str | None = None) -> Token:
        token = Token(value or f"shpat_{secrets.token_hex(16)}", shop.domain, app, tuple(scopes))
        self.tokens[token.value] = token
        return token

    def open_shop(self, domain: str, scopes: Iterable[str] | None = None) -> Shop:
        shop = self.shops.get(domain)
        if shop is None:
            shop = Shop(domain, self.next_id(), tuple(scopes or DEFAULT_SCOPES))
            self.shops[domain] = shop
        elif scopes is not None:
            shop.scopes = tuple(scopes)
        shop.installed = True
        return shop

    def bucket(self, shop: Shop, app: str) -> Bucket:
        bucket = shop.buckets.setdefault(app, Bucket(self.bucket_size, self.restore_rate))
        bucket.size, bucket.rate = self.bucket_size, self.restore_rate
        return bucket

    def count(self, shop: Shop, kind: str, **detail: Any) -> None:
        self.effects.append(Effect(self.now().isoformat(), shop.domain, kind, detail))

    def touch(self, order: Order, *, moves: bool = False) -> None:
        """One-second resolution, so two different states can carry the same stamp. Never backwards."""
        order.updated_at = max(order.updated_at, self.now().replace(microsecond=0))
        if moves:
            order.version += 1


def new_event() -> str:
    """Shared by all deliveries of one action."""
    return str(uuid.uuid4())


def register(shop: Shop, *things: Any) -> None:
    """Make things findable by `node(id:)`."""
    for thing in things:
        shop.nodes[thing.id] = thing
