"""Builders and a client for the tests of the Increff stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from simulators.oms import OmsSimulator
from simulators.serving import serve

MOMENT = "2026-01-05T10:00:00.000+05:30"
HEADERS = {"authUsername": "user", "authPassword": "pass"}
PLACE = {
    "name": "A",
    "line1": "1 Road",
    "city": "B",
    "state": "K",
    "zip": "1",
    "country": "IN",
    "email": "e",
    "phone": "9",
}


class Client:
    """Calls one OMS with the right credential."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers.update(HEADERS)

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, self.url + path, json=body)

    def refusal(self, method: str, path: str, body: Any) -> str:
        answer = self.call(method, path, body)
        assert answer.status_code == 400, answer.text
        assert set(answer.json()) == {"code", "message", "description"}
        assert answer.json()["code"] == "BAD_DATA"
        return str(answer.json()["description"])


@contextmanager
def oms_and_client(**settings: Any) -> Iterator[tuple[OmsSimulator, Client]]:
    oms = OmsSimulator("user", "pass", **settings)
    with serve(oms.wsgi) as served:
        client = Client(served.url)
        try:
            yield oms, client
        finally:
            client.session.close()


def line(code: str = "L1", sku: str = "SKU-1", quantity: int = 2, **more: Any) -> dict[str, Any]:
    return {"orderItemCode": code, "channelSkuCode": sku, "quantity": quantity, "sellingPricePerUnit": 10.0, **more}


def outward(code: str = "1001", on_hold: bool = True, **changes: Any) -> dict[str, Any]:
    body = {
        "orderCode": code,
        "locationCode": "W1",
        "orderTime": MOMENT,
        "orderType": "SO",
        "onHold": on_hold,
        "qcStatus": "PASS",
        "dispatchByTime": MOMENT,
        "startProcessingTime": MOMENT,
        "paymentMethod": "NCOD",
        "shippingAddress": PLACE,
        "billingAddress": PLACE,
        "orderItems": [line(), line("L2", "SKU-2", 1)],
    }
    return body | changes


def properties(on_hold: bool, **changes: Any) -> dict[str, Any]:
    return {"onHold": on_hold, "dispatchByTime": MOMENT, "startProcessingTime": MOMENT, **changes}


def cancellation(total: int, code: str = "L1", sku: str = "SKU-1") -> dict[str, Any]:
    return {"orderItems": [{"orderItemCode": code, "channelSkuCode": sku, "cancelledQuantity": total}]}


def expectation(code: str = "RET-1", **changes: Any) -> dict[str, Any]:
    body = {
        "forwardOrderCode": "1001",
        "returnOrderCode": code,
        "locationCode": "W1",
        "orderItems": [{"itemCode": f"{code}-1", "reason": "Size", "channelSkuCode": "SKU-1"}],
        "orderType": "CUSTOMER_RETURN",
        "awbNumber": "AWB1",
        "transporter": "Delhivery",
    }
    return body | changes


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def given(client: Client, method: str, path: str, body: Any) -> None:
    answer = client.call(method, path, body)
    assert (answer.status_code, answer.content) == (200, b""), answer.text


def seen(oms: OmsSimulator, code: str = "1001") -> dict[str, Any]:
    order = oms.order(code)
    assert order is not None
    return order
