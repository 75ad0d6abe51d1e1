"""A Shopify that counts: a second orderCancel refunds again until its job lands; each change sends its webhooks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.crash.wire import Request

HOLD, REPLACEMENT = "increff_hold", "increff_exchange"
_OPERATION = re.compile(r"\s*(query|mutation)\s+(\w+)")
Emit = Callable[[str, list[str], dict[str, Any]], None]  # shop, topics of one change, payload
Later = Callable[[float, Callable[[], None]], None]


def stamp() -> str:
    """Now, as Shopify writes it: whole seconds."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Line:
    """A line item that replaces one returned unit."""

    id: int
    sku: str
    quantity: int
    current: int
    unit: str


@dataclass
class Order:
    """An order with all that was ever done to it."""

    id: int
    shop: str
    return_code: str
    lines: list[Line]
    tags: list[str]
    created: str = field(default_factory=stamp)
    updated: str = field(default_factory=stamp)
    cancelled: str | None = None
    refunds: int = 0
    jobs: list[str] = field(default_factory=list)  # one for each orderCancel that was taken
    seller: bool = False  # cancelled because OMS could not serve it
    lifted: bool = False  # the hold tag was taken off by the app
    by_hand: bool | None = None  # what staff last made of the hold tag: on or off
    undone: list[float] = field(default_factory=list)  # when the app made something else of it


