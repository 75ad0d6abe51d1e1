"""The forward orders OMS knows, and its rules about holding and cancelling them (reference §§3.1–3.4)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from simulators.oms.checks import check_fields, repeated
from simulators.oms.forms import CANCELLATION, ORDER_PROPERTIES, OUTWARD_ORDER
from simulators.oms.refusal import RefusalError, refuse_if

Json = dict[str, Any]
INVOICED = ("INVOICED", "DISPATCHED", "DELIVERED")


@dataclass
class Line:
    code: str
    sku: str
    ordered: int
    cancelled: int = 0
    cancelled_by_seller: int = 0


@dataclass
class Order:
    code: str
    location: str | None
    on_hold: bool
    body: Json
    lines: dict[str, Line]
    status: str = "CREATED"
    properties: Json = field(default_factory=dict)

    def settle_status(self) -> None:
        if all(line.cancelled == line.ordered for line in self.lines.values()):
            self.status = "CANCELLED"

    def view(self) -> Json:
        """The plain picture for tests and pages. `cancelled` names only lines with something cancelled."""
        return {
            "code": self.code,
            "location": self.location,
            "on_hold": self.on_hold,
            "status": self.status,
            "cancelled": {line.code: line.cancelled for line in self.lines.values() if line.cancelled},
            "items": [vars(line).copy() for line in self.lines.values()],
            "properties": dict(self.properties),
            "body": self.body,
        }

    def searched(self, *, shows_hold: bool) -> Json:
        """The answer of `GET /search/order` (reference §3.4), whose page does not say that it shows the hold."""
        answer = self._searched()
        return answer if shows_hold else {key: value for key, value in answer.items() if key != "onHold"}

    def _searched(self) -> Json:
        return {
            "orderCode": self.code,
            "locationCode": self.location,
            "orderStatus": self.status,
            "onHold": self.on_hold,
            "orderItems": [
                {
                    "orderItemCode": line.code,
                    "channelSkuCode": line.sku,
                    "orderedQuantity": line.ordered,
                    "cancelledQuantity": line.cancelled,
                }
                for line in self.lines.values()
            ],
        }


class Orders:
    def __init__(self, lock: threading.RLock, effects: Counter[str], defined_attributes: Collection[str]) -> None:
        self._lock = lock
        self._effects = effects
        self._defined = frozenset(defined_attributes)
        # By code, then by location.
        self._orders: dict[str, dict[str | None, Order]] = {}

    def create(self, body: Json) -> None:
        refuse_if(check_fields(body, OUTWARD_ORDER) + _location_faults(body))
        items = body["orderItems"]
        refuse_if(_line_faults(items) + _tax_faults(body))
        order = Order(
            code=body["orderCode"],
            location=body.get("locationCode"),
            on_hold=body["onHold"],
            body=body,
            lines={i["orderItemCode"]: Line(i["orderItemCode"], i["channelSkuCode"], i["quantity"]) for i in items},
            status="FAILED" if self._has_undefined_attributes(body) else "CREATED",
        )
        self._keep(order)

    def _keep(self, order: Order) -> None:
        with self._lock:
            # Reference §3.1: unique by location and channel order id.
            of_code = self._orders.setdefault(order.code, {})
            if order.location in of_code:
                raise RefusalError(
                    f"orderCode: order {order.code} already exists for location {order.location}",
                    message="Order already exists",
                )
            of_code[order.location] = order
            self._effects["orders_created"] += 1

    def update(self, code: str, body: Json) -> None:
        refuse_if(check_fields(body, ORDER_PROPERTIES))
        if body.get("orderStatus") == "DELIVERED" and not body.get("deliveredAt"):
            raise RefusalError("deliveredAt: may not be null")
        with self._lock:
            order = self.find(code, body.get("locationCode"))
            # Reference §9 no. 8: an order can be put on hold only when it is created.
            if body["onHold"] and not order.on_hold:
                raise RefusalError(f"onHold: order {code} can be updated to false only")
            if order.on_hold and not body["onHold"]:
                order.on_hold = False
                self._effects["holds_released"] += 1
            order.properties.update(body)
            if body.get("orderStatus") == "DELIVERED":
                order.status = "DELIVERED"

    def cancel(self, code: str, body: Json) -> None:
        refuse_if(check_fields(body, CANCELLATION))
        items = body["orderItems"]
        refuse_if(
            f"orderItems: channelSkuCode {sku} occurs twice" for sku in repeated(i["channelSkuCode"] for i in items)
        )
        with self._lock:
            order = self.find(code, body.get("locationCode"))
            # Reference §3.3: nothing after invoicing.
            if order.status in INVOICED:
                raise RefusalError(f"orderCode: order {code} is already invoiced and cannot be cancelled")
            refuse_if(fault for index, item in enumerate(items) for fault in _cancel_faults(order, item, index))
            for item in items:
                line = order.lines[item["orderItemCode"]]
                self._effects["units_cancelled"] += item["cancelledQuantity"] - line.cancelled
                line.cancelled = item["cancelledQuantity"]
            order.settle_status()

    def cancel_by_seller(self, code: str, totals: dict[str, int]) -> None:
        with self._lock:
            order = self.find(code)
            for line_code, total in totals.items():
                line = order.lines[line_code]
                line.cancelled_by_seller += max(0, total - line.cancelled)
                line.cancelled = max(line.cancelled, total)
            order.settle_status()

    def pick_and_invoice(self, code: str, location: str | None = None) -> Json:
        """The warehouse's step. Held orders are never picked (reference §3.1)."""
        with self._lock:
            order = self.find(code, location)
            if order.on_hold or order.status != "CREATED":
                why = "on hold" if order.on_hold else order.status
                raise RefusalError(f"order {code} is {why}", message="Not processable", status=409)
            order.status = "INVOICED"
            self._effects["orders_invoiced"] += 1
            return order.view()

    def dispatch(self, code: str, location: str | None = None) -> Json:
        with self._lock:
            order = self.find(code, location)
            if order.status != "INVOICED":
                raise RefusalError(
                    f"order {code} is {order.status}, not INVOICED", message="Not processable", status=409
                )
            order.status = "DISPATCHED"
            self._effects["orders_dispatched"] += 1
            return order.view()

    def find(self, code: str, location: str | None = None) -> Order:
        """Without a location the code alone must be unambiguous."""
        with self._lock:
            found = [order for order in self.of_code(code) if location in (None, order.location)]
        if len(found) == 1:
            return found[0]
        fault = "locationCode: may not be null, the code exists in several locations"
        raise RefusalError(fault if found else f"orderCode: order {code} does not exist", message="Order not found")

    def of_code(self, code: str) -> list[Order]:
        with self._lock:
            return list(self._orders.get(code, {}).values())

    def views(self, code: str | None = None) -> list[Json]:
        """All orders, or those of one code."""
        with self._lock:
            codes = list(self._orders) if code is None else [code]
            return [order.view() for each in codes for order in self.of_code(each)]

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()

    def _has_undefined_attributes(self, body: Json) -> bool:
        """Reference §3.1: keys not defined in the OMS UI send the order to FAILED, after a 200."""
        given = [body.get("orderCustomAttributes"), *(i.get("orderItemCustomAttributes") for i in body["orderItems"])]
        return any(
            key not in self._defined
            for attributes in given
            for key, value in (attributes or {}).items()
            if value is not None
        )


