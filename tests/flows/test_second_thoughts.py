"""What waits is judged again by the newest settings and news, and a review ends when what it lacked has come."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, REPLACEMENT, Stage
from tests.flows.test_hands import rest
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.watch_stage import await_verdict, go_by, on_sqlite, run_duty

COOLING: dict[str, Any] = {"cancel": {"cooling_off_minutes": 10}}


def begin_cancel(stage: Stage, **settings: Any) -> dict[str, Any]:
    """An exchange whose cancel cools off."""
    stage.configure({**COOLING, **settings})
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    rest(stage)
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    return order


@pytest.mark.parametrize("actor", ["partner", "none"])
def test_a_cancel_that_waits_ends_when_it_is_no_longer_ours(stage: Stage, actor: str) -> None:
    order = begin_cancel(stage)
    stage.configure({**COOLING, "qc": {"actor": actor}})
    stage.settle()
    assert [one.state for one in stage.effects("shopify.cancel_order")] == ["superseded"]
    assert stage.shopify_order(order)["cancelled_at"] is None
    stage.configure({"qc": {"actor": "app"}, "cancel": {"cooling_off_minutes": 0}})
    stage.settle()
    assert stage.state(order)[0] == "cancelled"


@on_sqlite
def test_a_cancel_that_waits_becomes_a_review_when_the_merchant_wants_to_look(stage: Stage) -> None:
    order = begin_cancel(stage)
    stage.configure({**COOLING, "qc": {"on_fail": "review"}})
    stage.settle()
    assert stage.state(order) == ("review", "qc_unclear")
    assert [one.state for one in stage.effects("shopify.cancel_order")] == ["superseded"]


@on_sqlite
def test_a_cut_that_waits_becomes_a_cancel_when_the_rule_for_mixed_changes(stage: Stage) -> None:
    stage.configure(COOLING)
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    rest(stage)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    stage.configure({"qc": {"on_mixed": "cancel_order"}})
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 1


def test_what_was_decided_while_observing_is_done_once_live_without_any_webhook(stage: Stage) -> None:
    stage.configure({"mode": "observe"})
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "releasing"
    stage.configure({"mode": "live"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert HOLD not in stage.shopify_order(order)["tags"]


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "cancelled"), ("FAIL:UNSURE", "review")])
def test_a_verdict_after_its_deadline_is_carried_out(stage: Stage, said: str, end: str) -> None:
    stage.configure({"qc": {"reasons": {"UNSURE": "review"}}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "verdict_overdue")
    stage.judge({"I-1": said})
    stage.settle()
    assert stage.state(order)[0] == end
    assert stage.state(order)[1] != "verdict_overdue"
    assert stage.exchange(order["id"]).decided_by is None


@on_sqlite
def test_a_verdict_ends_a_hold_that_was_too_long(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    go_by(stage, 30.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "held_too_long")
    stage.push_return({"A": "S"})
    stage.settle()
    assert stage.state(order) == ("review", "held_too_long")
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order) == ("released", "released")


@on_sqlite
def test_a_person_who_keeps_it_on_hold_after_the_deadline_is_not_overruled(stage: Stage) -> None:
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.decide(order, "hold")
    stage.judge({"I-1": "PASS"})
    stage.settle()
    assert stage.state(order) == ("review", "held_by_hand")


@on_sqlite
def test_a_contrary_verdict_while_a_deadlines_cancel_cools_off_takes_its_place(stage: Stage) -> None:
    stage.configure({**COOLING, "qc": {"on_deadline": "cancel"}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("cancelling", "cancelled_by_deadline")
    stage.judge({"I-1": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert stage.shopify_order(order)["cancel_requests"] == 0


@on_sqlite
def test_a_deadlines_decision_ends_with_the_setting_it_rests_on(stage: Stage) -> None:
    stage.configure({**COOLING, "qc": {"on_deadline": "cancel"}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.configure({**COOLING, "qc": {"on_deadline": "review"}})
    stage.settle()
    assert stage.state(order) == ("review", "verdict_overdue")
    assert stage.shopify_order(order)["cancelled_at"] is None
    assert stage.exchange(order["id"]).decided_by is None


@on_sqlite
def test_another_return_ends_the_review_of_one_that_never_came(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"X": "S"})
    stage.sandbox.rms.notify("RET-1", "108", "CANCELLED", [{"itemId": "X", "sku": "S", "quantity": 1}])
    stage.settle()
    assert stage.state(order) == ("review", "return_ended")
    stage.link(order, "RET-2")
    assert stage.state(order)[0] != "released"
    stage.push_return({"A": "S"}, "RET-2", awbNumber="AWB-2")
    stage.settle()
    assert stage.state(order) == ("awaiting_goods", "return_known")


@on_sqlite
def test_a_hold_put_on_by_hand_ends_the_review_of_an_order_without_one(stage: Stage) -> None:
    stage.configure({"exchange": {"apply_hold_tag": False}})
    order = stage.new_order([line("NEW-A", "A")], tags=[REPLACEMENT])
    stage.push_return({"A": "S"})
    stage.settle()
    assert stage.state(order) == ("review", "never_held")
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    stage.wait_for(lambda: stage.state(order) == ("awaiting_goods", "return_known"))


def test_a_verdict_that_changes_in_review_before_we_acted_replaces_the_first(stage: Stage) -> None:
    stage.configure({"qc": {"on_mixed": "review"}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("review", "qc_unclear")
    stage.judge({"B": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 1}


def test_two_returns_that_use_the_same_item_codes_are_told_apart(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A"), line("NEW-B")], "RET-1,RET-2")
    stage.push_return({"1": "S"}, "RET-1")
    stage.push_return({"1": "S"}, "RET-2", awbNumber="AWB-2")
    stage.judge({"1": "PASS"}, "RET-1")
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    stage.judge({"1": "PASS"}, "RET-2")
    stage.settle()
    assert stage.state(order)[0] == "released"


@on_sqlite
def test_a_named_return_that_has_not_come_yet_is_waited_for(stage: Stage) -> None:
    """The order names two returns; that all units of the first passed says nothing about the second."""
    order = stage.new_order([line("NEW-A"), line("NEW-B")], "RET-1,RET-2")
    stage.push_return({"A": "S"}, "RET-1")
    stage.judge({"A": "PASS"}, "RET-1")
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    stage.push_return({"B": "S"}, "RET-2", awbNumber="AWB-2")
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    stage.judge({"B": "PASS"}, "RET-2")
    stage.settle()
    assert stage.state(order)[0] == "released"


@on_sqlite
def test_one_return_of_two_that_ended_is_not_the_end(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A"), line("NEW-B")], "RET-1,RET-2")
    stage.push_return({"1": "S"}, "RET-1")
    stage.push_return({"2": "S"}, "RET-2", awbNumber="AWB-2")
    stage.sandbox.rms.notify("RET-1", "108", "CANCELLED", [{"itemId": "1", "sku": "S", "quantity": 1}])
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"


@on_sqlite
def test_an_early_cut_whose_unit_passes_while_a_person_is_asked_stays_with_the_person(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit", "reasons": {"ODD": "review"}}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.judge({"B": "FAIL"})
    stage.settle()
    stage.judge({"A": "FAIL:ODD"})
    stage.settle()
    assert stage.state(order) == ("review", "qc_unclear")
    stage.judge({"A": "PASS", "B": "PASS"})
    stage.settle()
    assert stage.state(order) == ("review", "changed_too_late")
    assert HOLD in stage.shopify_order(order)["tags"]
