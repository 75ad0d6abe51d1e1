"""What webhooks missed (F6): orders changed since a time are read page by page, and what we do not know becomes an
event of our own, which goes the road of a webhook (shopify.md §2.5).

Search lags behind, so each walk starts some minutes before the newest change seen; what was seen before is refused by
its delivery id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import monotonic, parse_time
from core.db import insert_once, read_clock
from core.domain.differences import OrderSight
from core.domain.orders import OrderSnapshot, has_tag
from core.errors import Permanent
from core.flows.orders import note_order
from core.flows.scene import open_scene
from core.flows.tenants import load_settings
from core.models import Order, Shop, WatchPlace
from core.reading import read_object
from core.registry import Delivery, Duty, Outcome, ignored
from core.relay.inbox import NORMAL, record_event
from core.runtime import Runtime
from core.settings import Settings
from shopify_app import queries
from shopify_app.client import AdminClient
from shopify_app.gids import make_gid, read_gid
from shopify_app.parse import parse_display_status, parse_fulfillment_orders
from shopify_app.reads import read_current, read_pages

SOURCE, TOPIC = "reconcile", "orders/updated"
EVERY_SECONDS = 15 * 60.0
OVERLAP = timedelta(minutes=5)
_TURN_SECONDS = 15.0  # then the walk goes on in another turn
_VISIBLE = timedelta(days=60)  # older orders are not shown without read_all_orders


@dataclass(frozen=True)
class Page:
    """One page of orders: how many were looked at, how many became events, the newest change, where to go on."""

    looked: int
    news: int
    until: datetime | None
    cursor: str | None


@dataclass(frozen=True)
class RereadHandler:
    """An order is to be read again, because a webhook was missed or two systems differ."""

    runtime: Runtime
    client: AdminClient

    def read(self, delivery: Delivery) -> OrderSnapshot | None:
        """The order as Shopify has it now."""
        order_id = int(read_object(delivery.body)["order"])
        with self.runtime.database.read() as session:
            rules = load_settings(session, delivery.shop_id).exchange
        return read_current(self.runtime, self.client, delivery.shop_id, order_id, rules)

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Note the order as if a webhook had told of it."""
        if facts is None:
            return ignored("Shopify no longer shows this order")
        return note_order(open_scene(session, delivery), facts)


@dataclass(frozen=True)
class Reconciler:
    """Walks through a shop's changed orders."""

    runtime: Runtime
    client: AdminClient

    def walk(self, shop_id: int, since: datetime) -> Iterator[Page]:
        """Every page from a given time to now. Where the periodic walk stands moves on only if nothing is left out."""
        cursor = None
        while True:
            page = self._read_page(shop_id, since, cursor)
            with self.runtime.database.write() as session:
                place = load_place(session, shop_id)
                news = self._record(session, shop_id, page)
                if place.seen_until is not None and since <= place.seen_until:
                    _move_on(place, page)
            yield Page(len(page.orders), news, page.until, page.cursor)
            cursor = page.cursor
            if cursor is None:
                return

    def take_turn(self, shop_id: int) -> float | None:
        """Pages since the last walk's end, for a while. 0 when more are left."""
        end = monotonic() + _TURN_SECONDS
        while monotonic() < end:
            if self._take_page(shop_id) is None:
                return None
        return 0

    def _take_page(self, shop_id: int) -> str | None:
        with self.runtime.database.write() as session:
            place = load_place(session, shop_id)
            place.since = since = place.since or _find_start(session, place)
            cursor = place.cursor
        page = self._read_on(shop_id, since, cursor)
        with self.runtime.database.write() as session:
            place = load_place(session, shop_id)
            self._record(session, shop_id, page)
            _move_on(place, page)
            place.cursor, place.since = page.cursor, since if page.cursor else None
        return page.cursor

    def _read_on(self, shop_id: int, since: datetime, cursor: str | None) -> _Read:
        """A cursor that Shopify takes no more: the walk starts again where it began."""
        try:
            return self._read_page(shop_id, since, cursor)
        except Permanent:
            if cursor is None:
                raise
            return self._read_page(shop_id, since, None)

    def _read_page(self, shop_id: int, since: datetime, cursor: str | None) -> _Read:
        query = f"updated_at:>='{since:%Y-%m-%dT%H:%M:%SZ}'"
        found = self.client.query(shop_id, queries.ORDERS_UPDATED_SINCE, query=query, after=cursor)["orders"]
        page = found["pageInfo"]
        orders = {read_gid(node["id"]): parse_sight(node) for node in found["nodes"]}
        return _Read(orders, page["endCursor"] if page["hasNextPage"] else None)

    def _record(self, session: Session, shop_id: int, page: _Read) -> int:
        settings = load_settings(session, shop_id)
        news = find_news(session, shop_id, settings, page.orders)
        recorded = [self.ask_again(session, shop_id, order_id, page.orders[order_id].fingerprint) for order_id in news]
        return sum(recorded)

    def ask_again(self, session: Session, shop_id: int, order_id: int, why: str) -> bool:
        """Have an order read again; `why` is part of the delivery's id. False when that was asked for before."""
        return record_event(
            session,
            self.runtime.keyring,
            shop_id=shop_id,
            source=SOURCE,
            topic=TOPIC,
            delivery_id=f"{order_id}@{why}",
            body=json.dumps({"order": order_id}).encode(),
            priority=NORMAL,
        )

    def look(self, shop_id: int, order_ids: Sequence[int]) -> dict[int, OrderSight]:
        """These orders as Shopify shows them now; one it does not show is left out."""
        ids = [make_gid("Order", order_id) for order_id in order_ids]
        nodes = self.client.query(shop_id, queries.READ_MARKS, ids=ids)["nodes"] if ids else []
        return {read_gid(node["id"]): self._look_closely(shop_id, node) for node in nodes if node}

    def _look_closely(self, shop_id: int, node: dict[str, Any]) -> OrderSight:
        """With its fulfillment orders, and the quantities of all its lines; a long order's are read page by page."""
        lines = node["lineItems"]["nodes"]
        if node["lineItems"]["pageInfo"]["hasNextPage"]:
            lines = read_pages(self.client, shop_id, queries.READ_LINES, read_gid(node["id"]))[1]
        return replace(
            parse_sight(node),
            quantities={read_gid(line["id"]): line["currentQuantity"] for line in lines},
            fulfillment_orders=parse_fulfillment_orders(node["fulfillmentOrders"]["nodes"]),
        )


