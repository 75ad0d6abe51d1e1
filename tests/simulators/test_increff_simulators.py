"""The Increff stand-ins over real sockets: each rule of the reference has a test that can fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from simulators.faults import Faults
from simulators.journal import readable
from simulators.oms import OmsSimulator, RefusalError
from simulators.partner import PartnerSimulator, request_headers
from simulators.rms import RmsSimulator
from simulators.rms_bodies import return_order_body
from simulators.serving import Served, serve


class Echo:
    """A tiny application that counts what it did and echoes the body."""

    def __init__(self) -> None:
        self.done = 0
        self.peers: set[str] = set()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.done += 1
        self.peers.add(environ["REMOTE_PORT"])
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"echo:", body]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def faulty(echo: Echo, faults: Faults) -> Iterator[Served]:
    with serve(faults.wrap(echo)) as served:
        yield served


def test_connections_are_kept_alive(faulty: Served, echo: Echo) -> None:
    with requests.Session() as session:
        bodies = [session.post(faulty.url + "/a", data=f"{n}" * 1000).text for n in range(5)]
    assert bodies == ["echo:" + f"{n}" * 1000 for n in range(5)]
    assert len(echo.peers) == 1


def test_chunked_bodies_and_head(faulty: Served) -> None:
    with requests.Session() as session:
        assert session.post(faulty.url, data=iter([b"ab", b"cd"])).text == "echo:abcd"
        assert session.head(faulty.url).text == ""
        assert session.post(faulty.url, data="x").text == "echo:x"


def test_closing_a_server_ends_kept_alive_connections(echo: Echo) -> None:
    served = serve(echo)
    with requests.Session() as session:
        session.get(served.url)
        served.close()
        with pytest.raises(requests.ConnectionError):
            session.get(served.url)
    with serve(echo, port=served.port) as again:
        assert requests.get(again.url).status_code == 200


def test_status_fault_answers_without_doing(faulty: Served, faults: Faults, echo: Echo) -> None:
    faults.add(
        {"match": "POST /a", "kind": "status", "status": 429, "body": {"a": 1}, "headers": {"X": "y"}, "times": 1}
    )
    first, other, second = (requests.post(faulty.url + path) for path in ("/a", "/b", "/a"))
    assert (first.status_code, first.json(), first.headers["X"]) == (429, {"a": 1}, "y")
    assert (other.status_code, second.status_code, echo.done) == (200, 200, 2)


def test_lost_answer_was_done_and_dropped_call_was_not(faulty: Served, faults: Faults, echo: Echo) -> None:
    for kind, done in (("lose_answer", 1), ("drop", 1)):
        faults.add({"match": "", "kind": kind, "times": 1})
        with pytest.raises(requests.ConnectionError):
            requests.post(faulty.url, data="x")
        assert echo.done == done
    assert requests.post(faulty.url, data="x").text == "echo:x"


def test_delay_waits_and_then_does(faulty: Served, faults: Faults) -> None:
    faults.add({"match": "/slow", "kind": "delay", "seconds": 0.3})
    started = time.monotonic()
    assert requests.post(faulty.url + "/slow", data="x").text == "echo:x"
    assert time.monotonic() - started >= 0.3
    assert [fault["hits"] for fault in faults.listing()] == [1]
    faults.clear()
    assert faults.listing() == []


def test_a_name_may_read_the_body(echo: Echo, faults: Faults) -> None:
    faults.add({"match": "orderCancel", "kind": "status", "status": 500})
    with serve(faults.wrap(echo, name_of=lambda environ: environ["wsgi.input"].read().decode())) as served:
        assert requests.post(served.url, data="mutation orderCancel").status_code == 500
        assert requests.post(served.url, data="query orders").text == "echo:query orders"


def test_bad_faults_are_refused(faults: Faults) -> None:
    for bad in ({"kind": "explode"}, {"kinds": "drop"}, {"status": 9}):
        with pytest.raises(ValueError):
            faults.add(bad)


# Increff OMS

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
        yield oms, client
        client.session.close()


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


# Returns at OMS


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


# What OMS and RMS send to the bridge


@pytest.fixture
def bridge() -> Iterator[tuple[BridgeDouble, Served]]:
    double = BridgeDouble()
    with serve(double) as served:
        yield double, served


class BridgeDouble:
    """Stands where Returnbridge stands: keeps what came, answers what it was told."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any, dict[str, str]]] = []
        self.answers: list[tuple[str, bytes]] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        raw = environ["wsgi.input"].read()
        name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        self.taken.append((name, readable(raw), request_headers(environ)))
        status, body = self.answers.pop(0) if self.answers else ("200 OK", b"")
        start_response(status, [("Content-Type", "application/json")])
        return [body]

    def bodies(self) -> list[Any]:
        return [body for _, body, _ in self.taken]


