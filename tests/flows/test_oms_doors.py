"""What OMS asks of us: seller cancellations and return acknowledgements; and how orders are told to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.flows.stage import Stage

TWO_LINES = [{"sku": "NEW-A", "quantity": 2}, {"sku": "NEW-B", "quantity": 1}]


def ask(stage: Stage, call: Callable[[], Any]) -> Any:
    """Make a call that waits for its answer, while the workers work."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    stage.wait_for(lambda: bool(answers), 45)
    thread.join()
    return answers[0]


def connect(stage: Stage) -> None:
    """OMS calls with the bridge credential."""
    stage.sandbox.oms.connect(stage.credential.username, stage.credential.password, bridge_url=stage.url)


def test_seller_cancellation_is_done_in_shopify_answered_and_not_told_back(stage: Stage) -> None:
    connect(stage)
    order = stage.new_order(TWO_LINES)
    stage.settle()
    line = str(stage.shopify_order(order)["lines"][0]["id"])
    answer = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {line: 1}))
    assert answer == (200, {"hasError": False, "errorMessage": None})
    stage.settle()
    assert [one["current_quantity"] for one in stage.shopify_order(order)["lines"]] == [1, 1]
    assert stage.oms_calls(order) == []


def test_seller_cancellation_of_everything_cancels_the_order(stage: Stage) -> None:
    connect(stage)
    order = stage.new_order(TWO_LINES)
    stage.settle()
    totals = {str(one["id"]): one["quantity"] for one in stage.shopify_order(order)["lines"]}
    answer = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), totals))
    assert answer[1]["hasError"] is False
    stage.settle()
    assert stage.shopify_order(order)["cancelled_at"] is not None
    assert stage.oms_calls(order) == []


def test_seller_cancellation_that_cannot_be_is_answered_with_the_reason(stage: Stage) -> None:
    connect(stage)
    order = stage.new_order(TWO_LINES)
    stage.settle()
    headers = {"authUsername": stage.credential.username, "authPassword": stage.credential.password}
    unknown = {
        "orderCode": "no-such-order",
        "orderItems": [{"channelSkuCode": "S", "orderItemCode": "1", "cancelledQuantity": 1}],
    }
    url = f"{stage.url}/oms/seller-cancellations"
    refused = ask(stage, lambda: requests.put(url, json=unknown, headers=headers, timeout=45))
    assert refused.status_code == 200
    assert refused.json()["hasError"] is True
    assert "not known" in refused.json()["errorMessage"]
    line = str(stage.shopify_order(order)["lines"][1]["id"])
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    stage.settle()
    answer = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {line: 1}))
    assert answer[1]["hasError"] is True
    assert "fulfilled" in answer[1]["errorMessage"]


def test_the_same_verdict_through_both_doors_counts_once(stage: Stage) -> None:
    connect(stage)
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.judge({"A": "PASS"})
    stage.settle()
    verdict = {"itemCode": "A", "channelSkuCode": "S", "qcStatus": "PASS", "qcReason": None, "imageUrls": None}
    for method in ("PUT", "POST"):
        answer = stage.sandbox.oms.acknowledge_return("RET-1", [verdict], method=method)
        assert answer[0] == 200
    stage.settle()
    assert {one.outcome for one in stage.events("return_acknowledgement")} == {"ignored"}
    assert len(stage.sandbox.partner.received) == 1
    assert stage.state(order)[0] == "released"


def test_an_order_oms_has_already_is_adopted(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.sandbox.oms.faults.add({"match": "POST /orders/outward", "kind": "lose_answer", "times": 1})
    stage.settle(40)
    assert stage.sandbox.oms.effects["orders_created"] == 1
    assert stage.effects("oms.create_order")[0].state == "done"
    assert stage.oms_order(order)["on_hold"]


def test_orders_of_no_concern_cost_no_call(stage: Stage) -> None:
    stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "X", "quantity": 1}], tags=["vip"])
    stage.settle()
    assert stage.sandbox.oms.calls == []
    assert stage.events("orders/create")[0].outcome == "ignored"


def test_sync_all_tells_every_order_and_sync_none_tells_none(stage: Stage) -> None:
    stage.configure({"oms": {"sync": "all"}})
    first = stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "X", "quantity": 1}], tags=["vip"])
    stage.settle()
    assert stage.oms_order(first)["on_hold"] is False
    stage.configure({"oms": {"sync": "none"}})
    second = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    assert stage.oms_order(second) is None