class Shopify:
    """All shops' orders, and the Admin over them."""

    throttled = (200, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})

    def __init__(self, emit: Emit, later: Later, refuse_cancel: Callable[[int], bool] = lambda order_id: False):
        self.orders: dict[int, Order] = {}
        self._emit, self._later, self._refuse = emit, later, refuse_cancel
        self._edits: dict[str, tuple[int, dict[int, int]]] = {}
        self._numbers = iter(range(1, 1 << 60))
        self.landed: set[str] = set()
        self._edited: set[int] = set()  # orders whose lines were not read since their edit was committed

    def create(self, order: Order) -> None:
        self.orders[order.id] = order
        self._emit(order.shop, ["orders/create"], render_payload(order))

    def name_operation(self, request: Request) -> str:
        found = _OPERATION.match(request.json()["query"])
        assert found is not None
        return found[2]

    def is_read(self, request: Request) -> bool:
        found = _OPERATION.match(request.json()["query"])
        return found is not None and found[1] == "query"

    def is_read_back(self, request: Request) -> bool:
        """True for a reading of an order's lines while none has been done since its edit was committed."""
        if self.name_operation(request) != "ReadLines":
            return False
        return self._find(request.json()["variables"]).id in self._edited

    def change_by_hand(self, order_id: int, held: bool) -> None:
        """Somebody of the shop's staff puts the hold tag on or takes it off."""
        order = self.orders[order_id]
        order.by_hand = held
        if (HOLD in order.tags) != held:
            order.tags = [*order.tags, HOLD] if held else [tag for tag in order.tags if tag != HOLD]
            self._touch(order)

    def execute(self, request: Request) -> tuple[int, dict[str, Any]]:
        operation, variables = self.name_operation(request), request.json()["variables"]
        act = getattr(self, f"_{operation}", None)
        if act is None:
            return 200, {"errors": [{"message": f"{operation} is not played here"}]}
        return 200, {"data": act(variables)}

    def _touch(self, order: Order, *topics: str) -> None:
        order.updated = stamp()
        self._emit(order.shop, [*topics, "orders/updated"], render_payload(order))

    def _find(self, variables: dict[str, Any]) -> Order:
        return self.orders[int(variables["id"].rpartition("/")[2])]

    def _ReadOrder(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        return {"order": render_order(self._find(variables))}

    def _ReadApp(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        return {"currentAppInstallation": {"accessScopes": []}}

    def _ReadLines(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        self._edited.discard(self._find(variables).id)
        return self._ReadOrder(variables)

    _ReadForwardOrder = _ReadCancellation = _ReadFulfillmentOrders = _ReadOrder

    def _ReadMarks(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        return {"nodes": [render_order(self._find({"id": one})) for one in variables["ids"]]}

    def _OrdersUpdatedSince(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        return {"orders": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}

    def _change_tags(self, order: Order, add: list[str], remove: list[str]) -> None:
        before = list(order.tags)
        order.tags = [tag for tag in order.tags if tag not in remove] + [tag for tag in add if tag not in order.tags]
        order.lifted = order.lifted or (HOLD in before and HOLD not in order.tags)
        held = HOLD in order.tags
        if held != (HOLD in before) and order.by_hand not in (None, held):
            order.undone.append(time.time())
        if order.tags != before:
            self._touch(order)

    def _SwapTags(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        order = self._find(variables)
        self._change_tags(order, variables.get("add", []), variables.get("remove", []))
        answer = {"node": {"id": gid("Order", order.id), "tags": order.tags, "updatedAt": order.updated}}
        return {"added": {**answer, "userErrors": []}, "removed": {**answer, "userErrors": []}}

    _AddTags = _RemoveTags = _SwapTags

    def _CancelOrder(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        order = self._find(variables)
        if order.cancelled:
            said = [{"code": "INVALID", "field": ["orderId"], "message": "the order has been cancelled already"}]
            return {"orderCancel": {"jobResult": None, "orderCancelUserErrors": said}}
        order.refunds += 1 if variables.get("refundMethod") else 0
        order.seller = order.seller or variables["reason"] == "INVENTORY"
        job = gid("OrderCancelJobResult", next(self._numbers))
        order.jobs.append(job)
        self._later(0.4, lambda: self._land(order, job))
        return {"orderCancel": {"jobResult": render_job(job, done=False), "orderCancelUserErrors": []}}

    def _land(self, order: Order, job: str) -> None:
        self.landed.add(job)
        if not order.cancelled:
            order.cancelled = stamp()
            for line in order.lines:
                line.current = 0
            self._touch(order, "orders/cancelled")

    def _ReadCancelJob(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        return {"node": render_job(variables["id"], done=variables["id"] in self.landed)}

    def _BeginEdit(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        order = self._find(variables)
        number = gid("CalculatedOrder", next(self._numbers))
        self._edits[number] = (order.id, {})
        lines = [
            {"id": gid("CalculatedLineItem", line.id), "sku": line.sku, "quantity": line.current}
            | {"editableQuantity": line.current}
            for line in order.lines
        ]
        calculated = {"id": number, "lineItems": {"nodes": lines, "pageInfo": {"hasNextPage": False}}}
        return {"orderEditBegin": {"calculatedOrder": calculated, "userErrors": []}}

    def _SetQuantity(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        line_id = int(variables["lineItemId"].rpartition("/")[2])
        self._edits[variables["id"]][1][line_id] = variables["quantity"]
        return {"orderEditSetQuantity": {"calculatedOrder": {"id": variables["id"]}, "userErrors": []}}

    def _CommitEdit(self, variables: dict[str, Any]) -> Any:  # noqa: N802 - named as the operation is
        order_id, quantities = self._edits[variables["id"]]
        order = self.orders[order_id]
        for line in order.lines:
            line.current = quantities.get(line.id, line.current)
        self._edited.add(order_id)
        self._touch(order)
        return {"orderEditCommit": {"order": {"id": gid("Order", order_id)}, "userErrors": []}}


def gid(kind: str, number: int) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def render_job(job: str, *, done: bool) -> dict[str, Any]:
    """A cancel job."""
    return {"id": job, "done": done, "status": "COMPLETED" if done else "STARTED", "errors": []}


_PAGE = {"hasNextPage": False, "endCursor": None}


def render_order(order: Order) -> dict[str, Any]:
    """Every field that any of the product's documents asks for."""
    address = {"name": "A", "address1": "1", "address2": "", "city": "C", "province": "P", "zip": "1"}
    address |= {"country": "India", "phone": "1"}
    place = {"assignedLocation": {"location": {"id": gid("Location", 1)}}}
    parcel = {"id": gid("FulfillmentOrder", order.id), "status": "OPEN", "supportedActions": [{"action": "HOLD"}]}
    return {
        "id": gid("Order", order.id),
        "name": f"#{order.id}",
        "tags": list(order.tags),
        "createdAt": order.created,
        "updatedAt": order.updated,
        "cancelledAt": order.cancelled,
        "displayFulfillmentStatus": "UNFULFILLED",
        "merchantEditable": True,
        "merchantEditableErrors": [],
        "customAttributes": [{"key": "return_order_code", "value": order.return_code}],
        "returns": {"nodes": []},
        "fulfillmentOrders": {"nodes": [{**parcel, **place, "fulfillmentHolds": []}], "pageInfo": _PAGE},
        "lineItems": {"nodes": [_render_line(line) for line in order.lines], "pageInfo": _PAGE},
        "email": "a@example.com",
        "phone": "1",
        "paymentGatewayNames": ["manual"],
        "shippingAddress": address,
        "billingAddress": address,
    }


def _render_line(line: Line) -> dict[str, Any]:
    money = {"shopMoney": {"amount": "10.00"}}
    return {
        "id": gid("LineItem", line.id),
        "sku": line.sku,
        "quantity": line.quantity,
        "currentQuantity": line.current,
        "unfulfilledQuantity": line.current,
        "customAttributes": [{"key": "return_item_code", "value": line.unit}],
        "originalUnitPriceSet": money,
        "discountedUnitPriceAfterAllDiscountsSet": money,
    }


def render_payload(order: Order) -> dict[str, Any]:
    """The order as a webhook tells it."""
    lines = [
        {
            "id": line.id,
            "sku": line.sku,
            "variant_id": line.id + 1,
            "quantity": line.quantity,
            "current_quantity": line.current,
            "fulfillable_quantity": line.current,
            "properties": [{"name": "return_item_code", "value": line.unit}],
        }
        for line in order.lines
    ]
    return {
        "id": order.id,
        "name": f"#{order.id}",
        "tags": ", ".join(order.tags),
        "created_at": order.created,
        "updated_at": order.updated,
        "cancelled_at": order.cancelled,
        "fulfillment_status": None,
        "note_attributes": [{"name": "return_order_code", "value": order.return_code}],
        "line_items": lines,
    }
