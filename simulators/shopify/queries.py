"""Everything that is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from graphql import GraphQLError

from simulators.shopify.access import Info
from simulators.shopify.base import Node
from simulators.shopify.cancelling import CancelJob
from simulators.shopify.editing import CalculatedOrder, EditSession
from simulators.shopify.model import FulfillmentOrder, Hold
from simulators.shopify.order_model import Order
from simulators.shopify.paging import page
from simulators.shopify.resolve import Call, resolves
from simulators.shopify.search import matcher
from simulators.shopify.state import MAIN_APP

SORTS = {
    "UPDATED_AT": "updated_at",
    "CREATED_AT": "created_at",
    "PROCESSED_AT": "processed_at",
    "ORDER_NUMBER": "number",
}
# Older orders need the scope read_all_orders.
VISIBLE_FOR = timedelta(days=60)


def number_in(gid: str) -> str:
    """The last part of a global id; anything else is refused as live."""
    if not gid.startswith("gid://shopify/") or not gid.rsplit("/", 1)[-1]:
        raise GraphQLError(f"Invalid global id '{gid}'", extensions={"code": "argumentLiteralsIncompatible"})
    return gid.rsplit("/", 1)[-1]


def visible(call: Call, order: Order) -> bool:
    if "read_all_orders" in call.token.granted:
        return True
    return call.world.now() - order.created_at < VISIBLE_FOR


def find(call: Call, gid: str, kind: type[Node] | None = None) -> Any:
    number_in(gid)
    found = call.shop.nodes.get(gid)
    if isinstance(found, Order) and not visible(call, found):
        return None
    if isinstance(found, EditSession) and "/CalculatedOrder/" in gid:
        return CalculatedOrder(found)
    return found if kind is None or isinstance(found, kind) else None


@resolves("QueryRoot.node")
def node(_source: Any, info: Info, id: str) -> Any:
    # A Job is no Node; only its result is.
    return None if "/Job/" in id else find(info.context, id)


@resolves("QueryRoot.nodes")
def nodes(_source: Any, info: Info, ids: list[str]) -> list[Any]:
    if len(ids) > 250:
        raise GraphQLError("The input array size is greater than the maximum allowed of 250.")
    return [node(None, info, gid) for gid in ids]


@resolves("QueryRoot.order")
def order(_source: Any, info: Info, id: str) -> Any:
    return find(info.context, id, Order)


@resolves("QueryRoot.fulfillmentOrder")
def fulfillment_order(_source: Any, info: Info, id: str) -> Any:
    return find(info.context, id, FulfillmentOrder)


@resolves("QueryRoot.return")
@resolves("QueryRoot.refund")
@resolves("QueryRoot.fulfillment")
@resolves("QueryRoot.reverseFulfillmentOrder")
@resolves("QueryRoot.orderEditSession")
@resolves("QueryRoot.bulkOperation")
def any_node(_source: Any, info: Info, id: str) -> Any:
    found = find(info.context, id)
    kind = info.field_name[0].upper() + info.field_name[1:]
    return found if getattr(found, "graphql_type", None) == kind else None


@resolves("QueryRoot.job")
def job(_source: Any, info: Info, id: str) -> Any:
    found = find(info.context, id, CancelJob)
    return job_view(found) if found else None


def job_view(found: CancelJob) -> dict[str, Any]:
    return {"id": f"gid://shopify/Job/{found.pk}", "done": found.done}


@resolves("QueryRoot.orders")
def orders(_source: Any, info: Info, query: str | None = None, sort_key: str = "PROCESSED_AT", **paging: Any) -> Any:
    call: Call = info.context
    fits, warnings = matcher(query)
    if warnings:
        call.warnings.append({"path": info.path.as_list(), "query": query, "warnings": warnings})
    attribute = SORTS.get(sort_key, "pk")
    paging.pop("saved_search_id", None)
    found = [item for item in call.shop.orders.values() if visible(call, item) and fits(item)]
    return page(found, key=lambda item: [_sortable(getattr(item, attribute)), item.pk], **paging)


def _sortable(value: Any) -> Any:
    return value.timestamp() if hasattr(value, "timestamp") else value


@resolves("QueryRoot.ordersCount")
def orders_count(_source: Any, info: Info, query: str | None = None, **_other: Any) -> Any:
    call: Call = info.context
    fits, _ = matcher(query)
    return {
        "count": sum(visible(call, item) and fits(item) for item in call.shop.orders.values()),
        "precision": "EXACT",
    }


@resolves("QueryRoot.shop")
def shop(_source: Any, info: Info) -> Any:
    found = info.context.shop
    return {
        "id": f"gid://shopify/Shop/{found.pk}",
        "name": found.name,
        "myshopifyDomain": found.domain,
        "email": "owner@example.com",
        "contactEmail": "owner@example.com",
        "shopOwnerName": "Test Owner",
        "currencyCode": found.currency,
        "ianaTimezone": "Asia/Kolkata",
        "timezoneAbbreviation": "IST",
        "timezoneOffset": "+0530",
        "timezoneOffsetMinutes": 330,
        "url": f"https://{found.domain}",
        "taxesIncluded": True,
        "plan": {
            "displayName": "Development",
            "publicDisplayName": "Development",
            "partnerDevelopment": True,
            "shopifyPlus": False,
        },
    }


@resolves("QueryRoot.currentAppInstallation")
def current_installation(_source: Any, info: Info) -> Any:
    call: Call = info.context
    scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in sorted(call.token.granted)]
    app = {"id": "gid://shopify/App/580111", "title": call.token.app, "handle": call.token.app}
    app["apiKey"] = call.world.api_key if call.token.app == MAIN_APP else call.token.app
    return {"id": f"gid://shopify/AppInstallation/{call.shop.pk + 1}", "accessScopes": scopes, "app": app}


@resolves("FulfillmentHold.heldByRequestingApp")
def held_by_requesting_app(source: Hold, info: Info) -> bool:
    call: Call = info.context
    return source.app == call.token.app


@resolves("Order.fulfillments")
def fulfillments(source: Order, info: Info, first: int | None = None, **_other: Any) -> Any:
    return source.fulfillments[:first]


@resolves("Return.exchangeLineItems")
@resolves("Return.returnLineItems")
def return_lines(source: Any, info: Info, **arguments: Any) -> Any:
    lines = source.exchange_line_items if info.field_name == "exchangeLineItems" else source.return_line_items
    keep = ("first", "last", "after", "before", "reverse")
    return page(lines, **{name: value for name, value in arguments.items() if name in keep})
