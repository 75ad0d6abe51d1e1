"""A lost webhook is healed by reading what changed; repeats cost nothing; a walk that was cut off goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import update

from core.clock import parse_time, utc_now
from core.domain.exchange import State
from core.errors import Fault
from core.models import WatchPlace
from shopify_app import reconcile
from shopify_app.reconcile import make_reconciler
from tests.flows.stage import HOLD, Stage
from tests.flows.watch_stage import on_sqlite, run_duty

LINES = [{"sku": "SHIRT-L", "quantity": 1}]


def reconciled(stage: Stage) -> list[tuple[str, str | None]]:
    """The events of reconciliation: delivery id and outcome."""
    return [(one.delivery_id, one.outcome) for one in stage.events("orders/updated") if one.source == "reconcile"]


def place(stage: Stage) -> WatchPlace:
    """How far the watch has come."""
    with stage.runtime.database.read() as session:
        return session.get_one(WatchPlace, stage.shop_id)


def command(stage: Stage, *arguments: str) -> Result:
    """`flask --app app …` in this process."""
    return stage.app.test_cli_runner().invoke(args=list(arguments))


def lose_order(stage: Stage, **facts: Any) -> dict[str, Any]:
    """A replacement order of which no webhook comes."""
    heard = len(stage.events("orders/create"))
    stage.sandbox.shopify.delivery.lose_next()
    order = stage.new_order(LINES, **facts)
    stage.settle()
    assert len(stage.events("orders/create")) == heard
    return order


@on_sqlite
def test_a_lost_order_is_found(stage: Stage) -> None:
    order = lose_order(stage)
    assert run_duty(stage, "reconcile") is None
    stage.settle()
    assert stage.state(order)[0] == State.AWAITING_RETURN
    assert stage.oms_order(order)["on_hold"] is True


def test_a_lost_lift_is_found_and_told_to_oms(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.settle()
    stage.sandbox.shopify.delivery.lose_next()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    assert stage.oms_order(order)["on_hold"] is True
    run_duty(stage, "reconcile")
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    assert stage.oms_order(order)["on_hold"] is False


@on_sqlite
def test_what_is_known_and_what_is_not_ours_makes_no_event(stage: Stage) -> None:
    stage.new_order(LINES)
    stage.new_order(LINES, code=None, tags=["gift"])
    stage.settle()
    calls = len(stage.sandbox.oms.calls)
    run_duty(stage, "reconcile")
    assert reconciled(stage) == []
    assert len(stage.sandbox.oms.calls) == calls


def test_a_repeat_is_refused(stage: Stage) -> None:
    lose_order(stage)
    for _ in range(3):
        run_duty(stage, "reconcile")
    stage.settle()
    run_duty(stage, "reconcile")
    assert [outcome for _, outcome in reconciled(stage)] == ["handled"]


def test_the_watermark_moves_to_the_newest_change_and_the_next_walk_starts_before_it(stage: Stage) -> None:
    order = lose_order(stage)
    run_duty(stage, "reconcile")
    seen = place(stage)
    assert seen.seen_until is not None
    assert seen.seen_until == parse_time(order["updated_at"])
    assert (seen.cursor, seen.since) == (None, None)
    with stage.runtime.database.write() as session:
        session.execute(update(WatchPlace).values(seen_until=seen.seen_until + timedelta(minutes=4)))
    stage.sandbox.shopify.delivery.lose_next()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["late"], [])
    run_duty(stage, "reconcile")
    assert len(reconciled(stage)) == 2


def test_a_walk_that_was_cut_off_goes_on_where_it_was(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _small_pages(monkeypatch)
    orders = [lose_order(stage, code=f"RET-{number}") for number in range(5)]
    monkeypatch.setattr(reconcile, "_TURN_SECONDS", 0.0)
    reconciler = make_reconciler(stage.runtime)
    assert reconciler._take_page(stage.shop_id) is not None
    assert len(reconciled(stage)) == 2
    stage.sandbox.shopify.faults.add({"match": "OrdersUpdatedSince", "kind": "status", "status": 503, "times": 1})
    with pytest.raises(Fault):
        reconciler._take_page(stage.shop_id)
    assert reconciler._take_page(stage.shop_id) is not None
    assert len(reconciled(stage)) == 4
    assert reconciler._take_page(stage.shop_id) is None
    stage.settle()
    assert {stage.state(order)[0] for order in orders} == {State.AWAITING_RETURN}
    assert place(stage).cursor is None


@on_sqlite
def test_a_cursor_that_shopify_takes_no_more_starts_the_walk_again(stage: Stage) -> None:
    order = lose_order(stage)
    run_duty(stage, "reconcile")
    with stage.runtime.database.write() as session:
        session.execute(update(WatchPlace).values(cursor="stale", since=utc_now() - timedelta(hours=1)))
    assert run_duty(stage, "reconcile") is None
    assert place(stage).cursor is None
    stage.settle()
    assert stage.state(order)[0] == State.AWAITING_RETURN


def test_the_command_says_how_many_were_news(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _small_pages(monkeypatch)
    stage.new_order(LINES)
    stage.settle()
    lost = [lose_order(stage, code=f"RET-{number}") for number in range(2, 4)]
    for news in (2, 0):
        ended = command(stage, "reconcile", stage.shop, "--since", f"{utc_now():%Y-%m-%d}")
        assert ended.exit_code == 0, ended.output
        assert f"3 orders looked at, {news} were news" in ended.output
    stage.settle()
    assert {stage.state(order)[0] for order in lost} == {State.AWAITING_RETURN}


@on_sqlite
def test_a_time_that_is_none_is_refused(stage: Stage) -> None:
    for since in ("yesterday", "2026-01-31T10:00:00", "2026-13-01", ""):
        ended = command(stage, "reconcile", stage.shop, "--since", since)
        assert ended.exit_code == 2
        assert "e.g. 2026-01-31" in ended.output


@on_sqlite
def test_a_shop_that_is_not_there_and_a_shopify_that_is_away_are_said(stage: Stage) -> None:
    assert "no shop" in command(stage, "reconcile", "none.myshopify.com", "--since", "2026-01-31").output
    stage.sandbox.shopify.faults.add({"match": "OrdersUpdatedSince", "kind": "status", "status": 503, "times": 1})
    ended = command(stage, "reconcile", stage.shop, "--since", "2026-01-31T10:00:00+05:30")
    assert ended.exit_code == 1
    assert "503" in ended.output
    assert "Traceback" not in ended.output


@on_sqlite
def test_the_command_does_not_make_the_periodic_walk_leave_anything_out(stage: Stage) -> None:
    run_duty(stage, "reconcile")
    lose_order(stage)
    soon = (utc_now() + timedelta(days=1)).isoformat()
    assert command(stage, "reconcile", stage.shop, "--since", soon).exit_code == 0
    run_duty(stage, "reconcile")
    assert len(reconciled(stage)) == 1


def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    small = reconcile.queries.ORDERS_UPDATED_SINCE.replace("first: 100", "first: 2")
    monkeypatch.setattr(reconcile.queries, "ORDERS_UPDATED_SINCE", small)
