"""Units that the return, as we know it, does not list.

Those that the order's lines name are waited for. Of the others, nothing is released over a FAIL that is known, and no
whole order cancelled over a PASS.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_races import next_second
from tests.flows.watch_stage import on_sqlite


def notify(stage: Stage, items: dict[str, str]) -> None:
    """RMS tells that the parcel arrived, and names these units: item code -> SKU."""
    listed = [{"itemId": item, "sku": sku, "quantity": 1} for item, sku in items.items()]
    assert stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", listed, awb="AWB-1")[0] == 200
    stage.settle()


def judge(stage: Stage, verdicts: dict[str, str]) -> None:
    """RMS reports QC, and all that follows is done."""
    stage.judge(verdicts)
    stage.settle()


def order_two(stage: Stage, *, named: bool = True) -> dict[str, Any]:
    """A replacement order for two units, which its lines name or do not."""
    order = stage.new_order([line("NEW-A", "A" if named else None), line("NEW-B", "B" if named else None)])
    stage.settle()
    return order


@pytest.mark.parametrize("first", ["PASS", "FAIL"])
def test_a_unit_that_a_line_names_is_waited_for_though_the_return_does_not_list_it(stage: Stage, first: str) -> None:
    order = order_two(stage)
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": first})
    assert stage.state(order)[0] == "awaiting_verdict"
    assert HOLD in stage.shopify_order(order)["tags"]
    judge(stage, {"B": "PASS" if first == "FAIL" else "FAIL"})
    assert stage.state(order) == ("partly_cancelled", "partly_cancelled")
    assert quantities(stage, order) == {"NEW-A": int(first == "PASS"), "NEW-B": int(first == "FAIL")}


@on_sqlite
def test_a_failed_units_line_goes_at_once_while_one_that_only_a_line_names_is_waited_for(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit"}})
    order = order_two(stage)
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "FAIL"})
    assert stage.state(order)[0] == "awaiting_verdict"
    assert quantities(stage, order) == {"NEW-A": 0, "NEW-B": 1}
    judge(stage, {"B": "FAIL"})
    assert stage.state(order)[0] == "cancelled"


@on_sqlite
def test_a_unit_whose_line_was_taken_off_by_hand_is_not_waited_for(stage: Stage) -> None:
    order = order_two(stage)
    notify(stage, {"A": "SKU-A"})
    next_second()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][1]["id"], 0)
    stage.settle()
    judge(stage, {"A": "PASS"})
    assert stage.state(order)[0] == "released"


def test_a_fail_of_a_unit_that_is_not_listed_goes_to_a_person(stage: Stage) -> None:
    order = order_two(stage, named=False)
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "PASS", "B": "FAIL"})
    assert stage.state(order) == ("review", "qc_unclear")
    assert "QC did not pass B" in stage.exchange(order["id"]).reason
    assert HOLD in stage.shopify_order(order)["tags"]


def test_a_pass_of_a_unit_that_nothing_lists_or_names_leaves_a_cancel_to_a_person(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A")])
    stage.settle()
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "FAIL", "B": "PASS"})
    assert is_asked(stage, order)
    assert stage.shopify_order(order)["cancelled_at"] is None


@on_sqlite
def test_such_a_pass_that_comes_after_the_cancel_is_shown_to_a_person(stage: Stage) -> None:
    order = order_two(stage, named=False)
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "FAIL"})
    assert stage.state(order)[0] == "cancelled"
    judge(stage, {"B": "PASS"})
    assert stage.state(order)[0] == "cancelled"
    assert stage.events("processing_update")[-1].outcome == "parked"


@on_sqlite
def test_the_full_body_that_lists_it_ends_that_review(stage: Stage) -> None:
    order = order_two(stage)
    notify(stage, {"9001": "SKU-A"})  # no line names it so: it cannot be told whether B is another
    judge(stage, {"9001": "PASS", "B": "FAIL"})
    assert is_asked(stage, order)
    stage.push_return(TWO, awbNumber="AWB-1")
    stage.settle()
    assert stage.state(order) == ("partly_cancelled", "partly_cancelled")
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}


def test_units_that_come_to_light_after_a_verdict_are_waited_for(stage: Stage) -> None:
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "PASS"})
    stage.push_return(TWO, awbNumber="AWB-1")
    stage.settle()
    assert "B came to light" in (stage.events("return_order")[-1].reason or "")
    order = order_two(stage)
    assert stage.state(order) == ("awaiting_verdict", "goods_arrived")
    judge(stage, {"B": "FAIL"})
    assert stage.state(order) == ("partly_cancelled", "partly_cancelled")


@on_sqlite
def test_a_full_body_that_names_the_same_piece_otherwise_adds_none(stage: Stage) -> None:
    order = order_two(stage)
    notify(stage, {"9001": "SKU-A"})
    judge(stage, {"9001": "PASS"})
    assert stage.state(order)[0] == "released"
    stage.push_return({"A": "SKU-A"}, awbNumber="AWB-1")
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert "came to light" not in (stage.events("return_order")[-1].reason or "")


def test_a_unit_that_comes_to_light_and_fails_after_the_release_is_shown_to_a_person(stage: Stage) -> None:
    order = order_two(stage, named=False)
    notify(stage, {"A": "SKU-A"})
    judge(stage, {"A": "PASS"})
    assert stage.state(order)[0] == "released"
    stage.push_return(TWO, awbNumber="AWB-1")
    stage.settle()
    judge(stage, {"B": "FAIL"})
    assert stage.state(order)[0] == "released"
    assert stage.events("processing_update")[-1].outcome == "parked"


def cut_early(stage: Stage, code: str) -> dict[str, Any]:
    """A's line is cut by a FAIL under this code, while B has no verdict yet."""
    stage.configure({"qc": {"wait_for": "each_unit"}})
    order = order_two(stage)
    stage.push_return({"A": f"SKU-{code}", "B": "SKU-B"})
    stage.settle()
    judge(stage, {code: "FAIL"})
    assert quantities(stage, order) == {"NEW-A": 0, "NEW-B": 1}
    return order


def is_asked(stage: Stage, order: dict[str, Any]) -> bool:
    """A person is asked, and the order is held."""
    return stage.state(order)[0] == "review" and HOLD in stage.shopify_order(order)["tags"]


def test_a_line_cut_early_by_a_stray_verdict_whose_unit_passes_is_shown_to_a_person(stage: Stage) -> None:
    order = cut_early(stage, "X9")
    judge(stage, {"A": "PASS"})
    judge(stage, {"B": "PASS"})
    assert is_asked(stage, order)


def test_a_line_cut_early_for_a_reason_that_now_passes_is_shown_to_a_person(stage: Stage) -> None:
    order = cut_early(stage, "A")
    stage.configure({"qc": {"wait_for": "each_unit", "reasons": {"STAIN_DAMAGE": "pass"}}})
    stage.settle()
    judge(stage, {"B": "PASS"})
    assert is_asked(stage, order)
    assert stage.state(order)[1] == "changed_too_late"
