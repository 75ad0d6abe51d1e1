"""Reading orders from Shopify, whole, page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.domain.orders import ForwardOrder, HoldTags, OrderSnapshot, is_held
from core.errors import Permanent
from core.flows.orders import load_address, load_version
from core.runtime import Runtime
from core.settings import ExchangeSettings
from shopify_app import queries
from shopify_app.client import AdminClient
from shopify_app.gids import make_gid
from shopify_app.marks import mark_address
from shopify_app.parse import parse_forward_order, parse_order_answer


def read_current(
    runtime: Runtime, client: AdminClient, shop_id: int, order_id: int, rules: ExchangeSettings
) -> OrderSnapshot | None:
    """The order as it is now; None when Shopify does not show it (deleted, or beyond the app's reach).

    What we knew is noted first, so that a reading overtaken by our own writes can be told.
    """
    with runtime.database.read() as session:
        version = load_version(session, shop_id, order_id)
        told = load_address(session, shop_id, order_id)
    order, lines = read_pages(client, shop_id, queries.READ_ORDER, order_id, withAddress=told is not None)
    if order is None:
        return None
    marks = (
        mark_address(runtime.keyring, shop_id, order_id, order["shippingAddress"], told) if told is not None else None
    )
    return replace(parse_order_answer(order, lines, rules), known_version=version, address=marks)


def read_forward_order(runtime: Runtime, client: AdminClient, shop_id: int, order_id: int) -> ForwardOrder:
    """All that OMS must know to take the order: personal data, for one call."""
    order, lines = read_pages(client, shop_id, queries.READ_FORWARD_ORDER, order_id)
    if order is None:
        raise Permanent("Shopify no longer shows this order")
    marks = mark_address(runtime.keyring, shop_id, order_id, order["shippingAddress"])
    return replace(parse_forward_order(order, lines), address_marks=marks)


def refuse_if_lifted(order: dict[str, Any], held_by: dict[str, Any] | None) -> None:
    """Look before acting: a hold that somebody has lifted is their decision, whatever QC says. Raises Permanent."""
    if held_by is None:
        return
    rules = HoldTags(held_by["hold"], tuple(held_by["others"]), held_by["release"])
    if not is_held(order["tags"], rules):
        raise Permanent("the hold was lifted in Shopify in the meantime: nothing is cancelled")


def read_pages(
    client: AdminClient, shop_id: int, document: str, order_id: int, connection: str = "lineItems", **more: Any
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """An order and the nodes of all pages of one of its connections; None and nothing when Shopify shows no order."""
    nodes: list[dict[str, Any]] = []
    after = None
    while True:
        order = client.query(shop_id, document, id=make_gid("Order", order_id), after=after, **more)["order"]
        if order is None:
            return None, []
        nodes += order[connection]["nodes"]
        page = order[connection]["pageInfo"]
        if not page["hasNextPage"]:
            return order, nodes
        after = page["endCursor"]
