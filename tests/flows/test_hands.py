"""People: what is done by hand in Shopify or decided on our side sticks (law 8)."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import Permanent
from tests.flows.stage import HOLD, Stage

LINES = [{"sku": "NEW-A", "quantity": 1}]
DONE = {
    "lift": lambda stage, order: stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD]),
    "cancel": lambda stage, order: stage.sandbox.shopify.cancel_order(stage.shop, order["id"]),
    "fulfil": lambda stage, order: stage.sandbox.shopify.fulfil(stage.shop, order["id"]),
}


@pytest.mark.parametrize("when", ["awaiting_return", "awaiting_goods", "awaiting_verdict", "review", "cancelling"])
@pytest.mark.parametrize("what", list(DONE))
def test_done_by_hand_in_shopify_sticks(stage: Stage, when: str, what: str) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}, "qc": {"reasons": {"UNSURE": "review"}}})
    order = reach(stage, when)
    DONE[what](stage, order)
    stage.wait_for(lambda: stage.state(order)[0] == "overridden")
    stage.judge({"A": "PASS"})
    stage.judge({"A": "FAIL"})
    rest(stage)
    assert stage.state(order)[0] == "overridden"
    seen = stage.shopify_order(order)
    assert (HOLD in seen["tags"]) == (what != "lift")
    assert (seen["cancelled_at"] is not None) == (what == "cancel")
    assert seen["cancel_requests"] == 0
    if what == "lift":
        assert stage.oms_order(order)["on_hold"] is False
    if what == "cancel":
        assert sum(stage.oms_order(order)["cancelled"].values()) == 1


def reach(stage: Stage, when: str) -> dict[str, Any]:
    """An exchange in a state."""
    order = stage.new_order(LINES)
    rest(stage)
    if when != "awaiting_return":
        stage.push_return({"A": "S"})
    if when == "awaiting_verdict":
        stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", [{"itemId": "A", "sku": "S", "quantity": 1}])
    if when in ("review", "cancelling"):
        stage.judge({"A": "FAIL:UNSURE" if when == "review" else "FAIL"})
    stage.wait_for(lambda: stage.state(order)[0] == when)
    return order


def rest(stage: Stage) -> None:
    """Until no event waits; a cancel that cools off may."""
    stage.wait_for(lambda: stage.sandbox.shopify.settle(0.1) and not stage.describe_waiting())


def test_a_hold_put_back_after_release_is_theirs_and_oms_is_asked(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    stage.settle()
    assert stage.state(order) == ("overridden", "held_again_by_hand")
    assert HOLD in stage.shopify_order(order)["tags"]
    refused = stage.effects("oms.hold_order")
    assert [one.state for one in refused] == ["parked"]  # OMS holds only at creation: a task for a person
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    assert stage.oms_order(order)["on_hold"] is False


@pytest.mark.parametrize(
    ("decision", "end", "tagged", "cancelled"),
    [("release", "released", False, False), ("cancel", "cancelled", True, True), ("hold", "review", True, False)],
)
def test_decided_by_a_person(stage: Stage, decision: str, end: str, tagged: bool, cancelled: bool) -> None:
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"})
    stage.settle()
    stage.decide(order, decision, expected="awaiting_goods")
    stage.settle()
    stage.judge({"A": "FAIL" if decision == "release" else "PASS"})
    stage.settle()
    assert stage.state(order)[0] == end
    assert stage.exchange(order["id"]).decided_by == "Asha"
    seen = stage.shopify_order(order)
    assert (HOLD in seen["tags"]) == tagged
    assert (seen["cancelled_at"] is not None) == cancelled


def test_a_decision_on_an_old_screen_is_refused(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"})
    stage.settle()
    with pytest.raises(Permanent, match="awaiting_goods by now"):
        stage.decide(order, "release", expected="awaiting_return")
    assert stage.exchange(order["id"]).decided_by is None


def test_a_cancelled_order_cannot_be_released(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.settle()
    stage.sandbox.shopify.cancel_order(stage.shop, order["id"])
    stage.settle()
    with pytest.raises(Permanent, match="cannot be undone"):
        stage.decide(order, "release")


def test_cancel_now_ends_the_cooling_off_and_keep_on_hold_stops_it(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    first, second = stage.new_order(LINES, "RET-1"), stage.new_order(LINES, "RET-2")
    for code in ("RET-1", "RET-2"):
        stage.push_return({f"{code}-A": "S"}, code, awbNumber=f"AWB-{code}")
        stage.judge({f"{code}-A": "FAIL"}, code)
    stage.wait_for(lambda: all(stage.exists(one, "cancelling") for one in (first, second)))
    stage.decide(first, "cancel")
    stage.decide(second, "hold")
    stage.settle()
    assert stage.shopify_order(first)["cancelled_at"] is not None
    assert stage.shopify_order(first)["cancel_requests"] == 1
    assert stage.shopify_order(second)["cancelled_at"] is None
    assert stage.state(second) == ("review", "held_by_hand")


def test_linked_by_hand(stage: Stage) -> None:
    order = stage.new_order(LINES, None)
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_return"
    stage.link(order, "RET-1")
    stage.settle()
    assert stage.state(order)[0] == "released"
