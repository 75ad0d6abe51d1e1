"""What a person decides about an order whose hold is off already, or comes off by a release of ours, is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_races import LATER, make_due, next_second, start, think_all
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
TAG, CANCEL = "shopify.tag_order", "shopify.cancel_order"


def pass_unanswered(stage: Stage) -> dict[str, Any]:
    """The goods passed, Shopify did remove the hold tag, and neither its answer nor its news has come."""
    order = start(stage)
    stage.sandbox.shopify.topics = set()
    next_second()
    stage.sandbox.shopify.faults.add({"match": "RemoveTags", "kind": "lose_answer", "times": 1})
    stage.judge({"A": "PASS"})
    stage.wait_for(lambda: any(one.unclear_since for one in stage.effects(TAG)))
    assert HOLD not in stage.shopify_order(order)["tags"]
    return order


def hear_of(stage: Stage, order: dict[str, Any]) -> None:
    """Shopify tells of the order as it is now."""
    next_second()
    stage.sandbox.shopify.topics = {"orders/updated"}
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    think_all(stage)


def assert_cancelled(stage: Stage, order: dict[str, Any]) -> None:
    """By us, once, and OMS knows."""
    make_due(stage, TAG)
    make_due(stage, CANCEL)
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 1
    told = stage.oms_order(order)
    assert told is not None
    assert sum(told["cancelled"].values()) == 1


def test_cancelled_by_hand_after_qc_changed_its_mind_too_late(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.judge({"A": "FAIL"})
    think_all(stage)
    hear_of(stage, order)
    assert stage.state(order) == ("review", "changed_too_late")
    stage.decide(order, "cancel", expected="review")
    assert stage.state(order) == ("cancelling", "cancelled_by_hand")
    assert_cancelled(stage, order)


def test_cancelled_by_hand_before_our_own_release_is_heard_of(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.decide(order, "cancel", expected="releasing")
    hear_of(stage, order)
    assert stage.state(order) == ("cancelling", "cancelled_by_hand")
    assert_cancelled(stage, order)


def test_it_is_carried_out_also_when_the_order_is_thought_about_with_its_old_tags_first(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.decide(order, "cancel", expected="releasing")
    stage.configure({"cancel": {"cooling_off_minutes": 0, "reason": "INVENTORY"}})
    think_all(stage)
    hear_of(stage, order)
    assert_cancelled(stage, order)


@pytest.mark.parametrize("freed_by", ["staff", "us"])
def test_cancelled_by_hand_once_it_is_free(stage: Stage, freed_by: str) -> None:
    order = start(stage)
    if freed_by == "staff":
        stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    else:
        stage.judge({"A": "PASS"})
    stage.settle()
    next_second()
    stage.decide(order, "cancel", expected="overridden" if freed_by == "staff" else "released")
    assert_cancelled(stage, order)


def test_a_hold_that_staff_lift_while_the_cancel_waits_is_still_theirs(stage: Stage) -> None:
    order = start(stage)
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", **LATER})
    stage.decide(order, "cancel")
    stage.wait_for(lambda: any(one.reason for one in stage.effects(CANCEL)))
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    think_all(stage)
    stage.sandbox.shopify.faults.clear()
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    assert stage.shopify_order(order)["cancel_requests"] == 0


def test_a_person_who_keeps_the_hold_has_it_again_where_our_own_release_took_it_off(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.decide(order, "hold", expected="releasing")
    hear_of(stage, order)
    make_due(stage, TAG)
    stage.settle()
    assert stage.state(order) == ("review", "held_by_hand")
    assert HOLD in stage.shopify_order(order)["tags"]
    told = stage.oms_order(order)
    assert told is not None
    assert told["on_hold"]
