"""An OMS of one order and its return, and the partners: they count, and refuse what the real ones refuse."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

_REFUSED = 400


class Oms:
    """What OMS has taken. `on_unhold` is called before an order is freed, so that a law can look at the moment."""

    def __init__(self) -> None:
        self.known = self.on_hold = self.invoiced = False
        self.ordered: dict[str, int] = {}
        self.cancelled: dict[str, int] = {}
        self.returns: set[str] = set()
        self.heard: list[str] = []
        self.broken: list[str] = []  # laws that a call of ours broke
        self.on_unhold: Callable[[], None] = lambda: None

    def answer(self, method: str, path: str, body: Any, _headers: dict[str, str]) -> tuple[int, Any]:
        """One call."""
        if path == "/orders/outward":
            return self._create(body)
        if path == "/search/order":
            return (200, self._show()) if self.known else (_REFUSED, {"message": "no such order"})
        if path.endswith("/cancel"):
            return self._cancel({one["orderItemCode"]: one["cancelledQuantity"] for one in body["orderItems"]})
        if path.startswith("/orders/"):
            return self._hold(body["onHold"])
        if path == "/return/get/awb":
            found = [{"returnOrderCode": code} for code in sorted(self.returns)]
            return 200, {"returnOrderDetailsList": found}
        if path == "/return/return-orders":
            return self._expect(body["returnOrderCode"])
        assert path == "/return/update-return-order", (method, path)
        return (200, {}) if body["returnOrderCode"] in self.returns else (_REFUSED, {"message": "no such return"})

    def _create(self, body: Any) -> tuple[int, Any]:
        if self.known:
            return _REFUSED, {"message": "Order already exists"}
        self.known, self.on_hold = True, body["onHold"]
        self.ordered = {one["orderItemCode"]: one["quantity"] for one in body["orderItems"]}
        self.cancelled = dict.fromkeys(self.ordered, 0)
        return 200, {}

    def _show(self) -> Any:
        items = [
            {"orderItemCode": code, "orderedQuantity": count, "cancelledQuantity": self.cancelled[code]}
            for code, count in self.ordered.items()
        ]
        return {"onHold": self.on_hold, "orderItems": items}

    def _hold(self, on_hold: bool) -> tuple[int, Any]:
        if not self.known or (on_hold and not self.on_hold):
            return _REFUSED, {"message": "can be updated to false only"}
        if self.on_hold and not on_hold:
            self.on_unhold()
        self.on_hold = on_hold
        self.heard.append("hold" if on_hold else "unhold")
        return 200, {}

    def _cancel(self, totals: dict[str, int]) -> tuple[int, Any]:
        for code, total in totals.items():
            if total < self.cancelled[code]:
                self.broken.append(f"a cancelled total of line {code} fell to {total}")
            if total > self.ordered[code]:
                self.broken.append(f"more than ordered of line {code} is cancelled: {total}")
        if self.invoiced:
            return _REFUSED, {"message": "already invoiced"}
        self.cancelled |= totals
        self.heard.append("cancel")
        return 200, {}

    def _expect(self, code: str) -> tuple[int, Any]:
        if code in self.returns:
            return _REFUSED, {"message": "Return already exists"}
        self.returns.add(code)
        return 200, {}

    def invoice(self) -> None:
        """The warehouse goes ahead, which it does only with what is not on hold."""
        self.invoiced = self.invoiced or (self.known and not self.on_hold)


class Partners:
    """Which reports each partner has received, by the key that tells a repeat."""

    def __init__(self) -> None:
        self.reports: dict[str, Counter[str]] = {}

    def answer(self, _method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """A partner takes a report."""
        assert json.loads(body)
        self.reports.setdefault(path.strip("/"), Counter())[headers["Idempotency-Key"]] += 1
        return 200, {}