def test_a_seller_cancellation_counts_only_when_agreed(
    oms: OmsSimulator, client: Client, bridge: tuple[BridgeDouble, Served]
) -> None:
    double, served = bridge
    oms.connect("shop", "secret", bridge_url=served.url)
    given(client, "POST", "/orders/outward", outward())
    double.answers = [("200 OK", b'{"hasError":true,"errorMessage":"no"}'), ("503 Busy", b"")]
    assert oms.seller_cancel("1001", {"L1": 1}) == (200, {"hasError": True, "errorMessage": "no"})
    assert (oms.seller_cancel("1001", {"L1": 1})[0], seen(oms)["cancelled"]) == (503, {})
    double.answers = [("503 Busy", b""), ("200 OK", b'{"hasError":false,"errorMessage":null}')]
    assert oms.seller_cancel("1001", {"L1": 1}, attempts=2)[0] == 200
    assert seen(oms)["cancelled"] == {"L1": 1}
    name, body, headers = double.taken[-1]
    assert name == "PUT /oms/seller-cancellations"
    assert body["orderItems"][0]["cancelledQuantity"] == 1
    assert (headers["Authusername"], headers["Authpassword"]) == ("shop", "secret")


def test_oms_acknowledges_a_return(oms: OmsSimulator, client: Client, bridge: tuple[BridgeDouble, Served]) -> None:
    double, served = bridge
    oms.connect("shop", "secret", bridge_url=served.url)
    given(client, "POST", "/return/return-orders", expectation())
    oms.acknowledge_return("RET-1", [{"itemCode": "RET-1-1", "sku": "SKU-1", "status": "PASS"}])
    name, body, _ = double.taken[0]
    assert (name, body["locationCode"], body["forwardOrderCode"]) == ("PUT /oms/return-acknowledgements", "W1", "1001")
    assert body["orderItems"][0] == {
        "itemCode": "RET-1-1",
        "channelSkuCode": "SKU-1",
        "qcStatus": "PASS",
        "qcReason": None,
        "imageUrls": None,
    }


ITEMS = [{"itemCode": "I1", "sku": "S1", "reason": "Size"}]


@pytest.fixture
def rms(bridge: tuple[BridgeDouble, Served]) -> RmsSimulator:
    return RmsSimulator(bridge[1].url, "shop", "secret", "acme")


def test_rms_pushes_a_return_with_all_sections(rms: RmsSimulator, bridge: tuple[BridgeDouble, Served]) -> None:
    assert rms.push_return("RET-1", "1001", ITEMS, locationCode="W9", without=["regionType"]) == (200, None)
    name, body, headers = bridge[0].taken[0]
    assert (name, body["locationCode"], headers["Authdomainname"]) == ("POST /rms/return-orders", "W9", "acme")
    assert {"shipmentDimension", "dropAddress", "pickupAddress", "orderDetails", "awbNumber"} <= set(body)
    assert "regionType" not in body
    assert body["orderItems"][0] | {"itemCode": "I1", "channelSkuCode": "S1", "reason": "Size"} == body["orderItems"][0]
    assert rms.calls[0]["status"] == 200


def test_what_rms_pushes_is_a_valid_create_return_order(rms: RmsSimulator, client: Client) -> None:
    rms.bridge.connect("user", "pass", url=client.url)
    rms.push_return("RET-1", "1001", ITEMS)
    given(client, "POST", "/return/return-orders", rms.calls[0]["body"])


