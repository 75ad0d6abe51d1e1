"""Duties: once, whoever sweeps; what fails stops nothing; a turn that was lost is taken by another process."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import select, update

from app import create_runtime
from core.db import db_now
from core.errors import Throttled
from core.models import DutyTurn
from core.registry import Duty
from core.relay import duties
from core.relay.duties import run_due_duties
from core.relay.jobs import sweep
from core.runtime import Runtime
from tests.flows.stage import Stage
from tests.flows.watch_stage import on_sqlite, run_due

HOUSE = 0


class Count:
    """A duty's work that counts, and does what it is told."""

    def __init__(self, answer: float | None = None, error: Exception | None = None, seconds: float = 0):
        self.answer, self.error, self.seconds = answer, error, seconds
        self.runs: list[int] = []

    def __call__(self, shop_id: int) -> float | None:
        self.runs.append(shop_id)
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        return self.answer


def enter(stage: Stage, **works: Count) -> None:
    """These duties and no others, once for the house."""
    stage.runtime.registry.duties[:] = [Duty(name, 60, work) for name, work in works.items()]


def rows(stage: Stage) -> dict[str, DutyTurn]:
    """The turns by key."""
    with stage.runtime.database.read() as session:
        return {one.key: one for one in session.scalars(select(DutyTurn))}


def wait_seconds(stage: Stage, key: str) -> float:
    """How long until a turn is due."""
    found = rows(stage)[key]
    assert found.ended_at is not None
    return (found.due_at - found.ended_at).total_seconds()


@on_sqlite
def test_a_duty_runs_once_in_its_time(stage: Stage) -> None:
    work = Count()
    enter(stage, one=work)
    assert [run_due_duties(stage.runtime) for _ in range(3)] == [1, 0, 0]
    assert wait_seconds(stage, "one") == pytest.approx(60, abs=1)
    assert run_due(stage) == 1
    assert work.runs == [HOUSE, HOUSE]


def test_two_sweepers_run_it_once(stage: Stage) -> None:
    work = Count(seconds=0.5)
    enter(stage, one=work)
    other = create_runtime(stage.config)
    other.registry.duties[:] = stage.runtime.registry.duties
    sweepers = [threading.Thread(target=run_due_duties, args=(runtime,)) for runtime in (stage.runtime, other)]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    other.database.dispose()
    assert work.runs == [HOUSE]


@pytest.mark.parametrize("error", [ValueError("ours"), Throttled("slower", retry_after=90)])
def test_a_duty_that_fails_stops_no_other_and_has_its_next_turn(stage: Stage, error: Exception) -> None:
    bad, good = Count(error=error), Count()
    enter(stage, bad=bad, good=good)
    assert run_due_duties(stage.runtime) == 2
    assert (bad.runs, good.runs) == ([HOUSE], [HOUSE])
    assert rows(stage)["bad"].trouble == ("slower" if isinstance(error, Throttled) else rows(stage)["bad"].trouble)
    assert wait_seconds(stage, "bad") == pytest.approx(90 if isinstance(error, Throttled) else 60, abs=1)
    assert rows(stage)["good"].trouble is None
    bad.error = None
    run_due(stage)
    assert rows(stage)["bad"].trouble is None


@on_sqlite
def test_a_fault_of_ours_is_named_by_its_incident_and_not_by_its_words(stage: Stage) -> None:
    enter(stage, bad=Count(error=ValueError("a secret")))
    run_due_duties(stage.runtime)
    trouble = rows(stage)["bad"].trouble or ""
    assert "incident" in trouble
    assert "secret" not in trouble


@on_sqlite
def test_one_that_asks_for_more_goes_on_soon(stage: Stage) -> None:
    work = Count(answer=3)
    enter(stage, one=work)
    run_due_duties(stage.runtime)
    assert wait_seconds(stage, "one") == pytest.approx(3, abs=0.5)


def test_a_turn_whose_process_died_is_taken_by_another(stage: Stage) -> None:
    work = Count()
    enter(stage, one=work)
    run_due_duties(stage.runtime)
    with stage.runtime.database.write() as session:
        session.execute(update(DutyTurn).values(due_at=db_now(-1), lease_until=db_now(60)))
    assert run_due_duties(stage.runtime) == 0
    with stage.runtime.database.write() as session:
        session.execute(update(DutyTurn).values(lease_until=db_now(-1)))
    assert run_due_duties(stage.runtime) == 1


def test_a_process_that_was_frozen_past_its_lease_writes_nothing(stage: Stage) -> None:
    def lose_the_lease(_: int) -> float | None:
        with stage.runtime.database.write() as session:
            session.execute(update(DutyTurn).values(fence=DutyTurn.fence + 1, due_at=db_now(1000)))
        return None

    stage.runtime.registry.duties[:] = [Duty("one", 60, lose_the_lease)]
    run_due_duties(stage.runtime)
    left = rows(stage)["one"]
    assert left.ended_at is None
    assert left.lease_until is not None


def test_a_shop_has_its_own_turn_in_the_modes_of_the_duty(stage: Stage) -> None:
    work = Count()
    stage.runtime.registry.duties[:] = [Duty("per_shop", 60, work, modes=("live",))]
    run_due_duties(stage.runtime)
    assert work.runs == [stage.shop_id]
    stage.configure({"mode": "paused"})
    assert run_due(stage) == 0
    stage.configure({})
    assert run_due(stage) == 1


@on_sqlite
def test_a_sweep_goes_on_while_a_duty_hangs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "_WAIT_SECONDS", 0.1)
    slow = Count(seconds=1.5)
    enter(stage, slow=slow)
    began = time.monotonic()
    sweep(stage.runtime)
    sweep(stage.runtime)
    assert time.monotonic() - began < 1.4
    for thread in threading.enumerate():
        if thread.name == "duties":
            thread.join()
    assert slow.runs == [HOUSE]
    assert rows(stage)["slow"].ended_at is not None


def test_the_duties_of_the_product_all_run(stage: Stage) -> None:
    names = {duty.name for duty in stage.runtime.registry.duties}
    each = {duty.name for duty in stage.runtime.registry.duties if duty.modes}
    assert names == {"purge", "deadlines", "reconcile", "drift", "connection", "endpoints"}
    assert run_due_duties(stage.runtime, 60) == len(names)
    found = rows(stage)
    assert set(found) == names - each | {f"{name}:{stage.shop_id}" for name in each}
    assert {one.trouble for one in found.values()} == {None}


@on_sqlite
def test_trouble_is_written_down_until_it_is_over(stage: Stage) -> None:
    stage.sandbox.shopify.faults.add({"match": "OrdersUpdatedSince", "status": 503, "times": 1})
    run_due_duties(stage.runtime, 60)
    assert "503" in (rows(stage)[f"reconcile:{stage.shop_id}"].trouble or "")
    run_due(stage)
    assert rows(stage)[f"reconcile:{stage.shop_id}"].trouble is None


@on_sqlite
def test_a_database_that_is_away_does_not_end_the_sweeper(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Runtime) -> int:
        raise ConnectionError("away")

    monkeypatch.setattr(duties, "run_due_duties", fail)
    for _ in range(5):
        duties.start_duties(stage.runtime)
    monkeypatch.undo()
    assert run_due(stage) >= 0
