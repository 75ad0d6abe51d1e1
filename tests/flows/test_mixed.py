"""Several units: mixed outcomes, verdicts in several calls, pairing, quantities above one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage

TWO = {"A": "SKU-A", "B": "SKU-B"}


def line(sku: str, unit: str | None = None, quantity: int = 1) -> dict[str, Any]:
    """A line that names the unit it replaces."""
    return {"sku": sku, "quantity": quantity, "properties": {"return_item_code": unit} if unit else {}}


def quantities(stage: Stage, order: dict[str, Any]) -> dict[str, int]:
    """Current quantity by SKU in Shopify."""
    return {one["sku"]: one["current_quantity"] for one in stage.shopify_order(order)["lines"]}


def test_failed_line_is_cancelled_the_rest_released_and_oms_hears_the_cancel_first(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("partly_cancelled", "partly_cancelled")
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    assert HOLD not in stage.shopify_order(order)["tags"]
    assert stage.oms_calls(order) == ["cancel", "unhold"]
    assert list(stage.oms_order(order)["cancelled"].values()) == [1]
    assert stage.sandbox.shopify.order(stage.shop, order["id"])["cancel_requests"] == 0


def test_verdicts_in_several_calls_wait_for_all_units(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.judge({"B": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 1}
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}


def test_each_unit_cuts_a_failed_line_at_once(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit"}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.judge({"B": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    assert stage.oms_order(order)["on_hold"]
    assert stage.oms_calls(order) == ["cancel"]
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert stage.oms_calls(order) == ["cancel", "unhold"]


def test_each_unit_then_everything_fails_cancels_the_order(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit"}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.judge({"B": "FAIL"})
    stage.settle()
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancelled_at"] is not None


def test_a_line_with_several_units_is_reduced_not_dropped(stage: Stage) -> None:
    order = stage.new_order([line("NEW", "A, B, C", quantity=3)])
    stage.push_return({"A": "S", "B": "S", "C": "S"})
    stage.settle()
    stage.judge({"A": "PASS", "B": "FAIL", "C": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert quantities(stage, order) == {"NEW": 2}
    assert list(stage.oms_order(order)["cancelled"].values()) == [1]


@pytest.mark.parametrize(
    ("lines", "units"),
    [
        ([line("NEW-A"), line("NEW-B")], TWO),  # equal counts: position carries no mixed outcome
        ([line("NEW-A", "A"), line("NEW-B")], TWO),  # the failed unit is named by no line
        ([line("NEW-A", "A"), line("NEW-B", "A")], TWO),  # one unit named twice
        ([line("NEW-A")], TWO),  # more units than lines
        ([line("NEW-A"), line("NEW-B"), line("NEW-C")], TWO),  # more lines than units
    ],
)
def test_mixed_outcome_without_pairing_goes_to_review(
    stage: Stage, lines: list[dict[str, Any]], units: dict[str, str]
) -> None:
    order = stage.new_order(lines)
    stage.push_return(units)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("review", "qc_unclear")
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.oms_calls(order) == []


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "cancelled")])
def test_uniform_outcome_needs_no_pairing(stage: Stage, said: str, end: str) -> None:
    order = stage.new_order([line("NEW-A"), line("NEW-B"), line("NEW-C")])
    stage.push_return(TWO)
    stage.judge({"A": said, "B": said})
    stage.settle()
    assert stage.state(order)[0] == end


@pytest.mark.parametrize(
    ("qc", "verdicts", "end"),
    [
        ({"on_mixed": "review"}, {"A": "PASS", "B": "FAIL"}, "review"),
        ({"on_mixed": "cancel_order"}, {"A": "PASS", "B": "FAIL"}, "cancelled"),
        ({"on_fail": "review"}, {"A": "FAIL", "B": "FAIL"}, "review"),
        ({"on_fail": "review"}, {"A": "PASS", "B": "FAIL"}, "review"),
        ({"reasons": {"NEEDS_IRONING": "pass"}}, {"A": "PASS", "B": "FAIL:NEEDS_IRONING"}, "released"),
        ({"reasons": {"SIZE_MISMATCH": "review"}}, {"A": "PASS", "B": "FAIL:SIZE_MISMATCH"}, "review"),
        ({"reasons": {"NEEDS_IRONING": "pass"}}, {"A": "FAIL:TAG_MISSING", "B": "FAIL:USED_PRODUCT"}, "cancelled"),
        ({"reasons": {"NEEDS_IRONING": "pass"}}, {"A": "FAIL:TAG_MISSING", "B": "FAIL:NEVER_HEARD_OF"}, "review"),
        ({"reasons": {}}, {"A": "FAIL:TAG_MISSING", "B": "FAIL:NEVER_HEARD_OF"}, "cancelled"),
    ],
)
def test_the_merchants_rules(stage: Stage, qc: dict[str, Any], verdicts: dict[str, str], end: str) -> None:
    stage.configure({"qc": qc})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.judge(verdicts)
    stage.settle()
    assert stage.state(order)[0] == end


def test_units_known_from_the_lines_alone(stage: Stage) -> None:
    """No return order ever comes, but every line names its unit and QC reports them all."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.judge({"A": "PASS", "B": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"


def test_a_verdict_that_changes_while_the_cancel_cools_off_replaces_the_first(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.judge({"A": "FAIL", "B": "FAIL"})
    stage.wait_for(lambda: bool(stage.effects("shopify.cancel_order")))
    assert stage.state(order)[0] == "cancelling"
    stage.judge({"B": "PASS"})
    stage.wait_for(lambda: stage.exchange(order["id"]).code == "qc_mixed")
    assert [one.state for one in stage.effects("shopify.cancel_order")] == ["superseded"]
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 1}
    assert not stage.shopify_order(order)["cancel_requests"]


def test_a_verdict_that_changes_after_the_release_is_parked_for_a_person(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert stage.events("processing_update")[-1].outcome == "parked"
    assert "after we had acted" in (stage.events("processing_update")[-1].reason or "")
    stage.judge({"A": "PASS"})  # PASS, FAIL, PASS is three verdicts
    stage.settle()
    assert stage.events("processing_update")[-1].outcome == "parked"


def test_edit_conflicts_are_started_over(stage: Stage) -> None:
    """The first commit is answered with a fault; the edit is looked up and made once."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.sandbox.shopify.faults.add({"match": "CommitEdit", "kind": "lose_answer", "times": 1})
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle(40)
    assert stage.state(order)[0] == "partly_cancelled"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    commits = [one for one in stage.sandbox.shopify.effects if one.kind == "orderEditCommit"]
    assert len(commits) == 1
