"""Increff OMS: its books, what its warehouse does, and the calls it makes to us."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from simulators.bridge import Answer, Bridge
from simulators.faults import Faults
from simulators.journal import Journal
from simulators.oms.budget import Budget
from simulators.oms.orders import Orders
from simulators.oms.returns import ReturnRules, Returns
from simulators.oms.web import application
from simulators.rms_bodies import verdict_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Json = dict[str, Any]


class OmsSimulator:
    """One OMS account of one client. Views return plain dicts; `None` where nothing of that code exists."""

    def __init__(
        self,
        username: str,
        password: str,
        domain: str | None = None,
        calls_per_minute: int = 200,
        *,
        fetches_awb: bool = False,
        aggregator: str = "SHIPROCKET",
        courier_fields: Collection[str] = (),
        duplicate_return: str = "error",
        needs_forward_order: bool = False,
        defined_attributes: Collection[str] = (),
        retry_after: int | None = None,
        bridge_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.username, self.password, self.domain = username, password, domain
        self.retry_after, self.shows_hold = retry_after, True
        self.faults, self.budget, self.bridge = Faults(), Budget(calls_per_minute, clock), Bridge(bridge_url)
        self._journal, self._lock, self._effects = Journal(), threading.RLock(), Counter[str]()
        rules = ReturnRules(fetches_awb, aggregator, courier_fields, duplicate_return, needs_forward_order)
        self._orders = Orders(self._lock, self._effects, defined_attributes)
        self._returns = Returns(
            self._lock, self._effects, rules, has_order=lambda code: bool(self._orders.of_code(code))
        )
        self.wsgi: WSGIApplication = self._journal.wrap(self.faults.wrap(application(self).wsgi_app))

    def let_increff_fetch_awbs(self) -> None:
        """From now on a return may come without an AWB, and must then bring what a courier needs."""
        self._returns.change_rules(fetches_awb=True)

    # What OMS knows.

    def order(self, code: str, location: str | None = None) -> Json | None:
        return next((order for order in self._orders.views(code) if location in (None, order["location"])), None)

    def orders(self) -> list[Json]:
        return self._orders.views()

    def return_order(self, code: str) -> Json | None:
        return next(iter(self._returns.views(code)), None)

    def returns(self) -> list[Json]:
        return self._returns.views()

    @property
    def calls(self) -> list[Json]:
        """Every call that arrived: at, method, path, query, status (None: got no answer), body."""
        return self._journal.entries()

    @property
    def effects(self) -> dict[str, int]:
        """How often something really happened, doubles included. What never happened is not listed."""
        with self._lock:
            return dict(self._effects)

    def reset(self) -> None:
        """Forget all data and faults; accounts and settings stay."""
        with self._lock:
            self._orders.clear()
            self._returns.clear()
            self._effects.clear()
        self._journal.clear()
        self.bridge.journal.clear()
        self.faults.clear()
        self.budget.clear()

    # What the warehouse does.

    def pick_and_invoice(self, order_code: str, location: str | None = None) -> Json:
        return self._orders.pick_and_invoice(order_code, location)

    def dispatch(self, order_code: str, location: str | None = None) -> Json:
        return self._orders.dispatch(order_code, location)

    def receive_return(self, return_order_code: str) -> Json:
        return self._returns.receive(return_order_code)

    # What OMS tells us (reference §4).

    def connect(self, username: str, password: str, domain: str | None = None, bridge_url: str | None = None) -> None:
        self.bridge.connect(username, password, domain, bridge_url)

    def seller_cancel(self, order_code: str, lines: dict[str, int], attempts: int = 1, **overrides: Any) -> Answer:
        """Cancel units in the warehouse's name: absolute totals by orderItemCode. Kept only when the channel agrees."""
        order = self._orders.find(order_code)
        items = [
            {
                "channelSkuCode": order.lines[code].sku,
                "orderItemCode": code,
                "cancelledQuantity": total,
                "customerCancelledQty": order.lines[code].cancelled - order.lines[code].cancelled_by_seller,
                "sellerCancelledQty": total - order.lines[code].cancelled + order.lines[code].cancelled_by_seller,
            }
            for code, total in lines.items()
        ]
        body = {"orderCode": order_code, "locationCode": order.location, "orderItems": items, **overrides}
        status, answer = self.bridge.send("PUT", "/oms/seller-cancellations", body, attempts=attempts)
        if status == 200 and isinstance(answer, dict) and answer.get("hasError") is False:
            self._orders.cancel_by_seller(order_code, lines)
        return status, answer

    def acknowledge_return(
        self, return_order_code: str, verdicts: list[Json], method: str = "PUT", attempts: int = 1, **overrides: Any
    ) -> Answer:
        """Report QC to the channel. A verdict: itemCode, sku, status PASS or FAIL, for a FAIL reason and imageUrls."""
        found = self._returns.find(return_order_code)
        overrides = {"locationCode": found.location, **overrides}
        body = verdict_body(found.code, found.forward, verdicts, **overrides)
        return self.bridge.send(method, "/oms/return-acknowledgements", body, attempts=attempts)

    # The endpoints, by the names the application in `web` gives them.

    def handle(self, call: str, body: Json, code: str = "") -> None:
        actions: dict[str, Callable[[], None]] = {
            "create_order": lambda: self._orders.create(body),
            "update_order": lambda: self._orders.update(code, body),
            "cancel_order": lambda: self._orders.cancel(code, body),
            "create_return": lambda: self._returns.create(body),
            "update_return": lambda: self._returns.update(body),
            "add_return_items": lambda: self._returns.add_items(body),
        }
        actions[call]()

    def search_return(self, body: Json) -> Json:
        return self._returns.search(body)

    def search_order(self, order_code: str, location_code: str) -> Json:
        with self._lock:
            return self._orders.find(order_code, location_code).searched(shows_hold=self.shows_hold)
