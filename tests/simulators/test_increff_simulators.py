"""What the Increff stand-ins send to the bridge, and the partner, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from increff_cases import (
    Client,
    expectation,
    given,
    oms_and_client,
    outward,
    seen,
)

from simulators.journal import readable
from simulators.oms import OmsSimulator
from simulators.partner import PartnerSimulator, request_headers
from simulators.rms import RmsSimulator
from simulators.serving import Served, serve


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
    assert [status for status, _ in rms.let_go("lifo")] == [200] * 3
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
