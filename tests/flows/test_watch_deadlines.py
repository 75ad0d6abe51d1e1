"""Deadlines: each outcome end to end, and when nothing may happen."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from core.db import db_now
from core.models import Event, ExchangeHistory
from tests.flows.stage import HOLD, Stage
from tests.flows.watch_stage import await_verdict, go_by, on_sqlite, run_due, run_duty

TWO = {"I-1": "SHIRT-M", "I-2": "SHIRT-M"}


def history(stage: Stage, code: str) -> list[str | None]:
    """The actors of the history rows with this code."""
    with stage.runtime.database.read() as session:
        return list(session.scalars(select(ExchangeHistory.actor).where(ExchangeHistory.code == code)))


@on_sqlite
def test_nothing_is_late_before_its_time(stage: Stage) -> None:
    order = await_verdict(stage)
    go_by(stage, 4.9)
    assert run_duty(stage, "deadlines") is None
    assert stage.state(order) == ("awaiting_verdict", "goods_arrived")


def test_a_verdict_that_is_overdue_goes_to_a_person(stage: Stage) -> None:
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "verdict_overdue")
    assert history(stage, "verdict_overdue") == ["deadline"]
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"] is True


def test_the_deadline_releases_when_the_settings_say_so(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "release"}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("releasing", "released_by_deadline")
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert stage.exchange(order["id"]).decided_by == "deadline"
    assert HOLD not in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"] is False


def test_the_deadline_cancels_when_the_settings_say_so(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "cancel"}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order)[0] == "cancelled"
    assert stage.shopify_order(order)["cancel_requests"] == 1
    assert stage.oms_order(order)["status"] == "CANCELLED"


@on_sqlite
def test_a_cancel_by_deadline_cools_off_and_a_person_can_stop_it(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "cancel"}, "cancel": {"cooling_off_minutes": 10}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("cancelling", "cancelled_by_deadline")
    last = stage.effects("shopify.cancel_order")[-1]
    assert last.state == "pending"
    assert (last.due_at - last.created_at).total_seconds() == pytest.approx(600, abs=1)
    stage.decide(order, "hold")
    stage.settle()
    assert stage.state(order) == ("review", "held_by_hand")
    assert stage.shopify_order(order)["cancelled_at"] is None


@on_sqlite
@pytest.mark.parametrize("actor", ["partner", "none"])
def test_a_deadline_never_acts_where_the_app_does_not(stage: Stage, actor: str) -> None:
    stage.configure({"qc": {"on_deadline": "cancel", "actor": actor}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "verdict_overdue")
    assert not [one for one in stage.effects() if one.kind.startswith("shopify.")]


@on_sqlite
def test_a_deadline_does_not_act_against_a_verdict_that_is_known(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "release"}})
    order = await_verdict(stage, TWO)
    stage.judge({"I-1": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_verdict"
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "verdict_overdue")
    assert "speak against" in stage.exchange(order["id"]).reason


def test_an_order_held_too_long_is_raised_once_and_says_what_it_waited_for(stage: Stage) -> None:
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}])
    stage.settle()
    go_by(stage, 30.1)
    for _ in range(2):
        run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "held_too_long")
    assert "no return order is known" in stage.exchange(order["id"]).reason
    stage.decide(order, "hold")
    go_by(stage, 31)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "held_by_hand")
    assert history(stage, "held_too_long") == ["deadline"]


@on_sqlite
def test_an_order_in_review_is_held_too_long_too(stage: Stage) -> None:
    order = await_verdict(stage)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    go_by(stage, 25)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "held_too_long")


@pytest.mark.parametrize("said", ["PASS", "FAIL"])
def test_a_partner_that_does_nothing_is_raised(stage: Stage, said: str) -> None:
    stage.configure({"qc": {"actor": "partner"}})
    order = await_verdict(stage)
    stage.judge({"I-1": said})
    stage.settle()
    assert stage.state(order)[0] in ("releasing", "cancelling")
    go_by(stage, 4.9)
    run_duty(stage, "deadlines")
    assert stage.state(order)[0] in ("releasing", "cancelling")
    go_by(stage, 0.2)
    run_duty(stage, "deadlines")
    assert stage.state(order) == ("review", "partner_overdue")


@on_sqlite
def test_a_paused_shop_has_no_deadlines(stage: Stage) -> None:
    order = await_verdict(stage)
    go_by(stage, 5.1)
    stage.configure({"mode": "paused"})
    run_due(stage)
    assert stage.state(order) == ("awaiting_verdict", "goods_arrived")
    stage.configure({})
    run_due(stage)
    assert stage.state(order) == ("review", "verdict_overdue")


@on_sqlite
def test_in_observe_mode_it_is_decided_and_nothing_sent(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "release"}})
    order = await_verdict(stage)
    stage.configure({"mode": "observe", "qc": {"on_deadline": "release"}})
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order) == ("releasing", "released_by_deadline")
    assert [one.state for one in stage.effects("shopify.tag_order")] == ["would_have"]
    assert HOLD in stage.shopify_order(order)["tags"]


def test_after_an_outage_the_verdict_that_waits_comes_first(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "cancel"}})
    order = await_verdict(stage)
    go_by(stage, 5.1)
    stage.judge({"I-1": "PASS"})
    with stage.runtime.database.write() as session:  # it came while the workers were down
        session.execute(update(Event).where(Event.outcome.is_(None)).values(received_at=db_now(-3600)))
    run_duty(stage, "deadlines")
    assert stage.state(order)[0] == "awaiting_verdict"
    stage.settle()
    run_duty(stage, "deadlines")
    assert stage.state(order)[0] == "released"
