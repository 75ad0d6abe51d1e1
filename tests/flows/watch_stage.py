"""What the watch's tests do beside the stage: time goes by, duties have their turn, findings are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from core.db import db_now
from core.models import DutyTurn, Exchange, ExchangeHistory, Finding, ReturnOrder
from core.relay.duties import run_due_duties
from core.watch import DriftWatch
from oms_bridge.reconcile import make_look
from shopify_app.reconcile import make_reconciler
from tests.flows.stage import Stage

# for what rests on no SQL that another case does not run on PostgreSQL too
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ITEM = {"I-1": "SHIRT-M"}


def go_by(stage: Stage, days: float) -> None:
    """Everything that is stored about exchanges and returns happened this much earlier."""
    back = timedelta(days=days)
    with stage.runtime.database.write() as session:
        for column in (Exchange.since, ExchangeHistory.at, ReturnOrder.created_at):
            session.execute(
                update(column.class_).values({column: column - text(str(int(back.total_seconds() * 1000)))}),
                execution_options={"synchronize_session": False},
            )


def run_duty(stage: Stage, name: str) -> float | None:
    """One turn of a duty for the stage's shop."""
    duty = next(duty for duty in stage.runtime.registry.duties if duty.name == name)
    return duty.run(stage.shop_id if duty.modes else 0)


def check_drift(stage: Stage) -> None:
    """One round of the drift check that judges at once, however young a change is."""
    reconciler = make_reconciler(stage.runtime)
    look = make_look(stage.runtime)
    DriftWatch(stage.runtime, reconciler.look, look, reconciler.ask_again, grace=timedelta(0)).take_turn(stage.shop_id)


def findings(stage: Stage, *, every: bool = False) -> list[Finding]:
    """The findings that stand, or all."""
    query = select(Finding).order_by(Finding.id)
    with stage.runtime.database.read() as session:
        return list(session.scalars(query if every else query.where(Finding.cleared_at.is_(None))))


def kinds(stage: Stage) -> list[str]:
    """The kinds that stand."""
    return sorted(one.kind for one in findings(stage))


def turn(stage: Stage, name: str) -> DutyTurn:
    """A duty's row for the stage's shop."""
    with stage.runtime.database.read() as session:
        return session.get_one(DutyTurn, f"{name}:{stage.shop_id}")


def await_verdict(stage: Stage, units: dict[str, str] = ITEM, **facts: Any) -> dict[str, Any]:
    """A held order whose goods have arrived and wait for QC."""
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}], **facts)
    stage.push_return(units)
    stage.settle()
    items = [{"itemId": item, "sku": sku, "quantity": 1} for item, sku in units.items()]
    stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", items)
    stage.settle()
    assert stage.state(order) == ("awaiting_verdict", "goods_arrived")
    return order


def run_due(stage: Stage) -> int:
    """Every duty is due; those that may run have their turn, as in a sweep."""
    with stage.runtime.database.write() as session:
        session.execute(update(DutyTurn).values(due_at=db_now(-1)))
    return run_due_duties(stage.runtime)
