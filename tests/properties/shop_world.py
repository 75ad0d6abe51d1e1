"""A Shopify of one order: as small as the rules allow, executing the documents we really send."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shopify_app import queries
from tests.properties.ground import Clock

ORDER_ID = 5001
REPLACEMENT, HOLD = "increff_exchange", "increff_hold"
US, STAFF = "us", "staff"
_JOB = "gid://shopify/OrderCancelJobResult/1"
_JOB_SECONDS = 1.0


@dataclass
class Line:
    """One line item. `codes`: the units its property names."""

    id: int
    sku: str
    quantity: int
    current: int
    codes: tuple[str, ...] = ()
    shipped: int = 0


@dataclass(frozen=True)
class Act:
    """A change that took place: who made it, what it was."""

    who: str
    what: str  # lift | hold | ask_cancel | cancel | cut | fulfil
    detail: dict[int, int] = field(default_factory=dict)


class Shopify:
    """The order, the webhooks it has caused, and everything that was done to it."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self.tags: list[str] = []
        self.lines: list[Line] = []
        self.cancelled_at: str | None = None
        self.created_at = self.updated_at = ""
        self.ours = False  # our fulfillment hold
        self.job: dict[str, Any] | None = None
        self.acts: list[Act] = []
        self.webhooks: list[tuple[str, bytes]] = []
        self.broken: list[str] = []  # laws that a call of ours broke
        self.refusing = False  # the next cancel or edit is answered with userErrors

    # What the customer and staff do.

    def create(self, tags: list[str], lines: list[Line], codes: str) -> None:
        """The replacement order comes in."""
        self.tags, self.lines, self._codes = tags, lines, codes
        self.created_at = self._stamp()
        self._changed("orders/create")

    def edit_tags(self, who: str, add: list[str], remove: list[str]) -> None:
        """Tags are changed. Known is whether that lifts or restores the hold."""
        before = HOLD in self.tags
        tags = [tag for tag in [*self.tags, *(one for one in add if one not in self.tags)] if tag not in remove]
        if tags == self.tags:
            return
        self.tags = tags
        if before != (HOLD in tags):
            self.acts.append(Act(who, "lift" if before else "hold"))
        self._changed("orders/updated")

    def cancel(self, who: str) -> None:
        """The whole order is cancelled."""
        if self.cancelled_at or self.fulfilled:
            return
        self.cancelled_at = self._stamp()
        for line in self.lines:
            line.current = 0
        self.acts.append(Act(who, "cancel"))
        self._changed("orders/cancelled")

    def reduce(self, who: str, line: Line, quantity: int) -> None:
        """An order edit lowers a line."""
        if self.cancelled_at or quantity >= line.current or quantity < line.shipped:
            return
        line.current = quantity
        self.acts.append(Act(who, "cut", {line.id: quantity}))
        self._changed("orders/updated")

    def fulfil(self) -> None:
        """Staff send everything that is left."""
        if self.cancelled_at or self.fulfilled or not any(line.current for line in self.lines):
            return
        for line in self.lines:
            line.shipped = line.current
        self.acts.append(Act(STAFF, "fulfil"))
        self._changed("orders/updated")

    @property
    def fulfilled(self) -> bool:
        """Something has left the house."""
        return any(line.shipped for line in self.lines)

    @property
    def held(self) -> bool:
        """By its tag."""
        return HOLD in self.tags

    def held_by_tags(self, release_tag: str | None) -> bool:
        """As the merchant's rules read the tags."""
        return self.held and (release_tag is None or release_tag not in self.tags)

    def _stamp(self) -> str:
        return datetime.fromtimestamp(int(self._clock.now), UTC).isoformat().replace("+00:00", "Z")

    def _changed(self, topic: str) -> None:
        self.updated_at = self._stamp()
        self.webhooks.append((topic, json.dumps(self._payload()).encode()))

    def _payload(self) -> dict[str, Any]:
        return {
            "id": ORDER_ID,
            "name": "#5001",
            "tags": ", ".join(self.tags),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "cancelled_at": self.cancelled_at,
            "fulfillment_status": "fulfilled" if self.fulfilled else None,
            "note_attributes": [{"name": "return_order_code", "value": self._codes}],
            "line_items": [
                {
                    "id": line.id,
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "current_quantity": line.current,
                    "fulfillable_quantity": line.current - line.shipped,
                    "properties": [{"name": "return_item_code", "value": ",".join(line.codes)}],
                }
                for line in self.lines
            ],
        }

    # What we ask over GraphQL.

    def answer(self, _method: str, _path: str, body: Any, _headers: dict[str, str]) -> tuple[int, Any]:
        """Execute a document."""
        self.follow_job()
        return 200, {"data": _DOCUMENTS[body["query"]](self, body["variables"])}

    def follow_job(self) -> None:
        """A cancel is a job: it ends a moment after it was asked for, whatever has happened since."""
        if self.job and not self.job["done"] and self._clock.now >= self.job["at"]:
            self.job["done"] = True
            failed = self.fulfilled and not self.cancelled_at
            self.job |= {"status": "FAILED" if failed else "SUCCESSFUL"}
            self.job["errors"] = [{"message": "fulfilled"}] if failed else []
            self.cancel(US)

    def _read(self, _variables: dict[str, Any]) -> dict[str, Any]:
        order = {
            "id": f"gid://shopify/Order/{ORDER_ID}",
            "name": "#5001",
            "tags": list(self.tags),
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "cancelledAt": self.cancelled_at,
            "displayFulfillmentStatus": "FULFILLED" if self.fulfilled else "UNFULFILLED",
            "customAttributes": [{"key": "return_order_code", "value": self._codes}],
            "returns": {"nodes": []},
            "merchantEditable": self.cancelled_at is None,
            "merchantEditableErrors": [],
            "email": None,
            "phone": None,
            "paymentGatewayNames": [],
            "shippingAddress": None,
            "billingAddress": None,
            "fulfillmentOrders": {"nodes": [self._fulfillment_order()], "pageInfo": {"hasNextPage": False}},
            "lineItems": {"nodes": [_line(line) for line in self.lines], "pageInfo": {"hasNextPage": False}},
        }
        return {"order": order}

    def _fulfillment_order(self) -> dict[str, Any]:
        closed = bool(self.cancelled_at) or self.fulfilled
        holds = [{"id": "gid://shopify/FulfillmentHold/1", "handle": "returnbridge", "heldByRequestingApp": True}]
        return {
            "id": "gid://shopify/FulfillmentOrder/1",
            "supportedActions": [] if self.ours or closed else [{"action": "HOLD"}],
            "fulfillmentHolds": holds if self.ours else [],
            "assignedLocation": {"location": {"id": "gid://shopify/Location/1"}},
        }

    def _swap_tags(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.edit_tags(US, variables.get("add", []), variables.get("remove", []))
        node = {"tags": list(self.tags), "updatedAt": self.updated_at}
        return {"changed": {"node": node, "userErrors": []}}

    def _cancel_order(self, _variables: dict[str, Any]) -> dict[str, Any]:
        if self.cancelled_at or (self.job and not self.job["done"]):
            self.broken.append("law 4: a cancel is asked for again without a look")
        if self._refuses() or self.cancelled_at or self.fulfilled:
            return {"orderCancel": {"jobResult": None, "orderCancelUserErrors": [{"message": "not possible"}]}}
        self.job = {"id": _JOB, "done": False, "status": "PENDING", "errors": [], "at": self._clock.now + _JOB_SECONDS}
        self.acts.append(Act(US, "ask_cancel"))
        return {"orderCancel": {"jobResult": self.job, "orderCancelUserErrors": []}}

    def _refuses(self) -> bool:
        refusing, self.refusing = self.refusing, False
        return refusing or self.ours

    def _begin_edit(self, _variables: dict[str, Any]) -> dict[str, Any]:
        errors = [{"message": "not editable"}] if self._refuses() else []
        nodes = [{**_line(line), "quantity": line.current, "editableQuantity": line.current} for line in self.lines]
        self._edit: dict[str, int] = {}
        begun = {"calculatedOrder": {"id": "edit", "lineItems": {"nodes": nodes}}, "userErrors": errors}
        return {"orderEditBegin": begun}

    def _set_quantity(self, variables: dict[str, Any]) -> dict[str, Any]:
        self._edit[variables["lineItemId"]] = variables["quantity"]
        return {"orderEditSetQuantity": {"userErrors": []}}

    def _commit(self, _variables: dict[str, Any]) -> dict[str, Any]:
        for line in self.lines:
            if _gid(line) in self._edit:
                self.reduce(US, line, self._edit[_gid(line)])
        return {"orderEditCommit": {"userErrors": []}}

    def _bind(self, held: bool) -> dict[str, Any]:
        self.ours = held
        return {name: {"userErrors": []} for name in ("fulfillmentOrderHold", "fulfillmentOrderReleaseHold")}


def _gid(line: Line) -> str:
    return f"gid://shopify/LineItem/{line.id}"


def _line(line: Line) -> dict[str, Any]:
    price = {"shopMoney": {"amount": "10.0"}}
    return {
        "id": _gid(line),
        "sku": line.sku,
        "quantity": line.quantity,
        "currentQuantity": line.current,
        "unfulfilledQuantity": line.current - line.shipped,
        "customAttributes": [{"key": "return_item_code", "value": ",".join(line.codes)}],
        "originalUnitPriceSet": price,
        "discountedUnitPriceAfterAllDiscountsSet": price,
    }


_DOCUMENTS: dict[str, Callable[[Shopify, dict[str, Any]], dict[str, Any]]] = {
    **dict.fromkeys(
        (
            queries.READ_ORDER,
            queries.READ_FORWARD_ORDER,
            queries.READ_LINES,
            queries.READ_CANCELLATION,
            queries.READ_FULFILLMENT_ORDERS,
        ),
        Shopify._read,
    ),
    **dict.fromkeys((queries.ADD_TAGS, queries.REMOVE_TAGS, queries.SWAP_TAGS), Shopify._swap_tags),
    queries.CANCEL_ORDER: Shopify._cancel_order,
    queries.READ_CANCEL_JOB: lambda shopify, _variables: {"node": shopify.job},
    queries.BEGIN_EDIT: Shopify._begin_edit,
    queries.SET_QUANTITY: Shopify._set_quantity,
    queries.COMMIT_EDIT: Shopify._commit,
    queries.HOLD_FULFILLMENT_ORDER: lambda shopify, _variables: shopify._bind(True),
    queries.RELEASE_FULFILLMENT_ORDER: lambda shopify, _variables: shopify._bind(False),
}