def _location_faults(body: Json) -> list[str]:
    """Reference §3.1: a location unless OMS splits the order, and then none."""
    splits, location = body.get("isSplitRequired") is True, body.get("locationCode")
    if splits and location is not None:
        return ["locationCode: must be null when isSplitRequired"]
    return [] if splits or location else ["locationCode: may not be null"]


def _line_faults(items: list[Json]) -> list[str]:
    """Reference §3.1: a SKU once per order, a line code once per order."""
    return [
        f"orderItems: {name} {value} occurs twice"
        for name in ("channelSkuCode", "orderItemCode")
        for value in repeated(item[name] for item in items)
    ]


def _tax_faults(body: Json) -> list[str]:
    """Reference §3.1: taxes for all SKUs or for none."""
    forms = body.get("taxBreakupForms") or []
    taxed = {form["channelSkuId"] for form in forms}
    missing = [item["channelSkuCode"] for item in body["orderItems"] if item["channelSkuCode"] not in taxed]
    return [f"taxBreakupForms: nothing for {', '.join(missing)}"] if forms and missing else []


def _cancel_faults(order: Order, item: Json, index: int) -> list[str]:
    """Reference §3.3: absolute totals, so never above what was ordered and never below what was cancelled before."""
    path = f"orderItems[{index}]"
    line = order.lines.get(item["orderItemCode"])
    if line is None:
        return [f"{path}.orderItemCode: unknown item {item['orderItemCode']}"]
    if line.sku != item["channelSkuCode"]:
        return [f"{path}.channelSkuCode: item {line.code} has SKU {line.sku}"]
    total = item["cancelledQuantity"]
    if total > line.ordered:
        return [f"{path}.cancelledQuantity: {total} is more than the ordered {line.ordered}"]
    return (
        [f"{path}.cancelledQuantity: {total} is less than the {line.cancelled} cancelled"]
        if total < line.cancelled
        else []
    )
