"""Lines edited and holds put back by hand, at each state (law 8)."""

from __future__ import annotations

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_hands import reach, rest
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_races import next_second
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
STATES = ["awaiting_return", "awaiting_goods", "awaiting_verdict", "review", "cancelling"]


@pytest.mark.parametrize("when", STATES)
def test_a_hold_put_back_after_it_was_lifted_stays_theirs(stage: Stage, when: str) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}, "qc": {"reasons": {"UNSURE": "review"}}})
    order = reach(stage, when)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.wait_for(lambda: stage.state(order) == ("overridden", "lifted_by_hand"))
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    rest(stage)
    stage.judge({"A": "PASS"})
    rest(stage)
    assert stage.state(order)[0] == "overridden"
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.shopify_order(order)["cancel_requests"] == 0


@pytest.mark.parametrize("when", STATES)
def test_a_line_taken_off_by_hand_is_told_to_oms_and_never_comes_back(stage: Stage, when: str) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}, "qc": {"reasons": {"UNSURE": "review"}}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    rest(stage)
    if when != "awaiting_return":
        stage.push_return(TWO)
    if when == "awaiting_verdict":
        stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", [{"itemId": "A", "sku": "S", "quantity": 1}])
    if when in ("review", "cancelling"):
        stage.judge(dict.fromkeys(TWO, "FAIL:UNSURE" if when == "review" else "FAIL"))
    stage.wait_for(lambda: stage.state(order)[0] == when)
    next_second()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][1]["id"], 0)
    rest(stage)
    assert stage.oms_calls(order) == ["cancel"]
    assert stage.state(order)[0] == when
    stage.push_return(TWO)
    stage.judge(dict.fromkeys(TWO, "PASS"))
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    assert stage.oms_calls(order) == ["cancel", "unhold"]


@pytest.mark.parametrize("listed", [True, False], ids=["both units", "one unit"])
def test_a_line_put_in_place_of_another_is_not_released_for_a_unit_that_did_not_pass(
    stage: Stage, listed: bool
) -> None:
    """What is added in an order edit names no unit."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    rest(stage)
    if listed:
        stage.push_return(TWO)
    else:
        stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", [{"itemId": "A", "sku": "S", "quantity": 1}])
    rest(stage)
    next_second()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][1]["id"], 0)
    stage.sandbox.shopify.add_line(stage.shop, order["id"], "NEW-C")
    rest(stage)
    stage.judge({"A": "PASS"})
    rest(stage)
    assert stage.state(order)[0] == "awaiting_verdict"
    stage.judge({"B": "FAIL"})
    rest(stage)
    assert stage.state(order) == ("review", "qc_unclear")
    assert HOLD in stage.shopify_order(order)["tags"]


def test_a_line_of_ours_that_we_cut_beside_one_that_names_no_unit_is_no_swap(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B"), line("GIFT")])
    stage.push_return(TWO)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0, "GIFT": 1}
