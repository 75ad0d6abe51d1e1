"""Second thoughts about a native exchange while the release of its fulfillment hold is unsent, or in doubt."""

from __future__ import annotations

from typing import Any

from tests.flows.stage import HOLD, Stage
from tests.flows.test_late_and_native import make_native
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
    assert stage.shopify_order(order)["tags"] == ["vip"]
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


def test_kept_on_hold_and_then_released_by_a_person(stage: Stage) -> None:
    order = make_known(stage)
    stage.decide(order, "hold")
    stage.settle()
    assert (stage.shopify_order(order)["tags"], holds(stage, order)) == (["vip"], ["returnbridge"])
    stage.decide(order, "release")
    stage.settle()
    assert stage.state(order) == ("released", "released")
    assert holds(stage, order) == []


def test_kept_on_hold_by_a_person_after_staff_lifted_the_fulfillment_hold(stage: Stage) -> None:
    order = make_known(stage)
    stage.sandbox.shopify.release_holds(stage.shop, order["id"])
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    stage.decide(order, "hold")
    stage.settle()
    assert stage.state(order) == ("review", "held_by_hand")
    assert holds(stage, order) == ["returnbridge"]


def test_held_by_its_tag_where_no_fulfillment_hold_is_wanted_and_then_released(stage: Stage) -> None:
    order = make_native(stage)
    stage.decide(order, "hold")
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    stage.decide(order, "release")
    stage.settle()
    assert stage.state(order) == ("released", "released")
    assert stage.shopify_order(order)["tags"] == ["vip"]


def test_one_that_carries_the_hold_tag_is_released_from_that_too(stage: Stage) -> None:
    order = make_known(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    stage.settle()
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order) == ("released", "released")
    assert stage.shopify_order(order)["tags"] == ["vip"]


def test_a_hold_tag_that_staff_put_on_while_it_is_released_is_theirs(stage: Stage) -> None:
    order = pass_unsent(stage)
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    think_all(stage)
    let_go(stage)
    assert HOLD in stage.shopify_order(order)["tags"]
