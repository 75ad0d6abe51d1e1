"""Two verdicts on one unit, of which the later is thought about first: a worker died with the earlier one."""

from __future__ import annotations

from sqlalchemy import select

from core.db import db_now
from core.models import Event
from core.relay.jobs import work
from tests.flows.stage import Stage


def test_a_verdict_that_was_overtaken_changes_nothing(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.judge({"A": "FAIL"})
    with stage.runtime.database.write() as session:
        failed = session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
        failed.lease_until, number = db_now(3600), failed.id
    stage.judge({"A": "PASS"})
    work(stage.runtime, 20)
    assert stage.state(order)[0] == "released"
    with stage.runtime.database.write() as session:
        session.get_one(Event, number).lease_until = db_now(-1)
    stage.settle()
    with stage.runtime.database.read() as session:
        assert session.get_one(Event, number).outcome == "ignored"
    assert stage.state(order)[0] == "released"
