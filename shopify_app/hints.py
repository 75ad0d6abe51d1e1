"""Deliveries that only hint at an order: returns, fulfillment orders, fulfillment holds. The order is read anew.

A native Shopify exchange makes no new order: its lines appear on the customer's first one, and only `returns/*` tells.
Fulfillment orders get new ids when they are split or moved, and a hold does not follow them (shopify.md §3.4, §3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.domain.orders import OrderSnapshot
from core.flows.orders import load_order, note_order
from core.flows.scene import open_scene
from core.flows.tenants import load_settings
from core.reading import read_object
from core.registry import Delivery, Outcome, ignored
from core.runtime import Runtime
from shopify_app import queries
from shopify_app.client import AdminClient
from shopify_app.gids import read_gid
from shopify_app.reads import read_current

_NOTHING = "it concerns no order of ours"


def find_reference(body: dict[str, Any]) -> int | str | None:
    """The order's id where the payload names it, else the id (gid) of a thing that Shopify knows the order of."""
    things = [one for one in body.values() if isinstance(one, dict)]
    order = body.get("order")
    named = [one.get("order_id") for one in (body, *things)] + ([order.get("id")] if isinstance(order, dict) else [])
    for one in named:
        if isinstance(one, int) and 0 < one < 2**63:
            return one
    gids = [one.get("admin_graphql_api_id") or one.get("id") for one in (body, *things)]
    known = ("gid://shopify/FulfillmentOrder/", "gid://shopify/Return/")
    return next((gid for gid in gids if isinstance(gid, str) and gid.startswith(known)), None)


@dataclass(frozen=True)
class HintHandler:
    """A delivery about something that belongs to an order."""

    runtime: Runtime
    client: AdminClient

    def read(self, delivery: Delivery) -> OrderSnapshot | str:
        """The order as Shopify has it now, or the reason why nobody needs to look."""
        body = read_object(delivery.body)
        reference = find_reference(body)
        if reference is None:
            return _NOTHING
        with self.runtime.database.read() as session:
            settings = load_settings(session, delivery.shop_id)
            known = isinstance(reference, int) and load_order(session, delivery.shop_id, reference) is not None
        if not known and not (body.get("exchange_line_items") or self._may_matter(delivery, settings)):
            return _NOTHING
        order_id = reference if isinstance(reference, int) else self._find_order(delivery.shop_id, reference)
        if order_id is None:
            return _NOTHING
        order = read_current(self.runtime, self.client, delivery.shop_id, order_id, settings.exchange)
        return order or "Shopify no longer shows this order"

    @staticmethod
    def _may_matter(delivery: Delivery, settings: Any) -> bool:
        """Of an order we have not seen: its return may bring exchange lines; its holds matter only if we place some."""
        if delivery.topic in ("returns/update", "returns/process"):
            return True
        return bool(settings.exchange.fulfillment_hold) and not delivery.topic.startswith("returns/")

    def _find_order(self, shop_id: int, gid: str) -> int | None:
        node = self.client.query(shop_id, queries.READ_ORDER_OF, id=gid)["node"] or {}
        return read_gid(node["order"]["id"]) if node.get("order") else None

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Note the order."""
        if isinstance(facts, str):
            return ignored(facts)
        return note_order(open_scene(session, delivery), facts)