@dataclass(frozen=True)
class _Read:
    orders: dict[int, OrderSight]
    cursor: str | None

    @property
    def until(self) -> datetime | None:
        """The newest change on this page."""
        return max((order.updated_at for order in self.orders.values()), default=None)


def parse_sight(node: dict[str, Any]) -> OrderSight:
    """The marks of an order."""
    return OrderSight(
        tags=tuple(node["tags"]),
        cancelled_at=parse_time(node["cancelledAt"]) if node["cancelledAt"] else None,
        fulfillment=parse_display_status(node["displayFulfillmentStatus"]),
        updated_at=parse_time(node["updatedAt"]),
    )


def load_place(session: Session, shop_id: int) -> WatchPlace:
    """How far the watch has come in a shop."""
    insert_once(session, WatchPlace, shop_id=shop_id, drift_after=0)
    return session.get_one(WatchPlace, shop_id)


def _find_start(session: Session, place: WatchPlace) -> datetime:
    """Some minutes before the newest change seen; the first time, since the shop came to us."""
    shop = session.get_one(Shop, place.shop_id)
    return max((place.seen_until or shop.created_at) - OVERLAP, read_clock(session) - _VISIBLE)


def _move_on(place: WatchPlace, page: _Read) -> None:
    if page.until is not None:
        place.seen_until = max(page.until, place.seen_until or page.until)


def find_news(session: Session, shop_id: int, settings: Settings, seen: dict[int, OrderSight]) -> list[int]:
    """The orders that concern us and are not known as they were seen."""
    rows = session.scalars(select(Order).where(Order.shop_id == shop_id, Order.order_id.in_(seen)))
    known = {row.order_id: row for row in rows}
    return [order_id for order_id, sight in seen.items() if _is_news(known.get(order_id), sight, settings)]


def _is_news(known: Order | None, sight: OrderSight, settings: Settings) -> bool:
    if known is None:
        return settings.oms.sync == "all" or has_tag(sight.tags, settings.exchange.replacement_tag)
    return sight.updated_at > known.updated_at or (sight.updated_at == known.updated_at and sight.differs_from(known))


def make_reconciler(runtime: Runtime) -> Reconciler:
    """A reconciler over a runtime."""
    return Reconciler(runtime, AdminClient(runtime))


def register_reconciliation(runtime: Runtime) -> Reconciler:
    """Enter the handler and the duty."""
    reconciler = make_reconciler(runtime)
    runtime.registry.handlers[SOURCE, TOPIC] = RereadHandler(runtime, reconciler.client)
    duty = Duty("reconcile", EVERY_SECONDS, reconciler.take_turn, modes=("live", "observe"))
    runtime.registry.duties.append(duty)
    return reconciler
