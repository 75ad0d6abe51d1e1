"""The OMS stand-in over real sockets: each rule about returns has a test that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from increff_cases import (
    PLACE,
    Client,
    expectation,
    given,
    oms_and_client,
    outward,
    without,
)

from simulators.oms import OmsSimulator
from simulators.rms_bodies import return_order_body


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


@pytest.mark.parametrize(
    "name", [*(n for n in expectation() if n != "orderType"), "itemCode", "reason", "channelSkuCode"]
)
def test_mandatory_return_fields(oms: OmsSimulator, client: Client, name: str) -> None:
    body = expectation()
    body = without(body, name) if name in body else body | {"orderItems": [without(body["orderItems"][0], name)]}
    assert client.refusal("POST", "/return/return-orders", body).endswith(f"{name}: may not be null]")
    assert oms.returns() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"orderType": "RTO"}, "orderType: must be one of SELF_SHIP, CUSTOMER_RETURN, RETURN_TO_ORIGIN"),
        ({"regionType": "EU"}, "regionType: must be one of INDIAN, INTERNATIONAL"),
        ({"returnOrderTime": "2020-10-16T20:22:28Z"}, "returnOrderTime: must have the format"),
        ({"expectedDate": 1602859948}, "expectedDate: must have the format"),
        ({"dropAddress": without(PLACE, "zip")}, "dropAddress.zip: may not be null"),
        ({"shipmentDimension": {"length": 1, "height": 1, "breadth": 1}}, "shipmentDimension.weight: may not be null"),
        ({"orderDetails": {"codValue": 0, "invoiceValue": 1, "isCod": True}}, "codValue: must be greater than 0"),
        ({"orderDetails": {"codValue": 1, "isCod": False}}, "orderDetails.invoiceValue: may not be null"),
        ({"transporter": "x" * 256}, "transporter: must be at most 255"),
    ],
)
def test_bad_returns_are_refused(client: Client, changes: dict[str, Any], said: str) -> None:
    assert said in client.refusal("POST", "/return/return-orders", expectation(**changes))


def test_starred_fields_are_mandatory_when_increff_fetches_the_awb() -> None:
    bare = without(without(expectation(), "awbNumber"), "transporter")
    with oms_and_client(fetches_awb=True, aggregator="CLICKPOST", courier_fields=["brand"]) as (oms, client):
        said = client.refusal("POST", "/return/return-orders", bare)
        for name in ("currencyCode", "regionType", "sellerGstin", "returnReason", "shipmentDimension", "dropAddress"):
            assert f"{name}: may not be null" in said
        for name in (
            "pickupAddress",
            "orderDetails",
            "orderItems[0].name",
            "orderItems[0].brand",
            "orderItems[0].price",
        ):
            assert f"{name}: may not be null" in said
        assert "consigneeGstin" not in said
        full = return_order_body("RET-1", "1001", [{"itemCode": "I1", "sku": "S"}], ("awbNumber", "transporter"))
        given(client, "POST", "/return/return-orders", full)
        assert oms.returns()[0]["awb"] == "AWB000001"


@pytest.mark.parametrize(("kind", "status", "made"), [("error", 400, 1), ("accept", 200, 1), ("double", 200, 2)])
def test_a_second_return_of_the_same_code(kind: str, status: int, made: int) -> None:
    with oms_and_client(duplicate_return=kind) as (oms, client):
        given(client, "POST", "/return/return-orders", expectation())
        second = client.call("POST", "/return/return-orders", expectation())
        assert (second.status_code, len(oms.returns()), oms.effects["returns_created"]) == (status, made, made)
        assert ("already exists" in second.text) == (kind == "error")


def test_a_forward_order_may_be_needed(client: Client) -> None:
    given(client, "POST", "/return/return-orders", expectation())
    with oms_and_client(needs_forward_order=True) as (_, strict):
        assert "1001 does not exist" in strict.refusal("POST", "/return/return-orders", expectation())
        given(strict, "POST", "/orders/outward", outward())
        given(strict, "POST", "/return/return-orders", expectation())


def test_a_return_is_updated_by_tracking_code(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/return/return-orders", expectation())
    path, known = "/return/update-return-order", {"returnOrderCode": "RET-1", "locationCode": "W1"}
    given(client, "POST", path, known | {"awbNumber": "IGNORED", "returnOrderStatus": "PICKED_UP"})
    assert (oms.returns()[0]["awb"], oms.returns()[0]["status"]) == ("AWB1", "PICKED_UP")
    given(client, "POST", path, known | {"trackingCode": "AWB2", "returnOrderStatus": "DELIVERED"})
    found = oms.return_order("RET-1")
    assert found is not None
    assert (found["awb"], found["statuses"]) == ("AWB2", ["PICKED_UP", "DELIVERED"])
    for name in known:
        assert f"{name}: may not be null" in client.refusal("POST", path, without(known, name))
    assert "does not exist" in client.refusal("POST", path, known | {"returnOrderCode": "RET-9"})
    assert "format" in client.refusal("POST", path, known | {"expectedDate": "tomorrow"})


def test_items_are_added_until_the_parcel_is_received(oms: OmsSimulator, client: Client) -> None:
    given(client, "POST", "/return/return-orders", expectation())
    added = {"channelReturnItemCode": "RET-1-2", "channelSkuCode": "SKU-2"}
    body = {"orderCode": "1001", "returnOrderCode": "RET-1", "locationCode": "W1", "returnLineItems": [added]}
    given(client, "PUT", "/return/update-return-order/item", body)
    assert len(oms.returns()[0]["items"]) == 2
    assert "already exists" in client.refusal("PUT", "/return/update-return-order/item", body)
    oms.receive_return("RET-1")
    assert "already received" in client.refusal("PUT", "/return/update-return-order/item", body)


def test_returns_are_found_by_awb_and_transporter(client: Client) -> None:
    given(client, "POST", "/return/return-orders", expectation(returnOrderStatus="RETURN_CREATED"))

    def search(**body: str) -> Any:
        return client.call("POST", "/return/get/awb", body).json()["returnOrderDetailsList"]

    found = search(awbNumber="AWB1", transporter="Delhivery")
    assert [entry["returnOrderCode"] for entry in found] == ["RET-1"]
    assert (found[0]["trackingCode"], found[0]["channelReturnOrderStatus"]) == ("AWB1", "RETURN_CREATED")
    assert found[0]["returnLineItems"][0]["channelReturnItemCode"] == "RET-1-1"
    assert search(awbNumber="AWB9", transporter="Delhivery") == []
    assert "transporter: may not be null" in client.refusal("POST", "/return/get/awb", {"awbNumber": "AWB1"})


def test_the_journal_shows_lost_answers_and_reset_forgets(oms: OmsSimulator, client: Client) -> None:
    oms.faults.add({"match": "POST /orders/outward", "kind": "lose_answer", "times": 1})
    with pytest.raises(requests.ConnectionError):
        client.call("POST", "/orders/outward", outward())
    client.call("POST", "/orders/outward", outward())
    assert [(call["path"], call["status"]) for call in oms.calls] == [
        ("/orders/outward", None),
        ("/orders/outward", 400),
    ]
    assert (oms.calls[0]["body"]["orderCode"], oms.effects) == ("1001", {"orders_created": 1})
    oms.reset()
    assert (oms.calls, oms.effects, oms.orders()) == ([], {}, [])