def test_order_code_by_name(stage: Stage) -> None:
    stage.configure({"oms": {"order_code": "name"}})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    assert stage.sandbox.oms.order(order["name"].removeprefix("#"))["on_hold"]
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.sandbox.oms.order(order["name"].removeprefix("#"))["on_hold"] is False


def test_dispatch_times_are_remembered_for_the_unhold(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.judge({"A": "PASS"})
    stage.settle()
    created = next(one for one in stage.sandbox.oms.calls if one["path"] == "/orders/outward")["body"]
    freed = next(one for one in stage.sandbox.oms.calls if one["path"] == f"/orders/{order['id']}")["body"]
    for key in ("dispatchByTime", "startProcessingTime", "locationCode"):
        assert freed[key] == created[key]


def test_one_sku_on_two_lines_is_merged_for_oms(stage: Stage) -> None:
    order = stage.new_order([{"sku": "SAME", "quantity": 1}, {"sku": "SAME", "quantity": 2}])
    stage.settle()
    assert [one["ordered"] for one in stage.oms_order(order)["items"]] == [3]
    lines = stage.shopify_order(order)["lines"]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], lines[1]["id"], 1)
    stage.settle()
    assert list(stage.oms_order(order)["cancelled"].values()) == [1]


def test_a_raised_quantity_is_a_task(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    line = stage.shopify_order(order)["lines"][0]["id"]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], line, 3)
    stage.settle()
    event = next(one for one in stage.events("orders/updated") if one.outcome == "parked")
    assert "OMS has no call" in (event.reason or "")


def tell_oms_first(stage: Stage, order: dict[str, Any], *, on_hold: bool) -> None:
    """Somebody else has told OMS of the order, before we did."""
    line = stage.shopify_order(order)["lines"][0]
    head = {"orderCode": str(order["id"]), "locationCode": "Wid234", "orderType": "SO", "onHold": on_hold}
    times = dict.fromkeys(("orderTime", "dispatchByTime", "startProcessingTime"), "2026-01-01T00:00:00.000+00:00")
    address = dict.fromkeys(("name", "line1", "city", "state", "zip", "country", "email", "phone"), "x")
    item = {"channelSkuCode": line["sku"], "orderItemCode": str(line["id"]), "quantity": 1, "sellingPricePerUnit": 1.0}
    body = {**head, **times, "qcStatus": "PASS", "paymentMethod": "NCOD", "orderItems": [item]}
    stage.sandbox.oms.handle("create_order", {**body, "shippingAddress": address, "billingAddress": address})


@pytest.mark.parametrize("shows_hold", [True, False])
@pytest.mark.parametrize("on_hold", [True, False])
def test_an_order_somebody_else_told_oms_of_is_held_there_or_a_task(
    stage: Stage, on_hold: bool, shows_hold: bool
) -> None:
    stage.sandbox.oms.shows_hold = shows_hold
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    tell_oms_first(stage, order, on_hold=on_hold)
    stage.settle()
    assert stage.effects("oms.create_order")[0].state == "done"
    asked = stage.effects("oms.hold_order")
    if on_hold:
        assert [one.state for one in asked] == ([] if shows_hold else ["done"])
    else:
        (task,) = asked
        assert task.state == "parked"
        assert "can be updated to false only" in (task.reason or "")


def test_an_order_adopted_without_its_hold_shown_is_freed_when_it_is_to_be(stage: Stage) -> None:
    stage.sandbox.oms.shows_hold = False
    stage.configure({"oms": {"sync": "all"}})
    order = stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "X", "quantity": 1}], tags=["vip"])
    tell_oms_first(stage, order, on_hold=True)
    stage.settle()
    assert stage.oms_order(order)["on_hold"] is False


def test_variant_ids_as_sku_codes(stage: Stage) -> None:
    stage.configure({"oms": {"sku": "variant_id"}})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 2, "variant_id": 44411}, {"sku": "", "quantity": 1}])
    stage.push_return({"A": "S", "B": "S"})
    stage.settle()
    lines = stage.shopify_order(order)["lines"]
    told = stage.oms_order(order)
    assert [one["sku"] for one in told["items"]] == ["44411", str(lines[1]["variant_id"])]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], lines[0]["id"], 1)
    stage.settle()
    assert stage.oms_order(order)["cancelled"] == {str(lines[0]["id"]): 1}
