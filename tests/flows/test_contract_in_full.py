"""The contract with RMS and OMS where the other stories do not touch it: what is told is whole, newest, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from core.clock import parse_time
from oms_bridge import webhooks as oms_doors
from tests.flows.stage import Stage

TIMES = ("returnOrderTime", "expectedDate", "orderDetails.invoiceTime")


def list_leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Path -> value of everything that is no object, list or null; moments as such."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {at: one for key, inner in pairs for at, one in list_leaves(inner, f"{path}.{key}".strip(".")).items()}
    return {} if value is None else {path: parse_time(value) if path in TIMES else value}


def told_returns(stage: Stage) -> list[dict[str, Any]]:
    """The expectations OMS was sent."""
    return [one["body"] for one in stage.sandbox.oms.calls if one["path"] == "/return/return-orders"]


def test_an_expectation_is_rendered_without_loss(stage: Stage) -> None:
    """All sections of the body, as they came: OMS gets each field once, and none that was not given."""
    stage.push_return({"A": "S", "B": "S"})
    stage.settle()
    (came,) = (one["body"] for one in stage.sandbox.rms.calls if one["path"] == "/rms/return-orders")
    (told,) = told_returns(stage)
    assert len(list_leaves(came)) > 60
    assert list_leaves(told) == list_leaves(came)


def test_missing_sizes_of_a_parcel_are_sent_as_their_defaults(stage: Stage) -> None:
    stage.push_return({"A": "S"}, shipmentDimension={"height": 3.5})
    stage.settle()
    (told,) = told_returns(stage)
    assert told["shipmentDimension"] == {"breadth": 1, "height": 3.5, "length": 1, "weight": 200}
    assert stage.sandbox.oms.return_order("RET-1") is not None


def test_long_text_is_shortened_visibly_and_only_on_its_way_to_increff(stage: Stage) -> None:
    long = "It does not fit, " * 40
    stage.push_return({"A": "S"}, returnReason=long)
    stage.settle()
    (told,) = told_returns(stage)
    assert len(told["returnReason"]) == 255
    assert told["returnReason"].endswith("…")
    assert long.startswith(told["returnReason"][:-1])


def test_only_the_newest_status_is_told_once_oms_is_back(stage: Stage) -> None:
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.oms.faults.add({"match": "POST /return/update-return-order", "status": 503, "times": 1})
    for kind in ("OUT_FOR_PICKUP", "RETURN_PICKED_UP", "IN_TRANSIT"):
        stage.sandbox.rms.notify("RET-1", "108", kind, [{"itemId": "A", "sku": "S", "quantity": 1}])
    stage.settle(40)
    updates = [one for one in stage.sandbox.oms.calls if one["path"] == "/return/update-return-order"]
    assert updates[-1]["body"]["returnOrderStatus"] == "IN_TRANSIT"
    assert [one.state for one in stage.effects("oms.update_return")].count("done") < 3
    assert stage.sandbox.oms.return_order("RET-1")["status"] == "IN_TRANSIT"


def test_an_unknown_status_is_kept_shown_and_forwarded_and_moves_nothing(stage: Stage) -> None:
    url = stage.sandbox.partner_url + "/tracking"
    stage.configure({"partners": [{"name": "p", "kind": "generic", "url": url, "headers": {}, "events": ["tracking"]}]})
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.rms.notify("RET-1", "108", "DRONE_LANDED", [{"itemId": "A", "sku": "S", "quantity": 1}])
    stage.settle()
    (event,) = stage.events("notification")
    assert event.outcome in ("ignored", "handled")
    (mail,) = stage.sandbox.partner.received
    assert mail["body"]["notificationType"] == "DRONE_LANDED"
    assert stage.sandbox.oms.return_order("RET-1")["status"] == "RETURN_CREATED"


def test_a_seller_cancellation_that_takes_too_long_is_answered_in_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody works here, so it cannot be finished: OMS is asked to repeat, and the repeat finds it done."""
    order = stage.new_order([{"sku": "NEW-A", "quantity": 2}])
    stage.settle()
    line = stage.shopify_order(order)["lines"][0]
    item = {"channelSkuCode": "NEW-A", "orderItemCode": str(line["id"]), "cancelledQuantity": 1}
    body = {"orderCode": str(order["id"]), "orderItems": [item]}
    headers = {"authUsername": stage.credential.username, "authPassword": stage.credential.password}
    url = f"{stage.url}/oms/seller-cancellations"
    monkeypatch.setattr(oms_doors, "ANSWER_SECONDS", 0.3)
    late = requests.put(url, json=body, headers=headers, timeout=10)
    assert (late.status_code, late.json()["hasError"]) == (503, True)
    assert "repeat" in late.json()["errorMessage"]
    stage.settle()
    assert stage.shopify_order(order)["lines"][0]["current_quantity"] == 1


def test_one_sku_at_two_prices_is_refused_by_oms_and_its_words_are_shown(stage: Stage) -> None:
    stage.new_order([{"sku": "SAME", "price": "100.00"}, {"sku": "SAME", "price": "200.00"}])
    stage.settle()
    (task,) = stage.effects("oms.create_order")
    assert task.state == "parked"
    assert "SAME occurs twice" in (task.reason or "")
