"""One OMS under test, spoken to as the product speaks to it: its headers, its bodies, its reading of answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from core.clock import render_time, utc_now
from core.domain.orders import Address, ForwardLine, ForwardOrder
from core.http import Answer, HttpDoor, raise_for_answer, read_retry_after
from core.registry import Done, Job, Registry
from core.settings import OmsSettings
from oms_bridge.client import OmsClient, make_headers, says_absent
from oms_bridge.deliveries import READ_FORWARD_ORDER, CreateOrder
from oms_bridge.return_deliveries import ExpectReturn

PATIENCE = 30.0  # OMS takes orders in asynchronously (Increff's ERP guide)
PAUSE = 1.0
MINUTE = 60.0  # the span of OMS's limit of calls
ADDRESS = Address(
    *("Contract Check", "1 Test Road", "", "Bengaluru", "Karnataka", "560076", "India"), "qa@example.com", "9999999999"
)
T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """Where the OMS is and what may be named there."""

    url: str
    username: str
    password: str = field(repr=False)
    domain: str | None
    location: str
    skus: tuple[str, str]
    foreign: bool  # somebody's own system, not the simulator

    def as_settings(self, **changes: Any) -> OmsSettings:
        """The `oms` section a merchant would save."""
        given = {
            "base_url": self.url,
            "auth_username": self.username,
            "auth_password": self.password,
            "auth_domain": self.domain,
        }
        return OmsSettings.model_validate({**given, **changes})


class Kit(OmsClient):
    """Calls the target. Every code it makes begins with the run's id, so that runs never meet."""

    def __init__(self, target: Target):
        self.target = target
        self.run = f"RB{secrets.token_hex(4)}"
        self.door = HttpDoor(("0.0.0.0/0", "::/0"))  # whoever runs the kit chose the address
        self._count = 0

    def call(
        self, shop_id: int, method: str, path: str, body: Any = None, params: Any = None, *, looking: bool = False
    ) -> Answer:
        """As `OmsClient.call`, with the target's settings."""
        answer = self.send(method, path, body, params=params)
        if not (looking and says_absent(answer)):
            raise_for_answer(answer, "OMS")
        return answer

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, params: Any = None
    ) -> Answer:
        """One call whatever its answer; with the product's headers unless others are given. Waits out a 429."""
        chosen = make_headers(self.target.as_settings()) if headers is None else headers
        while True:
            answer = self.door.send(method, self.target.url + path, headers=chosen, json_body=body, params=params)
            if answer.status != 429 or not self.target.foreign:
                return answer
            time.sleep(read_retry_after(answer) or MINUTE)

    def make_code(self, kind: str) -> str:
        """A code nobody has used."""
        self._count += 1
        return f"{self.run}-{kind}{self._count}"

    def order(self, *lines: ForwardLine, on_hold: bool = True, **changes: Any) -> Order:
        """An order not created yet; two lines unless others are given."""
        chosen = lines or (self.line(0, 2), self.line(1, 1))
        forward = ForwardOrder(utc_now(), False, None, ADDRESS, ADDRESS, chosen)
        return Order(self, self.make_code("O"), forward, on_hold, changes)

    def line(self, sku: int, quantity: int, price: float = 499.0) -> ForwardLine:
        """A line of one of the two SKUs, with a line id of its own."""
        self._count += 1
        number = int(self.run[2:], 16) * 1000 + self._count
        return ForwardLine(number, self.target.skus[sku], quantity, price, 0.0)


class Order:
    """One order of a check, with what the product would remember of it."""

    def __init__(self, kit: Kit, code: str, forward: ForwardOrder, on_hold: bool, changes: dict[str, Any]):
        self.kit, self.code, self.forward = kit, code, forward
        self.location = kit.target.location
        self.start, self.dispatch_by = utc_now(), utc_now() + timedelta(hours=24)
        self.skus = {str(line.id): line.sku for line in forward.lines}
        self.lines = [str(line.id) for line in forward.lines]
        self.head = {
            "orderCode": code,
            "orderType": "SO",
            "onHold": on_hold,
            "dispatchByTime": render_time(self.dispatch_by),
            "startProcessingTime": render_time(self.start),
            **changes,
        }

    def create(self) -> Done:
        """As the effect `oms.create_order` does: "already exists" is adopted after a look."""
        return self._deliverer().send(make_job("oms.create_order"), self._request())

    def look(self) -> Any:
        """As the effect does after an unclear outcome: Done or Absent."""
        return self._deliverer().look(make_job("oms.create_order"), self._request())

    def read_lines(self) -> dict[str, tuple[int, int]]:
        """Ordered and cancelled quantity by line, as `GET /search/order` tells."""
        params = {"orderCode": self.code, "locationCode": self.location}
        found = self.kit.call(1, "GET", "/search/order", params=params).read_json()
        items = found.get("orderItems") or found.get("items")
        return {
            str(one["orderItemCode"]): (int(one["orderedQuantity"]), int(one["cancelledQuantity"])) for one in items
        }

    def put(self, body: dict[str, Any], tail: str = "") -> Answer:
        """`PUT /orders/{orderCode}` or what lies below it."""
        return self.kit.call(1, "PUT", f"/orders/{self.code}{tail}", body)

    def _deliverer(self) -> CreateOrder:
        registry = Registry()
        registry.readers[READ_FORWARD_ORDER] = lambda *_: self.forward
        return CreateOrder(SimpleNamespace(registry=registry), self.kit)  # type: ignore[arg-type] # all it asks for

    def _request(self) -> dict[str, Any]:
        return {"head": self.head, "skus": self.skus, "locations": {}, "default_location": self.location}


def expect(kit: Kit, body: dict[str, Any]) -> Done:
    """As the effect `oms.expect_return` does."""
    return ExpectReturn(SimpleNamespace(), kit).send(make_job("oms.expect_return"), body)  # type: ignore[arg-type] # unused


def look_for_return(kit: Kit, body: dict[str, Any]) -> Any:
    """As that effect does after an unclear outcome: Done or Absent."""
    return ExpectReturn(SimpleNamespace(), kit).look(make_job("oms.expect_return"), body)  # type: ignore[arg-type] # unused


def make_job(kind: str) -> Job:
    """An effect's job; OMS sees nothing of it."""
    return Job(1, 1, kind, "1", "key", {}, {}, {}, 1)


def wait_for(kit: Kit, read: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What `read` gives once it holds; on somebody's own system after some patience."""
    end = time.monotonic() + (PATIENCE if kit.target.foreign else 2)
    while True:
        found = read()
        if holds(found) or time.monotonic() > end:
            return found
        time.sleep(PAUSE if kit.target.foreign else 0.05)
