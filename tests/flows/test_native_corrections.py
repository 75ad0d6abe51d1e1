"""Second thoughts about a native exchange while the release of its fulfillment hold is unsent, or in doubt."""

from __future__ import annotations

from typing import Any

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import line
from tests.flows.test_native_exchanges import make_known
from tests.flows.test_races import LATER, make_due, next_second, think_all
from tests.flows.test_tags_and_holds import holds
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
RELEASE, BIND = "shopify.release_order", "shopify.hold_order"


def pass_unsent(stage: Stage) -> dict[str, Any]:
    """Its goods passed, and Shopify has not taken the release yet."""
    order = make_known(stage)
    stage.sandbox.shopify.faults.add({"match": "ReleaseFulfillmentOrder", **LATER})
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.wait_for(lambda: any(one.reason for one in stage.effects(RELEASE)))
    return order


def pass_unanswered(stage: Stage) -> dict[str, Any]:
    """Its goods passed, Shopify did release the hold, and the answer was lost."""
    order = make_known(stage)
    stage.sandbox.shopify.topics = set()
    stage.sandbox.shopify.faults.add({"match": "ReleaseFulfillmentOrder", "kind": "lose_answer", "times": 1})
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.wait_for(lambda: any(one.unclear_since for one in stage.effects(RELEASE)))
    assert holds(stage, order) == []
    return order


def let_go(stage: Stage) -> None:
    """Shopify takes calls again, and what waited for it is due."""
    stage.sandbox.shopify.faults.clear()
    make_due(stage, RELEASE)
    stage.settle()


def see_the_order(stage: Stage, order: dict[str, Any]) -> None:
    """Shopify tells of the order as it is now."""
    stage.sandbox.shopify.topics = {"orders/updated"}
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    think_all(stage)


def test_a_release_that_was_not_sent_ends_when_the_unit_fails_after_all(stage: Stage) -> None:
    order = pass_unsent(stage)
    stage.judge({"A": "FAIL"}, forward=str(order["id"]))
    think_all(stage)
    let_go(stage)
    assert stage.state(order) == ("review", "in_order_exchange")
    assert holds(stage, order) == ["returnbridge"]
    assert [one.state for one in stage.effects(RELEASE)] == ["superseded"]


def test_a_release_that_was_not_sent_ends_when_another_return_belongs_to_it(stage: Stage) -> None:
    order = pass_unsent(stage)
    stage.link(order, "RET-2")
    let_go(stage)
    assert stage.state(order) == ("awaiting_verdict", "more_units")
    assert holds(stage, order) == ["returnbridge"]


def test_a_release_that_was_not_sent_ends_when_a_person_keeps_the_hold(stage: Stage) -> None:
    order = pass_unsent(stage)
    stage.decide(order, "hold", expected="releasing")
    let_go(stage)
    assert stage.state(order) == ("review", "held_by_hand")
    assert holds(stage, order) == ["returnbridge"]
    assert [one.state for one in stage.effects(RELEASE)] == ["superseded"]


def test_a_release_in_doubt_counts_as_begun_when_the_unit_fails_after_all(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.judge({"A": "FAIL"}, forward=str(order["id"]))
    think_all(stage)
    assert stage.state(order) == ("review", "changed_too_late")
    see_the_order(stage, order)
    let_go(stage)
    assert stage.state(order) == ("review", "changed_too_late")


def test_a_person_who_keeps_the_hold_has_it_again_where_a_release_in_doubt_took_it_off(stage: Stage) -> None:
    order = pass_unanswered(stage)
    stage.decide(order, "hold", expected="releasing")
    let_go(stage)
    see_the_order(stage, order)
    stage.settle()
    assert stage.state(order) == ("review", "held_by_hand")
    assert holds(stage, order) == ["returnbridge"]


def test_a_release_that_was_withdrawn_is_sent_when_the_unit_passes_again(stage: Stage) -> None:
    order = pass_unsent(stage)
    for said in ("FAIL", "PASS"):
        stage.judge({"A": said}, forward=str(order["id"]))
        think_all(stage)
    let_go(stage)
    assert stage.state(order) == ("released", "released")
    assert holds(stage, order) == []


def test_a_fulfillment_hold_that_was_not_sent_is_not_sent_once_the_tag_is_off(stage: Stage) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    stage.sandbox.shopify.faults.add({"match": "HoldFulfillmentOrder", **LATER})
    order = stage.new_order([line("NEW-A", "A")])
    stage.wait_for(lambda: any(one.reason for one in stage.effects(BIND)))
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    think_all(stage)
    stage.sandbox.shopify.faults.clear()
    make_due(stage, BIND)
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    assert [one.state for one in stage.effects(BIND)] == ["superseded"]
