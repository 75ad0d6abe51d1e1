"""Reading orders from Shopify, whole, page by page."""

from __future__ import annotations

from typing import Any

from core.domain.orders import ForwardOrder, OrderSnapshot
from core.errors import Permanent
from core.settings import ExchangeSettings
from shopify_app import queries
from shopify_app.client import AdminClient, make_gid
from shopify_app.parse import parse_forward_order, parse_order_answer


def read_order(client: AdminClient, shop_id: int, order_id: int, rules: ExchangeSettings) -> OrderSnapshot | None:
    """The order as it is now; None when Shopify does not show it (deleted, or beyond the app's reach)."""
    order, lines = _read_pages(client, shop_id, queries.READ_ORDER, order_id)
    return parse_order_answer(order, lines, rules) if order else None


def read_forward_order(client: AdminClient, shop_id: int, order_id: int) -> ForwardOrder:
    """All that OMS must know to take the order: personal data, for one call."""
    order, lines = _read_pages(client, shop_id, queries.READ_FORWARD_ORDER, order_id)
    if order is None:
        raise Permanent("Shopify no longer shows this order")
    return parse_forward_order(order, lines)


def _read_pages(
    client: AdminClient, shop_id: int, document: str, order_id: int
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = []
    after = None
    while True:
        order = client.query(shop_id, document, id=make_gid("Order", order_id), after=after)["order"]
        if order is None:
            return None, []
        lines += order["lineItems"]["nodes"]
        page = order["lineItems"]["pageInfo"]
        if not page["hasNextPage"]:
            return order, lines
        after = page["endCursor"]
