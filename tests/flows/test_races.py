"""Runs that once ended wrongly: two things at one time, messages late, calls refused in between."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now
from core.models import Effect
from tests.flows.stage import HOLD, REPLACEMENT, Stage
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_oms_doors import ask, connect
from tests.flows.watch_stage import check_drift, run_duty
from tests.one_by_one import think

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ONE = {"A": "S"}
LATER = {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}}


def think_all(stage: Stage) -> None:
    """Every event that waits, and those that Shopify is delivering, are thought about; nothing is sent."""
    while not (stage.sandbox.shopify.settle(0.3) and think(stage.runtime) == 0):
        pass


def make_due(stage: Stage, kind: str) -> None:
    """The time that effects of a kind were put off by has passed."""
    with stage.runtime.database.write() as session:
        session.execute(update(Effect).where(Effect.kind == kind, Effect.state == "pending").values(due_at=db_now(-1)))


def next_second() -> None:
    """Shopify stamps whole seconds: what comes now is newer than what was."""
    time.sleep(1.1)


def start(stage: Stage, units: dict[str, str] = ONE) -> dict[str, Any]:
    """A held order whose return is known."""
    order = stage.new_order([line(f"NEW-{unit}", unit) for unit in units])
    stage.push_return(units)
    stage.settle()
    return order


def test_an_early_cut_ends_when_the_verdict_turns(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit"}, "cancel": {"cooling_off_minutes": 10}})
    order = start(stage, TWO)
    stage.judge({"B": "FAIL"})
    stage.wait_for(lambda: bool(stage.effects("shopify.cancel_lines")))
    stage.judge({"B": "PASS"})
    think_all(stage)
    make_due(stage, "shopify.cancel_lines")
    stage.settle()
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 1}


@pytest.mark.parametrize("turn", ["person", "verdict"])
def test_a_cancel_that_shopify_never_took_ends_with_its_cause(stage: Stage, turn: str) -> None:
    order = start(stage)
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", **LATER})
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: any(one.reason for one in stage.effects("shopify.cancel_order")))
    if turn == "person":
        stage.decide(order, "hold")
    else:
        stage.judge({"A": "PASS"})
        think_all(stage)
    stage.sandbox.shopify.faults.clear()
    make_due(stage, "shopify.cancel_order")
    stage.settle()
    assert stage.shopify_order(order)["cancelled_at"] is None
    assert stage.state(order)[0] == ("review" if turn == "person" else "released")


def test_a_hold_that_is_on_its_way_when_the_goods_pass_is_not_left_behind(stage: Stage) -> None:
    stage.sandbox.shopify.faults.add({"match": "AddTags", **LATER})
    order = stage.new_order([line("NEW-A", "A")], tags=[REPLACEMENT])
    stage.wait_for(lambda: any(one.reason for one in stage.effects("shopify.tag_order")))
    stage.push_return(ONE)
    stage.judge({"A": "PASS"})
    think_all(stage)
    stage.sandbox.shopify.faults.clear()
    make_due(stage, "shopify.tag_order")
    stage.settle()
    assert HOLD not in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"] is False


def test_a_release_that_never_went_out_ends_when_a_person_keeps_the_hold(stage: Stage) -> None:
    order = start(stage)
    stage.sandbox.shopify.faults.add({"match": "RemoveTags", **LATER})
    stage.judge({"A": "PASS"})
    stage.wait_for(lambda: any(one.reason for one in stage.effects("shopify.tag_order")))
    stage.judge({"A": "FAIL"})
    think_all(stage)
    stage.decide(order, "hold")
    stage.sandbox.shopify.faults.clear()
    make_due(stage, "shopify.tag_order")
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"]


def test_an_unhold_that_was_not_sent_ends_when_the_hold_is_back(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    think_all(stage)
    assert [one.state for one in stage.effects("oms.unhold_order")] == ["pending"]
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    think_all(stage)
    stage.wait_for(lambda: not stage.describe_waiting_now())
    assert stage.oms_order(order)["on_hold"]


def test_a_cancel_finds_the_hold_lifted_though_no_webhook_told(stage: Stage) -> None:
    order = start(stage)
    stage.sandbox.shopify.topics = set()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.shopify_order(order)["cancelled_at"] is None
    assert "lifted" in (stage.effects("shopify.cancel_order")[0].reason or "")


def test_a_cancel_waits_again_when_more_units_come_to_light(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    stage.judge({"A": "FAIL"})
    think_all(stage)
    assert stage.state(order)[0] == "cancelling"
    stage.push_return({"A": "S", "B": "S"})
    think_all(stage)
    make_due(stage, "shopify.cancel_order")
    stage.settle()
    assert stage.state(order) == ("awaiting_verdict", "more_units")
    assert stage.shopify_order(order)["cancelled_at"] is None


def test_oms_hears_a_cancel_before_an_unhold_that_was_not_sent_yet(stage: Stage) -> None:
    stage.configure({"qc": {"actor": "none"}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.settle()
    stage.sandbox.oms.faults.add({"match": "PUT /orders", "kind": "status", "status": 503})
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    think_all(stage)
    next_second()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][1]["id"], 0)
    think_all(stage)
    stage.sandbox.oms.faults.clear()
    stage.settle()
    assert stage.oms_calls(order) == ["cancel", "unhold"]


def test_a_corrected_verdict_counts_where_we_had_put_the_hold_on(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")], tags=[REPLACEMENT])
    stage.push_return(TWO)
    stage.settle()
    for said in ({"A": "FAIL"}, {"A": "PASS"}, {"B": "PASS"}):
        stage.judge(said)
        stage.settle()
    assert stage.state(order)[0] == "released"


def test_a_partner_hears_each_verdict_once(stage: Stage) -> None:
    start(stage, TWO)
    stage.judge({"A": "PASS"})
    stage.settle()
    stage.judge({"A": "PASS", "B": "PASS"})
    stage.settle()
    told = [item["itemCode"] for one in stage.sandbox.partner.received for item in one["body"]["orderItems"]]
    assert sorted(told) == ["A", "B"]


def test_a_hint_does_not_overtake_a_partners_cut(stage: Stage) -> None:
    stage.sandbox.shopify.topics |= {"returns/update"}
    stage.configure({"qc": {"actor": "partner"}})
    order = start(stage, TWO)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.sandbox.shopify.send_webhook(stage.shop, "returns/update", {"id": 1, "order": {"id": order["id"]}})
    think_all(stage)
    stage.wait_for(lambda: not stage.describe_waiting_now())
    assert "unhold" not in stage.oms_calls(order)


def test_a_persons_release_passes_a_cancel_that_is_parked(stage: Stage) -> None:
    order = start(stage)
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", "kind": "status", "status": 400, "times": 1})
    stage.judge({"A": "FAIL"})
    stage.settle()
    stage.decide(order, "release")
    stage.settle()
    assert HOLD not in stage.shopify_order(order)["tags"]


def test_verdicts_that_swap_after_the_cut_cut_nothing_more(stage: Stage) -> None:
    """Both plans are to cut a line, but not the same one."""
    order = start(stage, TWO)
    stage.sandbox.shopify.faults.add({"match": "RemoveTags", **LATER})
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.wait_for(lambda: quantities(stage, order)["NEW-B"] == 0)
    think_all(stage)
    assert stage.state(order) == ("cancelling", "qc_mixed")
    stage.judge({"A": "FAIL", "B": "PASS"})
    think_all(stage)
    assert stage.state(order) == ("review", "changed_too_late")
    stage.sandbox.shopify.faults.clear()
    make_due(stage, "shopify.tag_order")
    stage.settle()
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    assert HOLD in stage.shopify_order(order)["tags"]


def test_a_cut_by_hand_that_no_webhook_told_reaches_oms_after_our_own_tag_write(stage: Stage) -> None:
    order = start(stage, TWO)
    stage.sandbox.shopify.topics = set()
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][1]["id"], 0)
    stage.judge({"A": "PASS", "B": "PASS"})
    stage.settle()
    run_duty(stage, "reconcile")
    check_drift(stage)
    stage.settle()
    assert "cancel" in stage.oms_calls(order)


def test_a_sellers_later_cancellation_keeps_the_earlier_ones(stage: Stage) -> None:
    """The first one is done and its webhook is late; the second cannot be done: only the second is void."""
    connect(stage)
    order = stage.new_order([{"sku": "NEW-A", "quantity": 2}, {"sku": "NEW-B", "quantity": 2}])
    stage.settle()
    first, second = (str(one["id"]) for one in stage.shopify_order(order)["lines"])
    stage.sandbox.shopify.topics = set()
    done = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {first: 1}))
    assert done[1]["hasError"] is False
    stage.sandbox.shopify.faults.add({"match": "BeginEdit", "kind": "status", "status": 400, "times": 1})
    refused = ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {second: 1}))
    assert refused[1]["hasError"] is True
    next_second()
    stage.sandbox.shopify.topics = {"orders/updated"}
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.settle()
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 2}
    assert stage.oms_calls(order) == []
