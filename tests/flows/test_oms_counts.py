"""What OMS counts and what it says: totals, late or partial takings, refusals with people's data in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.domain.orders import ForwardLine
from core.models import Effect, Event, OmsOrder
from oms_bridge.deliveries import READ_FORWARD_ORDER
from tests.flows.stage import Stage
from tests.flows.test_mixed import line
from tests.flows.test_oms_doors import ask, connect
from tests.flows.test_races import make_due, next_second
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
NOBODY: dict[str, Any] = {"qc": {"actor": "none"}}
PHONE, NAME = "9876543210", "Asha Rao"


def test_a_sellers_total_of_merged_lines_counts_what_is_gone_already(stage: Stage) -> None:
    connect(stage)
    stage.configure(NOBODY)
    order = stage.new_order([{"sku": sku, "quantity": 1} for sku in ("SAME", "SAME", "OTHER")])
    stage.settle()
    first, second, other = (one["id"] for one in stage.shopify_order(order)["lines"])
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], second, 0)
    stage.settle()
    totals = {str(first): 1, str(other): 1}
    assert ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), totals))[1]["hasError"] is False
    stage.settle()
    assert [one["current_quantity"] for one in stage.shopify_order(order)["lines"]] == [1, 0, 0]


def test_a_sellers_total_counts_from_what_oms_was_told_at_its_late_creation(stage: Stage) -> None:
    connect(stage)
    stage.configure({"oms": {"create_orders": False}})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 3}])
    stage.settle()
    line_id = stage.shopify_order(order)["lines"][0]["id"]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], line_id, 2)
    stage.settle()
    stage.configure({})
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.settle()
    with stage.runtime.database.read() as session:
        assert session.get_one(OmsOrder, (stage.shop_id, order["id"])).ordered == {str(line_id): 2}
    answer = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {str(line_id): 1}))
    stage.settle()
    assert answer[1]["hasError"] is False
    assert stage.shopify_order(order)["lines"][0]["current_quantity"] == 1


@pytest.mark.parametrize("words", [f"phone +91{PHONE} of {NAME} is invalid", f"order of {NAME}, {PHONE}: bad pin"])
def test_what_oms_says_of_people_stays_out_of_every_reason(stage: Stage, words: str) -> None:
    refusal = {"match": "POST /orders/outward", "kind": "status", "status": 400, "body": {"message": words}}
    stage.sandbox.oms.faults.add(refusal)
    first, _, last = NAME.partition(" ")
    address = {"first_name": first, "last_name": last, "phone": f"+91{PHONE}"}
    stage.new_order([line("NEW-A", "A")], address=address)
    stage.wait_for(lambda: [one.state for one in stage.effects("oms.create_order")] == ["parked"])
    with stage.runtime.database.read() as session:
        said = " ".join(str(one.reason) for table in (Effect, Event) for one in session.query(table))
    assert PHONE not in said
    assert NAME not in said


def test_what_has_shipped_and_is_refunded_is_a_return_and_no_cancel(stage: Stage) -> None:
    stage.configure({"oms": {"sync": "all"}})
    order = stage.new_order([{"sku": "X", "quantity": 1}, {"sku": "Y", "quantity": 1}], None, tags=[])
    stage.settle()
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    stage.settle()
    next_second()
    stage.sandbox.shopify.refund_order(
        stage.shop, order["id"], {stage.shopify_order(order)["lines"][0]["id"]: 1}, "RETURN"
    )
    stage.settle()
    assert stage.oms_calls(order) == []


def test_a_blank_reason_is_no_other_verdict(stage: Stage) -> None:
    connect(stage)
    stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    said = {"itemCode": "A", "channelSkuCode": "S", "qcStatus": "PASS", "imageUrls": None}
    for reason in ("", " ", None):
        stage.sandbox.oms.acknowledge_return("RET-1", [{**said, "qcReason": reason}], method="PUT")
    stage.settle()
    assert {one.outcome for one in stage.events("return_acknowledgement")} == {"ignored"}
    assert len(stage.sandbox.partner.received) == 1


def test_a_quantity_raised_again_after_oms_cancelled_it_is_a_task(stage: Stage) -> None:
    stage.configure(NOBODY)
    order = stage.new_order([{"sku": "NEW-A", "quantity": 2}])
    stage.settle()
    line_id = stage.shopify_order(order)["lines"][0]["id"]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], line_id, 1)
    stage.settle()
    assert stage.oms_calls(order) == ["cancel"]
    next_second()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], line_id, 2)
    stage.settle()
    tasks = [one.reason or "" for one in stage.events("orders/updated") if one.outcome == "parked"]
    assert [f"raised: line {line_id}" in one for one in tasks] == [True]
    assert stage.oms_calls(order) == ["cancel"]


def test_a_line_that_comes_while_a_creation_is_tried_again_is_told_by_its_sku(stage: Stage) -> None:
    """The SKUs were frozen with the first try; what the order has gained since is read with the second."""
    stage.sandbox.oms.faults.add({"match": "POST /orders/outward", "kind": "status", "status": 503, "times": 1})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.wait_for(lambda: any(one.attempts for one in stage.effects("oms.create_order")))
    readers = stage.runtime.registry.readers
    read = readers[READ_FORWARD_ORDER]

    def read_more(shop_id: int, order_id: int) -> Any:
        found = read(shop_id, order_id)
        return replace(found, lines=(*found.lines, ForwardLine(99, "NEW-B", 1, 10.0, 0.0)))

    readers[READ_FORWARD_ORDER] = read_more
    make_due(stage, "oms.create_order")
    stage.settle()
    assert [one["sku"] for one in stage.oms_order(order)["items"]] == ["NEW-A", "NEW-B"]
