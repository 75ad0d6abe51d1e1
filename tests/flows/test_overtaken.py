"""Two verdicts on one unit, of which the later is thought about first: a worker died with the earlier one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from core.db import db_now
from core.models import Event
from core.relay.jobs import work
from tests.flows.stage import HOLD, REPLACEMENT, Stage


def judge_late(stage: Stage, *verdicts: str) -> tuple[dict[str, Any], int]:
    """An exchange whose verdicts came one after another; the next to last is still with a worker that died: its id."""
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.settle()
    for place, verdict in enumerate(verdicts, start=2):
        stage.judge({"A": verdict})
        if place == len(verdicts):
            with stage.runtime.database.write() as session:
                slow = session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
                slow.lease_until, number = db_now(3600), slow.id
        else:
            work(stage.runtime, 20)
    return order, number


def think_at_last(stage: Stage, number: int) -> None:
    """The dead worker's lease runs out, and another one takes the message."""
    with stage.runtime.database.write() as session:
        session.get_one(Event, number).lease_until = db_now(-1)
    work(stage.runtime, 20)
    with stage.runtime.database.read() as session:
        assert session.get_one(Event, number).outcome == "ignored"


def test_a_verdict_that_was_overtaken_changes_nothing(stage: Stage) -> None:
    order, number = judge_late(stage, "FAIL", "PASS")
    assert stage.state(order)[0] == "released"
    think_at_last(stage, number)
    assert stage.state(order)[0] == "released"


def test_a_verdict_between_two_equal_ones_changes_nothing_when_it_is_thought_about_last(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    order, number = judge_late(stage, "FAIL", "PASS", "FAIL")
    think_at_last(stage, number)
    assert stage.state(order)[0] == "cancelling"


@pytest.mark.parametrize(
    ("first", "then", "operation"), [("PASS", "FAIL", "RemoveTags"), ("FAIL", "PASS", "CancelOrder")]
)
def test_our_own_act_that_lands_after_qc_changed_its_mind_leaves_the_review_open(
    stage: Stage, first: str, then: str, operation: str
) -> None:
    """The answer was lost, so it is looked up later: what it shows is nobody's decision."""
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.shopify.topics = set()
    stage.sandbox.shopify.faults.add({"match": operation, "kind": "lose_answer", "times": 1})
    stage.judge({"A": first})
    stage.wait_for(lambda: stage.sandbox.shopify.faults.listing()[0]["hits"] > 0)
    stage.judge({"A": then})
    stage.settle(40)
    there = stage.shopify_order(order)
    assert there["cancelled_at"] is not None or HOLD not in there["tags"]
    assert stage.state(order) == ("review", "changed_too_late")


def test_our_own_cancel_leaves_the_review_open_though_a_hold_is_wanted_since(stage: Stage) -> None:
    """The order came without its hold tag and was to be cancelled at once, so the tag is still to be written."""
    stage.push_return({"A": "S"})
    stage.judge({"A": "FAIL"})
    stage.settle()
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", "kind": "lose_answer", "times": 1})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}], tags=[REPLACEMENT])
    stage.sandbox.shopify.topics = set()
    stage.wait_for(lambda: stage.sandbox.shopify.faults.listing()[0]["hits"] > 0)
    stage.judge({"A": "PASS"})
    stage.settle(40)
    assert stage.shopify_order(order)["cancelled_at"] is not None
    assert stage.state(order) == ("review", "changed_too_late")


def test_a_release_that_lands_under_a_hold_that_is_wanted_again_takes_nothing_back(stage: Stage) -> None:
    """The order came without its tag, and QC changes its mind while what removes it is under way; the hold takes two
    tries, and between them its exchange looks again.
    """
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    faults = stage.sandbox.shopify.faults
    faults.add({"match": "RemoveTags", "kind": "delay", "seconds": 2, "times": 1})
    faults.add({"match": "AddTags", "kind": "status", "status": 503, "times": 1})
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}], tags=[REPLACEMENT])

    def change_mind() -> None:
        for place, verdict in enumerate(("FAIL", "FAIL:OTHER")):
            until = time.monotonic() + 20
            while time.monotonic() < until and not faults.listing()[place]["hits"]:
                time.sleep(0.02)
            stage.judge({"A": verdict})

    with ThreadPoolExecutor() as rms:
        changed = rms.submit(change_mind)
        stage.wait_for(changed.done, 40)
        changed.result()
    stage.settle(40)
    assert stage.state(order) == ("review", "changed_too_late")
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.oms_calls(order) == []
