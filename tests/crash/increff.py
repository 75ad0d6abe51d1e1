"""An OMS and a partner that count: each create makes another order, each expectation another return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.crash.mischief import THROTTLED
from tests.crash.wire import Request

Said = tuple[int, Any]


@dataclass
class OmsOrder:
    """All orders that were ever made under one code, as one."""

    made: int
    on_hold: bool
    ordered: dict[str, int]
    cancelled: dict[str, int] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)  # hold, unhold, cancel, in order


@dataclass
class OmsReturn:
    """All expectations that were ever made under one code, as one."""

    made: int
    awb: str
    status: str | None


class Oms:
    """Believes every word and refuses no repeat; but a freed order of an odd code it does not hold again, as real OMS.

    What comes before its time is written down as out of order.
    """

    throttled = THROTTLED

    def __init__(self) -> None:
        self.orders: dict[str, OmsOrder] = {}
        self.returns: dict[str, OmsReturn] = {}
        self.out_of_order: list[str] = []
        self.calls = 0

    def is_read(self, request: Request) -> bool:
        return request.path in ("/oms/search/order", "/oms/return/get/awb")

    def name_call(self, request: Request) -> str:
        """By the last part of its path; a change of one order's hold, whose path ends with the order, is `oms.hold`."""
        act = request.path.rpartition("/")[2]
        return "oms.hold" if act.isdecimal() else f"oms.{act}"

    def execute(self, request: Request) -> Said:
        self.calls += 1
        path = request.path.removeprefix("/oms")
        if path == "/orders/outward":
            return self._create(request.json())
        if path == "/search/order":
            return self._search(request.query["orderCode"])
        if path == "/return/return-orders":
            return self._expect(request.json())
        if path == "/return/get/awb":
            return self._find_awb(request.json()["awbNumber"])
        if path == "/return/update-return-order":
            return self._update(request.json())
        code, _, act = path.removeprefix("/orders/").partition("/")
        return self._cancel(code, request.json()) if act == "cancel" else self._hold(code, request.json())

    def _create(self, body: dict[str, Any]) -> Said:
        code = body["orderCode"]
        ordered = {one["orderItemCode"]: one["quantity"] for one in body["orderItems"]}
        if not ordered:
            return 400, {"message": "orderItems: required"}
        known = self.orders.setdefault(code, OmsOrder(0, body["onHold"], ordered))
        known.made += 1
        known.on_hold = body["onHold"]
        return 200, {}

    def _search(self, code: str) -> Said:
        known = self.orders.get(code)
        if known is None:
            return 404, {"message": "no order of this code"}
        items = [
            {"orderItemCode": line, "orderedQuantity": quantity, "cancelledQuantity": known.cancelled.get(line, 0)}
            for line, quantity in known.ordered.items()
        ]
        return 200, {"orderCode": code, "onHold": known.on_hold, "orderItems": items}

    def _hold(self, code: str, body: dict[str, Any]) -> Said:
        known = self.orders.get(code)
        if known is None:
            self.out_of_order.append(f"hold of order {code} before its creation")
            return 400, {"message": "no order of this code"}
        if body["onHold"] and not known.on_hold and int(code) % 2:
            return 400, {"message": f"onHold: order {code} can be updated to false only"}
        known.on_hold = body["onHold"]
        known.heard.append("hold" if known.on_hold else "unhold")
        return 200, {}

    def _cancel(self, code: str, body: dict[str, Any]) -> Said:
        known = self.orders.get(code)
        if known is None:
            self.out_of_order.append(f"cancel of order {code} before its creation")
            return 400, {"message": "no order of this code"}
        known.cancelled |= {one["orderItemCode"]: one["cancelledQuantity"] for one in body["orderItems"]}
        known.heard.append("cancel")
        return 200, {}

    def _expect(self, body: dict[str, Any]) -> Said:
        code = body["returnOrderCode"]
        known = self.returns.setdefault(code, OmsReturn(0, body["awbNumber"], body.get("returnOrderStatus")))
        known.made += 1
        return 200, {}

    def _find_awb(self, awb: str) -> Said:
        found = [{"returnOrderCode": code} for code, one in self.returns.items() if one.awb == awb]
        return (200, {"returnOrderDetailsList": found}) if found else (404, {"message": "no return of this AWB"})

    def _update(self, body: dict[str, Any]) -> Said:
        known = self.returns.get(body["returnOrderCode"])
        if known is None:
            self.out_of_order.append(f"update of return {body['returnOrderCode']} before its expectation")
            return 400, {"message": "no return of this code"}
        known.status = body.get("returnOrderStatus")
        return 200, {}


class Partner:
    """Keeps what it gets by `Idempotency-Key`; the same key again is the same message."""

    throttled = THROTTLED

    def __init__(self) -> None:
        self.messages: dict[str, list[str]] = {}  # the message's own mark -> keys it came under
        self.repeats = 0

    def execute(self, request: Request) -> Said:
        body = request.json()
        mark = body.get("mark") or f"qc:{body['returnOrderCode']}"
        keys = self.messages.setdefault(mark, [])
        key = request.headers["idempotency-key"]
        self.repeats += key in keys
        if key not in keys:
            keys.append(key)
        return 200, {}
