"""Which flow each Shopify topic goes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.domain.orders import OrderSnapshot
from core.flows.orders import load_address, needs_fresh_look, note_order, settle_payload
from core.flows.scene import open_scene
from core.flows.tenants import load_settings
from core.reading import read_object
from core.registry import Delivery, Handler, Outcome, ignored
from core.runtime import Runtime
from core.settings import Settings
from shopify_app.client import AdminClient
from shopify_app.compliance import CustomerRedact, DataRequest, ShopRedact
from shopify_app.hints import HintHandler
from shopify_app.lifecycle import AppUninstalled, ScopesUpdate
from shopify_app.marks import mark_address
from shopify_app.parse import parse_order_webhook
from shopify_app.reads import read_current, read_forward_order
from shopify_app.topics import APP_TOPICS, COMPLIANCE_TOPICS, FULFILLMENT_TOPICS, ORDER_TOPICS, RETURN_TOPICS, SOURCE

READ_FORWARD_ORDER = "shopify.read_forward_order"
READ_CURRENT_ORDER = "shopify.read_current_order"


@dataclass(frozen=True)
class OrderHandler:
    """Any `orders/*` delivery: a hint that the order may have changed. Its state is read anew before it counts."""

    runtime: Runtime
    client: AdminClient

    def read(self, delivery: Delivery) -> OrderSnapshot | None:
        """The payload when it proves that nothing relevant changed, else the order as Shopify has it now."""
        with self.runtime.database.read() as session:
            settings = load_settings(session, delivery.shop_id)
            order = self._parse(session, delivery, settings)
            if not needs_fresh_look(session, delivery.shop_id, order, settings):
                return settle_payload(session, delivery.shop_id, order)
        current = read_current(self.runtime, self.client, delivery.shop_id, order.id, settings.exchange)
        return current.with_variants(order) if current else None

    def _parse(self, session: Session, delivery: Delivery, settings: Settings) -> OrderSnapshot:
        body = read_object(delivery.body)
        order = parse_order_webhook(body, settings.exchange)
        told = load_address(session, delivery.shop_id, order.id)
        if told is None or "shipping_address" not in body:
            return order
        marks = mark_address(self.runtime.keyring, delivery.shop_id, order.id, body["shipping_address"], told)
        return replace(order, address=marks)

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Note the order."""
        if facts is None:
            return ignored("Shopify no longer shows this order")
        return note_order(open_scene(session, delivery), facts)


def register_handlers(runtime: Runtime) -> None:
    """Enter the Shopify topics, and the reads other bridges ask for, into the registry."""
    client = AdminClient(runtime)
    for topic in ORDER_TOPICS:
        runtime.registry.handlers[SOURCE, topic] = OrderHandler(runtime, client)
    for topic in (*RETURN_TOPICS, *FULFILLMENT_TOPICS):
        runtime.registry.handlers[SOURCE, topic] = HintHandler(runtime, client)
    register_shop_handlers(runtime)
    readers = runtime.registry.readers
    readers[READ_FORWARD_ORDER] = lambda shop_id, order_id: read_forward_order(runtime, client, shop_id, order_id)
    readers[READ_CURRENT_ORDER] = lambda shop_id, order_id: _read_now(runtime, client, shop_id, order_id)


def _read_now(runtime: Runtime, client: AdminClient, shop_id: int, order_id: int) -> OrderSnapshot | None:
    with runtime.database.read() as session:
        rules = load_settings(session, shop_id).exchange
    return read_current(runtime, client, shop_id, order_id, rules)


def register_shop_handlers(runtime: Runtime) -> None:
    """Enter the topics that are about the shop itself."""
    handlers: dict[str, Handler] = {
        "app/uninstalled": AppUninstalled(),
        "app/scopes_update": ScopesUpdate(),
        "customers/data_request": DataRequest(runtime, "orders_requested"),
        "customers/redact": CustomerRedact(runtime, "orders_to_redact"),
        "shop/redact": ShopRedact(),
    }
    for topic in (*APP_TOPICS, *COMPLIANCE_TOPICS):
        runtime.registry.handlers[SOURCE, topic] = handlers[topic]
