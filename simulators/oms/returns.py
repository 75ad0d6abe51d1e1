"""The return expectations OMS holds (reference §§2.1, 2.8, 2.10)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from simulators.oms.checks import Field, check_fields
from simulators.oms.forms import ADDED_ITEMS, RETURN_SEARCH, RETURN_UPDATE, return_order
from simulators.oms.refusal import RefusalError, refuse_if

Json = dict[str, Any]
# What a second create with the same returnOrderCode does is not public (reference §6), so it is a switch.
DUPLICATES = ("error", "accept", "double")


@dataclass
class Return:
    code: str
    forward: str
    location: str
    awb: str | None
    transporter: str | None
    items: list[Json]
    body: Json
    statuses: list[str] = field(default_factory=list)
    expected: str | None = None
    received: bool = False

    def view(self) -> Json:
        return {
            "code": self.code,
            "forward_order_code": self.forward,
            "location": self.location,
            "awb": self.awb,
            "transporter": self.transporter,
            "items": [dict(item) for item in self.items],
            "status": self.statuses[-1] if self.statuses else None,
            "statuses": list(self.statuses),
            "received": self.received,
            "body": self.body,
        }

    def searched(self) -> Json:
        """One element of the answer of `POST /return/get/awb` (reference §2.8)."""
        return {
            "orderCode": self.forward,
            "returnOrderCode": self.code,
            "trackingCode": self.awb,
            "transporter": self.transporter,
            "locationCode": self.location,
            "returnOrderType": self.body.get("orderType"),
            "returnLineItems": [dict(item) for item in self.items],
            "channelReturnOrderStatus": self.statuses[-1] if self.statuses else None,
            "omniReturnOrderStatus": "COMPLETED" if self.received else "CREATED",
            "expectedDate": self.expected,
            "isSyncedToOms": True,
        }


def _from_body(body: Json) -> Return:
    items = [
        {
            "channelReturnItemCode": item["itemCode"],
            "subOrderCode": None,
            "channelSkuCode": item["channelSkuCode"],
            "reasonForReturn": item["reason"],
            "price": item.get("price"),
        }
        for item in body["orderItems"]
    ]
    status = body.get("returnOrderStatus")
    return Return(
        code=body["returnOrderCode"],
        forward=body["forwardOrderCode"],
        location=body["locationCode"],
        awb=body.get("awbNumber"),
        transporter=body.get("transporter"),
        items=items,
        body=body,
        statuses=[status] if status else [],
        expected=body.get("expectedDate"),
    )


@dataclass(frozen=True)
class ReturnRules:
    """How this OMS account is set up."""

    fetches_awb: bool = False
    aggregator: str = "SHIPROCKET"
    courier_fields: Collection[str] = ()
    duplicate: str = "error"
    needs_forward_order: bool = False

    def __post_init__(self) -> None:
        if self.duplicate not in DUPLICATES:
            raise ValueError(f"duplicate_return: one of {', '.join(DUPLICATES)}")


def _make_form(rules: ReturnRules) -> tuple[Field, ...]:
    return return_order(rules.fetches_awb, rules.aggregator, rules.courier_fields)


class Returns:
    def __init__(
        self, lock: threading.RLock, effects: Counter[str], rules: ReturnRules, has_order: Callable[[str], bool]
    ) -> None:
        self._lock = lock
        self._effects = effects
        self._rules = rules
        self._has_order = has_order
        self._form = _make_form(rules)
        self._returns: dict[str, list[Return]] = {}

    def change_rules(self, **changes: Any) -> None:
        """Other rules from now on; what was taken before stays."""
        self._rules = replace(self._rules, **changes)
        self._form = _make_form(self._rules)

    def create(self, body: Json) -> None:
        refuse_if(check_fields(body, self._form) or _cod_faults(body))
        if self._rules.needs_forward_order and not self._has_order(body["forwardOrderCode"]):
            raise RefusalError(
                f"forwardOrderCode: order {body['forwardOrderCode']} does not exist", message="Order not found"
            )
        with self._lock:
            if self._known(body["returnOrderCode"]) and not self._doubles(body["returnOrderCode"]):
                return
            made = _from_body(body)
            if self._rules.fetches_awb and not made.awb:
                made.awb, made.transporter = f"AWB{len(self._returns) + 1:06d}", self._rules.aggregator
            self._returns.setdefault(made.code, []).append(made)
            self._effects["returns_created"] += 1

    def _doubles(self, code: str) -> bool:
        if self._rules.duplicate == "error":
            raise RefusalError(
                f"returnOrderCode: return order {code} already exists", message="Return order already exists"
            )
        return self._rules.duplicate == "double"

    def update(self, body: Json) -> None:
        refuse_if(check_fields(body, RETURN_UPDATE))
        with self._lock:
            found = self.find(body["returnOrderCode"], body["locationCode"])
            # Reference §2.8: the tracking number is `trackingCode` here; an `awbNumber` is an unknown field.
            found.awb = body.get("trackingCode") or found.awb
            found.transporter = body.get("transporter") or found.transporter
            found.expected = body.get("expectedDate") or found.expected
            if body.get("returnOrderStatus"):
                found.statuses.append(body["returnOrderStatus"])
            self._effects["returns_updated"] += 1

    def add_items(self, body: Json) -> None:
        refuse_if(check_fields(body, ADDED_ITEMS))
        with self._lock:
            found = self.find(body["returnOrderCode"], body["locationCode"])
            if found.forward != body["orderCode"]:
                raise RefusalError(f"orderCode: return {found.code} belongs to order {found.forward}")
            # Reference §2.8: only until the shipment is received in the warehouse.
            if found.received:
                raise RefusalError(f"returnOrderCode: return {found.code} is already received")
            known = {item["channelReturnItemCode"] for item in found.items}
            added = body["returnLineItems"]
            refuse_if(
                f"returnLineItems: item {item['channelReturnItemCode']} already exists"
                for item in added
                if item["channelReturnItemCode"] in known
            )
            found.items += [dict(item) for item in added]
            self._effects["return_items_added"] += len(added)

    def search(self, body: Json) -> Json:
        refuse_if(check_fields(body, RETURN_SEARCH))
        wanted = (body["awbNumber"], body["transporter"])
        with self._lock:
            found = [r.searched() for r in self._all() if (r.awb, r.transporter) == wanted]
        return {"returnOrderDetailsList": found}

    def receive(self, code: str) -> Json:
        """The parcel reached the warehouse."""
        with self._lock:
            found = self.find(code)
            found.received = True
            return found.view()

    def find(self, code: str, location: str | None = None) -> Return:
        found = [r for r in self._known(code) if location in (None, r.location)]
        if not found:
            raise RefusalError(f"returnOrderCode: return order {code} does not exist", message="Return order not found")
        return found[0]

    def views(self, code: str | None = None) -> list[Json]:
        """All returns, or those of one code."""
        with self._lock:
            return [r.view() for r in (self._all() if code is None else self._known(code))]

    def clear(self) -> None:
        with self._lock:
            self._returns.clear()

    def _known(self, code: str) -> list[Return]:
        with self._lock:
            return list(self._returns.get(code, ()))

    def _all(self) -> list[Return]:
        return [r for same_code in self._returns.values() for r in same_code]


def _cod_faults(body: Json) -> list[str]:
    details = body.get("orderDetails") or {}
    if details.get("isCod") and details["codValue"] <= 0:
        return ["orderDetails.codValue: must be greater than 0 when isCod"]
    return []
