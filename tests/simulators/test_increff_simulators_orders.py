"""The OMS stand-in over real sockets: each rule about forward orders has a test that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from increff_cases import (
    PLACE,
    Client,
    cancellation,
    given,
    line,
    oms_and_client,
    outward,
    properties,
    seen,
    without,
)

from simulators.oms import OmsSimulator, RefusalError


@pytest.fixture
def pair() -> Iterator[tuple[OmsSimulator, Client]]:
    with oms_and_client() as both:
        yield both


@pytest.fixture
def oms(pair: tuple[OmsSimulator, Client]) -> OmsSimulator:
    return pair[0]


@pytest.fixture
def client(pair: tuple[OmsSimulator, Client]) -> Client:
    return pair[1]


def test_an_order_is_created_and_shown(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward(somethingNew={"any": 1}))
    order = seen(oms)
    assert (order["on_hold"], order["cancelled"], order["status"]) == (True, {}, "CREATED")
    assert [item["code"] for item in order["items"]] == ["L1", "L2"]
    assert order["body"]["orderCode"] == "1001"
    assert oms.effects == {"orders_created": 1}
    assert oms.order("other") is None


@pytest.mark.parametrize("sent", [{}, {"authUsername": "user"}, {"authUsername": "user", "authPassword": "wrong"}])
def test_wrong_credentials_are_401(oms: OmsSimulator, client: Client, sent: dict[str, str]) -> None:
    answer = requests.post(client.url + "/orders/outward", json=outward(), headers=sent)
    assert (answer.status_code, answer.json()["code"], oms.orders()) == (401, "UNAUTHORIZED", [])


def test_a_domain_is_needed_only_when_configured() -> None:
    with oms_and_client(domain="acme") as (_, client):
        assert client.call("POST", "/orders/outward", outward()).status_code == 401
        client.session.headers["authDomainName"] = "acme"
        given(client, "POST", "/orders/outward", outward())


def test_200_calls_a_minute_over_all_endpoints() -> None:
    now = [1000.0]
    with oms_and_client(clock=lambda: now[0]) as (oms, client):
        for _ in range(100):
            client.call("GET", "/search/order?orderCode=1&locationCode=W1")
            client.call("POST", "/return/get/awb", {"awbNumber": "A", "transporter": "T"})
        now[0] += 59.9
        refused = client.call("POST", "/orders/outward", outward())
        assert (refused.status_code, refused.headers.get("Retry-After"), oms.orders()) == (429, None, [])
        now[0] += 0.2
        given(client, "POST", "/orders/outward", outward())
        oms.budget.calls_per_minute, oms.retry_after = 1, 7
        assert client.call("GET", "/search/order").headers["Retry-After"] == "7"


def test_every_missing_field_is_named(client: Client) -> None:
    text = client.refusal(
        "POST", "/orders/outward", outward(orderItems=[without(line(), "channelSkuCode")], onHold=None)
    )
    assert text == "[onHold: may not be null, orderItems[0].channelSkuCode: may not be null]"


@pytest.mark.parametrize("name", [*(name for name in outward()), *(f"orderItems.{name}" for name in line())])
def test_each_mandatory_order_field(client: Client, name: str) -> None:
    item, _, inner = name.partition(".")
    body = outward(orderItems=[without(line(), inner)]) if inner else without(outward(), item)
    assert client.refusal("POST", "/orders/outward", body).endswith(f"{inner or item}: may not be null]")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"orderCode": "x" * 256}, "orderCode: must be at most 255"),
        ({"shippingAddress": PLACE | {"line1": "x" * 256}}, "shippingAddress.line1: must be at most 255"),
        ({"orderTime": "2024-02-13T09:45:00Z"}, "orderTime: must have the format"),
        ({"orderTime": "2024-02-13T09:45:00.000"}, "orderTime: must have the format"),
        ({"dispatchByTime": "2024-02-30T09:45:00.000+00:00"}, "dispatchByTime: must have the format"),
        ({"startProcessingTime": 1700000000}, "startProcessingTime: must have the format"),
        ({"orderType": "GIFT"}, "orderType: must be one of"),
        ({"qcStatus": "OK"}, "qcStatus: must be one of"),
        ({"paymentMethod": "CARD"}, "paymentMethod: must be one of"),
        ({"onHold": "true"}, "onHold: must be true or false"),
        ({"orderItems": [line(quantity=0)]}, "orderItems[0].quantity: must be greater than 0"),
        ({"orderItems": [line(), line("L2")]}, "channelSkuCode SKU-1 occurs twice"),
        ({"orderItems": [line(), line("L1", "SKU-2")]}, "orderItemCode L1 occurs twice"),
        ({"isSplitRequired": True}, "locationCode: must be null"),
        ({"orderItems": [line(str(n), str(n)) for n in range(2501)]}, "orderItems: must have at most 2500"),
    ],
)
def test_bad_orders_are_refused(oms: OmsSimulator, client: Client, changes: dict[str, Any], said: str) -> None:
    assert said in client.refusal("POST", "/orders/outward", outward(**changes))
    assert oms.orders() == []


def test_bodies_that_are_not_json_objects(client: Client) -> None:
    def post(data: bytes, kind: str = "application/json") -> int:
        return client.session.post(
            client.url + "/orders/outward", data=data, headers={"Content-Type": kind}
        ).status_code

    assert [post(b"{"), post(b"[]"), post(b'{"a": NaN}'), post(b"{}", "text/plain")] == [400, 400, 400, 415]
    assert client.call("GET", "/orders/nowhere/at/all").status_code == 404


def test_an_order_code_is_unique_by_location(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    assert "already exists" in client.refusal("POST", "/orders/outward", outward())
    given(client, "POST", "/orders/outward", outward(locationCode="W2"))
    assert oms.effects["orders_created"] == 2
    assert "several locations" in client.refusal("PUT", "/orders/1001", properties(False))
    given(client, "PUT", "/orders/1001", properties(False, locationCode="W2"))
    assert [order["on_hold"] for order in oms.orders()] == [True, False]


def test_undefined_custom_attributes_fail_the_order_after_a_200(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward(orderCustomAttributes={"attribute1": "x"}))
    assert seen(oms)["status"] == "FAILED"
    with oms_and_client(defined_attributes=["attribute1"]) as (other, second):
        given(second, "POST", "/orders/outward", outward(orderCustomAttributes={"attribute1": "x"}))
        assert seen(other)["status"] == "CREATED"


def test_a_hold_only_at_creation(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    given(client, "PUT", "/orders/1001", properties(True))
    given(client, "PUT", "/orders/1001", properties(False))
    given(client, "PUT", "/orders/1001", properties(False))
    assert "false only" in client.refusal("PUT", "/orders/1001", properties(True))
    assert (seen(oms)["on_hold"], oms.effects["holds_released"]) == (False, 1)
    given(client, "POST", "/orders/outward", outward("1002", on_hold=False))
    assert "false only" in client.refusal("PUT", "/orders/1002", properties(True))


@pytest.mark.parametrize("name", ["onHold", "dispatchByTime", "startProcessingTime"])
def test_mandatory_order_properties(client: Client, name: str) -> None:
    given(client, "POST", "/orders/outward", outward())
    assert client.refusal("PUT", "/orders/1001", without(properties(False), name)) == f"[{name}: may not be null]"


def test_delivered_needs_its_time_and_unknown_orders_are_refused(client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    assert "deliveredAt" in client.refusal("PUT", "/orders/1001", properties(False, orderStatus="DELIVERED"))
    assert "does not exist" in client.refusal("PUT", "/orders/9", properties(False))
    assert "does not exist" in client.refusal("PUT", "/orders/9/cancel", cancellation(1))


def test_cancelled_quantities_are_absolute_totals(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    for total in (1, 1, 2):
        given(client, "PUT", "/orders/1001/cancel", cancellation(total))
    assert "less than the 2" in client.refusal("PUT", "/orders/1001/cancel", cancellation(1))
    assert "more than the ordered 2" in client.refusal("PUT", "/orders/1001/cancel", cancellation(3))
    assert (seen(oms)["cancelled"], oms.effects["units_cancelled"], seen(oms)["status"]) == ({"L1": 2}, 2, "CREATED")
    given(client, "PUT", "/orders/1001/cancel", cancellation(1, "L2", "SKU-2"))
    assert seen(oms)["status"] == "CANCELLED"


def test_bad_cancellations_change_nothing(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    for body, said in (
        (cancellation(1, "L9"), "unknown item L9"),
        (cancellation(1, "L1", "SKU-2"), "item L1 has SKU SKU-1"),
        (cancellation(-1), "must not be negative"),
        ({"orderItems": []}, "orderItems: may not be null"),
        ({"orderItems": cancellation(1)["orderItems"] * 2}, "SKU-1 occurs twice"),
        ({"orderItems": cancellation(1)["orderItems"] + cancellation(9, "L2", "SKU-2")["orderItems"]}, "more than"),
    ):
        assert said in client.refusal("PUT", "/orders/1001/cancel", body)
    assert seen(oms)["cancelled"] == {}


def test_held_orders_are_not_picked_and_invoiced_ones_not_cancelled(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    with pytest.raises(RefusalError, match="on hold"):
        oms.pick_and_invoice("1001")
    given(client, "PUT", "/orders/1001", properties(False))
    with pytest.raises(RefusalError, match="not INVOICED"):
        oms.dispatch("1001")
    assert oms.pick_and_invoice("1001")["status"] == "INVOICED"
    assert "invoiced" in client.refusal("PUT", "/orders/1001/cancel", cancellation(1))
    assert oms.dispatch("1001")["status"] == "DISPATCHED"


def test_an_order_can_be_searched(client: Client) -> None:
    given(client, "POST", "/orders/outward", outward())
    given(client, "PUT", "/orders/1001/cancel", cancellation(1))
    found = client.call("GET", "/search/order?orderCode=1001&locationCode=W1").json()
    assert (found["orderStatus"], found["onHold"]) == ("CREATED", True)
    assert found["orderItems"][0] == {
        "orderItemCode": "L1",
        "channelSkuCode": "SKU-1",
        "orderedQuantity": 2,
        "cancelledQuantity": 1,
    }
    assert client.refusal("GET", "/search/order?orderCode=1001", None) == "[locationCode: may not be null]"
    assert "does not exist" in client.refusal("GET", "/search/order?orderCode=9&locationCode=W1", None)