def test_rms_notifies_and_judges(rms: RmsSimulator, bridge: tuple[BridgeDouble, Served]) -> None:
    rms.notify("RET-1", "1001", "PICKED_UP", ITEMS, awb="AWB7")
    rms.notify(None, "1001", "DELIVERED", awb="FWD1")
    fail = {"itemCode": "I1", "sku": "S1", "status": "FAIL", "reason": "STAIN_DAMAGE", "imageUrls": ["https://x/1.jpg"]}
    rms.send_verdict("RET-1", "1001", [fail], method="PUT")
    back, forward, verdict = bridge[0].bodies()
    assert (back["returnOrderInfo"]["returnAwb"], back["items"][0]["itemId"]) == ("AWB7", "I1")
    assert (forward["returnOrderInfo"], forward["items"], forward["forwardAwb"]) == (None, None, "FWD1")
    assert bridge[0].taken[2][0] == "PUT /rms/returns-processing-updates"
    assert verdict["orderItems"][0]["qcReason"] == "STAIN_DAMAGE"
    assert rms.returns()["RET-1"]["verdicts"] == {"I1": {"status": "FAIL", "reason": "STAIN_DAMAGE"}}
    assert rms.returns()["RET-1"]["statuses"] == ["PICKED_UP"]


def test_rms_loses_doubles_delays_and_reorders(rms: RmsSimulator, bridge: tuple[BridgeDouble, Served]) -> None:
    rms.lose_next()
    assert rms.notify("A", "1", "LOST", ITEMS)[0] == 0
    rms.double_next()
    rms.notify("B", "1", "RTO", ITEMS)
    assert [body["returnOrderInfo"]["returnOrderId"] for body in bridge[0].bodies()] == ["B", "B"]
    bridge[0].taken.clear()
    rms.hold_back()
    for code in "CDE":
        rms.notify(code, "1", "RTO", ITEMS)
    assert bridge[0].taken == []
    assert [status for status, _ in rms.let_go("reverse")] == [200] * 3
    assert [body["returnOrderInfo"]["returnOrderId"] for body in bridge[0].bodies()] == ["E", "D", "C"]
    rms.delay_next(0.2)
    started = time.monotonic()
    rms.notify("F", "1", "RTO", ITEMS)
    assert time.monotonic() - started >= 0.2


def test_rms_repeats_only_when_told(bridge: tuple[BridgeDouble, Served]) -> None:
    double, served = bridge
    double.answers = [("503 Busy", b"")] * 3
    assert RmsSimulator(served.url, "u", "p").notify("A", "1", "RTO", ITEMS)[0] == 503
    assert RmsSimulator(served.url, "u", "p", retry=True).notify("A", "1", "RTO", ITEMS)[0] == 200
    assert len(double.taken) == 4
    down = RmsSimulator("http://127.0.0.1:9", "u", "p")
    assert down.notify("A", "1", "RTO", ITEMS)[0] == 0


def test_rms_sends_raw_bytes(rms: RmsSimulator, bridge: tuple[BridgeDouble, Served]) -> None:
    rms.send_raw("POST", "/rms/notifications", b"{not json", {"authUsername": "x"})
    name, body, headers = bridge[0].taken[0]
    assert (name, body, headers.get("Authpassword")) == ("POST /rms/notifications", "{not json", None)
    with serve(rms.wsgi) as page:
        assert requests.get(page.url + "/calls").json()[0]["body"] == "{not json"


def test_the_partner_remembers_every_post() -> None:
    partner = PartnerSimulator()
    with serve(partner.wsgi) as served:
        partner.faults.add({"match": "/qc", "kind": "status", "status": 503, "times": 1})
        statuses = [
            requests.post(served.url + "/qc", json={"a": 1}, headers={"Idempotency-Key": "k"}).status_code
            for _ in range(2)
        ]
        assert (statuses, requests.get(served.url).status_code) == ([503, 200], 405)
    assert [(entry["path"], entry["body"]) for entry in partner.received] == [("/qc", {"a": 1})]
    assert partner.received[0]["headers"]["Idempotency-Key"] == "k"
    partner.reset()
    assert partner.received == []
