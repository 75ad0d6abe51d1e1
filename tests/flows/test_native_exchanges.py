"""Native Shopify exchanges beyond pass and fail: they share the customer's first order, and a fulfillment hold binds
them where the merchant wants one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_late_and_native import make_native
from tests.flows.test_races import LATER, next_second
from tests.flows.test_tags_and_holds import holds
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
ALL = {f"returns/{what}" for what in ("cancel", "close", "decline", "process", "reopen", "request")}


def make_known(stage: Stage, units: dict[str, str] | None = None) -> dict[str, Any]:
    """A native exchange that we hold, and its return is known."""
    stage.sandbox.shopify.topics |= ALL
    order = make_native(stage, fulfillment_hold=True)
    stage.push_return(units or {"A": "S"}, forward=str(order["id"]))
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    return order


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "review")])
def test_one_whose_lines_join_an_order_that_has_shipped_is_held_from_then_on(stage: Stage, said: str, end: str) -> None:
    """As Shopify does it: the lines come when the return is processed, and until then there is nothing to hold."""
    stage.sandbox.shopify.topics |= {"returns/approve", "returns/process"}
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "FIRST", "quantity": 1}], tags=["vip"])
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    made = stage.sandbox.shopify.open_return(stage.shop, order["id"], exchange=[{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    assert {one.outcome for one in stage.events("returns/approve")} == {"ignored"}
    stage.sandbox.shopify.process_return(stage.shop, made["id"])
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    stage.push_return({"A": "S"}, forward=str(order["id"]))
    stage.judge({"A": said}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order)[0] == end
    assert holds(stage, order) == ([] if said == "PASS" else ["returnbridge"])
    assert stage.shopify_order(order)["cancel_requests"] == 0


def test_a_mixed_outcome_is_for_a_person_and_nothing_is_cut(stage: Stage) -> None:
    order = make_known(stage, {"A": "S", "B": "S"})
    before = [one["current_quantity"] for one in stage.shopify_order(order)["lines"]]
    stage.judge({"A": "PASS", "B": "FAIL"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order) == ("review", "qc_unclear")
    assert [one["current_quantity"] for one in stage.shopify_order(order)["lines"]] == before
    assert holds(stage, order) == ["returnbridge"]
    stage.decide(order, "release")
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == []


def test_a_hold_taken_off_by_hand_is_theirs(stage: Stage) -> None:
    order = make_known(stage)
    stage.sandbox.shopify.release_holds(stage.shop, order["id"])
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    stage.judge({"A": "FAIL"}, forward=str(order["id"]))
    stage.settle()
    assert holds(stage, order) == []


def test_a_hold_of_somebody_else_after_the_release_is_left_alone(stage: Stage) -> None:
    order = make_known(stage)
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.settle()
    next_second()
    stage.sandbox.shopify.hold_order(stage.shop, order["id"], "staff")
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == ["staff"]


def test_the_hold_tag_put_on_by_hand_after_the_release_is_written_down_as_theirs(stage: Stage) -> None:
    order = make_known(stage)
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.settle()
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    stage.settle()
    assert stage.state(order) == ("overridden", "held_again_by_hand")
    assert HOLD in stage.shopify_order(order)["tags"]


def test_holds_switched_off_are_not_taken_for_a_hand(stage: Stage) -> None:
    order = make_known(stage)
    stage.configure({"exchange": {"fulfillment_hold": False}})
    stage.settle()
    assert holds(stage, order) == []
    assert stage.state(order) == ("review", "never_held")
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order) == ("review", "never_held")
    stage.decide(order, "release")
    stage.settle()
    assert stage.state(order)[0] == "released"


def test_holds_switched_off_while_it_is_released_do_not_stop_the_release(stage: Stage) -> None:
    order = make_known(stage)
    stage.sandbox.shopify.faults.add({"match": "ReleaseFulfillmentOrder", **LATER, "times": 1})
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.wait_for(lambda: stage.exists(order, "releasing"))
    stage.configure({"exchange": {"fulfillment_hold": False}})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == []


@pytest.mark.parametrize(("status", "topic"), [("CANCELED", "cancel"), ("DECLINED", "decline"), ("CLOSED", "close")])
def test_what_becomes_of_the_return_in_shopify_is_read_and_the_hold_stays_until_goods_or_a_person_decide(
    stage: Stage, status: str, topic: str
) -> None:
    order = make_known(stage)
    next_second()
    stage.sandbox.shopify.topics = {f"returns/{topic}"}
    made = stage.sandbox.shopify.shop(stage.shop).orders[order["id"]].returns[0]
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["untold"], [])  # no webhook tells of this
    stage.sandbox.shopify.close_return(stage.shop, made.id, status)
    stage.settle()
    (event,) = stage.events(f"returns/{topic}")
    assert event.outcome == "handled"  # the whole order was read
    assert stage.state(order)[0] == "awaiting_goods"
    assert holds(stage, order) == ["returnbridge"]
    stage.decide(order, "release")
    stage.settle()
    assert holds(stage, order) == []
