"""The drift check reads line quantities and our own fulfillment holds too: each difference is repaired or a task."""

from __future__ import annotations

from typing import Any

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_tags_and_holds import holds
from tests.flows.watch_stage import check_drift, findings, kinds, on_sqlite


def new_order(stage: Stage) -> dict[str, Any]:
    """A held order of two lines that all systems agree about."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    check_drift(stage)
    assert kinds(stage) == []
    return order


def first_line(stage: Stage, order: dict[str, Any]) -> int:
    """The id of its first line."""
    found: int = stage.shopify_order(order)["lines"][0]["id"]
    return found


def heal(stage: Stage) -> None:
    """Work, then look again: nothing is left."""
    stage.settle()
    check_drift(stage)
    assert kinds(stage) == []


def test_a_line_taken_off_that_no_webhook_told_is_told_to_oms(stage: Stage) -> None:
    order = new_order(stage)
    stage.sandbox.shopify.delivery.lose_next()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], first_line(stage, order), 0)
    check_drift(stage)
    assert kinds(stage) == ["oms_not_cancelled"]
    heal(stage)
    assert stage.oms_calls(order) == ["cancel"]


def test_pieces_that_oms_cancelled_by_itself_are_a_task_until_shopify_lost_them_too(stage: Stage) -> None:
    order = new_order(stage)
    known = stage.sandbox.oms._orders.find(str(order["id"]))
    known.lines[str(first_line(stage, order))].cancelled = 1
    check_drift(stage)
    assert [(one.kind, one.repairable) for one in findings(stage)] == [("oms_cancelled_more", False)]
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], first_line(stage, order), 0)
    heal(stage)


def test_a_failed_line_that_is_put_back_into_a_free_order_is_a_task(stage: Stage) -> None:
    order = new_order(stage)
    stage.judge({"A": "FAIL", "B": "PASS"})
    heal(stage)
    assert stage.state(order)[0] == "partly_cancelled"
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], first_line(stage, order), 1)
    stage.wait_for(lambda: not stage.describe_waiting_now())
    check_drift(stage)
    assert "line_not_cut" in kinds(stage)
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], first_line(stage, order), 0)
    heal(stage)
    assert quantities(stage, order) == {"NEW-A": 0, "NEW-B": 1}


def bind(stage: Stage) -> dict[str, Any]:
    """The same, with fulfillment holds."""
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = new_order(stage)
    assert holds(stage, order) == ["returnbridge"]
    return order


def test_a_hold_that_a_split_left_out_unheard_is_placed(stage: Stage) -> None:
    order = bind(stage)
    for _ in range(3):
        stage.sandbox.shopify.delivery.lose_next()
    stage.sandbox.shopify.split_order(stage.shop, order["id"])
    assert holds(stage, order) == ["returnbridge"]
    check_drift(stage)
    assert [(one.kind, one.repairable) for one in findings(stage)] == [("hold_missing", True)]
    heal(stage)
    assert holds(stage, order) == ["returnbridge", "returnbridge"]


def test_a_hold_that_a_person_took_off_is_theirs_to_put_back(stage: Stage) -> None:
    order = bind(stage)
    stage.sandbox.shopify.release_holds(stage.shop, order["id"])
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.settle()
    check_drift(stage)
    assert [(one.kind, one.repairable) for one in findings(stage)] == [("hold_missing", False)]
    assert holds(stage, order) == []
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    heal(stage)


@on_sqlite
def test_a_hold_of_ours_that_was_left_behind_is_taken_off(stage: Stage) -> None:
    order = bind(stage)
    stage.sandbox.shopify.delivery.lose_next()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    check_drift(stage)
    assert kinds(stage) == ["hold_left", "oms_held"]
    heal(stage)
    assert holds(stage, order) == []
