"""One return brings back what several orders replace: each is judged by the units that its own lines name."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core.models import ExchangeHistory
from tests.flows.stage import Stage
from tests.flows.test_mixed import TWO, line
from tests.flows.test_stray_verdicts import judge, notify
from tests.flows.watch_stage import on_sqlite


def order_one_each(stage: Stage) -> list[dict[str, Any]]:
    """Two replacement orders for one return."""
    orders = [stage.new_order([line(f"NEW-{unit}", unit)]) for unit in TWO]
    stage.settle()
    return orders


@pytest.mark.parametrize("full", [False, True], ids=["a notification that lists one", "the full body"])
def test_each_waits_for_its_own_unit(stage: Stage, full: bool) -> None:
    first, second = order_one_each(stage)
    if full:
        stage.push_return(TWO)
        stage.settle()
    notify(stage, TWO if full else {"A": "SKU-A"})
    judge(stage, {"A": "FAIL"})
    assert stage.state(first)[0] == "cancelled"
    assert stage.state(second)[0] == "awaiting_verdict"
    judge(stage, {"B": "PASS"})
    assert stage.state(first)[0] == "cancelled"
    assert stage.state(second)[0] == "released"
    assert {one.outcome for one in stage.events("processing_update")} == {"handled"}


@on_sqlite
def test_a_mixed_return_cancels_no_order_whose_units_passed(stage: Stage) -> None:
    stage.configure({"qc": {"on_mixed": "cancel_order"}})
    first, second = order_one_each(stage)
    stage.push_return(TWO)
    judge(stage, {"A": "FAIL", "B": "PASS"})
    assert [stage.state(one)[0] for one in (first, second)] == ["cancelled", "released"]


@on_sqlite
def test_a_changed_verdict_is_news_of_the_order_that_names_its_unit(stage: Stage) -> None:
    first, second = order_one_each(stage)
    stage.push_return(TWO)
    judge(stage, {"A": "PASS", "B": "PASS"})
    judge(stage, {"A": "FAIL"})
    assert [stage.state(one)[0] for one in (first, second)] == ["released", "released"]
    assert [tells_change(stage, one) for one in (first, second)] == [True, False]


def tells_change(stage: Stage, order: dict[str, Any]) -> bool:
    """Its history says that QC changed its mind too late."""
    mine = (ExchangeHistory.exchange_id == stage.exchange(order["id"]).id, ExchangeHistory.code == "changed_too_late")
    with stage.runtime.database.read() as session:
        return session.scalars(select(ExchangeHistory).where(*mine)).first() is not None


@on_sqlite
def test_an_order_that_names_no_unit_is_judged_by_all_of_them(stage: Stage) -> None:
    named = stage.new_order([line("NEW-A", "A")])
    plain = stage.new_order([line("NEW-B")])
    stage.settle()
    stage.push_return({"A": "SKU-A"})
    judge(stage, {"A": "PASS"})
    assert [stage.state(one)[0] for one in (named, plain)] == ["released", "released"]
