"""A deadline decides about goods that are here and known, and about no others: those are for a person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import line, quantities
from tests.flows.watch_stage import go_by, on_sqlite, run_duty

CHOICES = pytest.mark.parametrize("choice", ["release", "cancel"])


def deliver(stage: Stage, code: str, items: dict[str, str], status: str = "DELIVERED") -> None:
    """RMS tells where the parcel of this return is."""
    listed = [{"itemId": item, "sku": sku, "quantity": 1} for item, sku in items.items()]
    assert stage.sandbox.rms.notify(code, "108", status, listed, awb=f"AWB-{code}")[0] == 200
    stage.settle()


def miss(stage: Stage, order: dict[str, Any]) -> None:
    """The deadline comes, and a person is asked."""
    assert stage.state(order)[0] == "awaiting_verdict"
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order) == ("review", "verdict_overdue")
    assert "not all that comes back" in stage.exchange(order["id"]).reason
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.shopify_order(order)["cancelled_at"] is None


@CHOICES
@pytest.mark.parametrize("other", ["unknown", "on its way", "never coming"])
def test_one_of_two_returns_is_not_here(stage: Stage, choice: str, other: str) -> None:
    stage.configure({"qc": {"on_deadline": choice}})
    order = stage.new_order([line("NEW-A"), line("NEW-B")], "RET-1, RET-2")
    stage.push_return({"A": "SKU-A"})
    if other != "unknown":
        stage.push_return({"B": "SKU-B"}, "RET-2")
        stage.settle()
        deliver(stage, "RET-2", {"B": "SKU-B"}, "RETURN_PICKED_UP" if other == "on its way" else "RETURN_CANCELLED")
    deliver(stage, "RET-1", {"A": "SKU-A"})
    stage.judge({"A": "PASS" if choice == "release" else "FAIL"})
    stage.settle()
    miss(stage, order)


@on_sqlite
@CHOICES
def test_the_other_one_is_here_too(stage: Stage, choice: str) -> None:
    stage.configure({"qc": {"on_deadline": choice}})
    order = stage.new_order([line("NEW-A"), line("NEW-B")], "RET-1, RET-2")
    for code, unit in (("RET-1", "A"), ("RET-2", "B")):
        stage.push_return({unit: f"SKU-{unit}"}, code)
        stage.settle()
        deliver(stage, code, {unit: f"SKU-{unit}"})
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order)[0] == ("released" if choice == "release" else "cancelled")


@on_sqlite
@CHOICES
def test_it_is_not_known_which_units_come_back(stage: Stage, choice: str) -> None:
    stage.configure({"qc": {"on_deadline": choice}})
    order = stage.new_order([line("NEW-A"), line("NEW-B")])
    stage.settle()
    deliver(stage, "RET-1", {})
    miss(stage, order)


@on_sqlite
@CHOICES
def test_a_unit_that_a_line_names_is_in_no_return(stage: Stage, choice: str) -> None:
    stage.configure({"qc": {"on_deadline": choice}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.settle()
    deliver(stage, "RET-1", {"A": "SKU-A"})
    stage.judge({"A": "PASS" if choice == "release" else "FAIL"})
    stage.settle()
    miss(stage, order)


@on_sqlite
def test_a_deadlines_cancel_is_taken_back_with_the_setting_though_a_line_was_cut_before(stage: Stage) -> None:
    rules = {"wait_for": "each_unit", "on_deadline": "cancel"}
    stage.configure({"qc": rules})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return({"A": "SKU-A", "B": "SKU-B"})
    stage.settle()
    deliver(stage, "RET-1", {"A": "SKU-A", "B": "SKU-B"})
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert quantities(stage, order) == {"NEW-A": 0, "NEW-B": 1}
    cooling = {"cancel": {"cooling_off_minutes": 10}}
    stage.configure({"qc": rules, **cooling})
    stage.settle()
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("cancelling", "cancelled_by_deadline")
    stage.configure({"qc": {**rules, "on_deadline": "review"}, **cooling})
    stage.settle()
    assert stage.state(order) == ("review", "verdict_overdue")
    assert [one.state for one in stage.effects("shopify.cancel_order")] == ["superseded"]
