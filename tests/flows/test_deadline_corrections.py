"""A verdict that comes after a deadline has decided without it, and speaks against what was decided."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line
from tests.flows.test_watch_deadlines import history
from tests.flows.watch_stage import await_verdict, go_by, on_sqlite, run_duty
from tests.one_by_one import think

COOLING: dict[str, Any] = {"cancel": {"cooling_off_minutes": 10}}
DECIDED = {"cancel": ("cancelling", "cancelled_by_deadline"), "release": ("releasing", "released_by_deadline")}


def miss_deadline(stage: Stage, decision: str, units: dict[str, str] = TWO) -> dict[str, Any]:
    """An exchange about which the deadline has decided, and nothing was sent yet."""
    stage.configure({**COOLING, "qc": {"on_deadline": decision}})
    order = await_verdict(stage, units)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    assert stage.state(order) == DECIDED[decision]
    return order


def hear(stage: Stage, verdicts: dict[str, str]) -> None:
    """Verdicts are thought about, and nothing is sent meanwhile."""
    stage.judge(verdicts)
    while think(stage.runtime):
        pass


@pytest.mark.parametrize(("decision", "said"), [("cancel", "PASS"), ("release", "FAIL")])
def test_one_contrary_verdict_before_it_is_sent_stops_what_a_deadline_decided(
    stage: Stage, decision: str, said: str
) -> None:
    order = miss_deadline(stage, decision)
    hear(stage, {"A": said})
    stage.settle()
    assert stage.state(order) == ("review", "verdict_overdue")
    assert "speaks against" in stage.exchange(order["id"]).reason
    assert stage.exchange(order["id"]).decided_by is None
    seen = stage.shopify_order(order)
    assert (seen["cancel_requests"], seen["cancelled_at"]) == (0, None)
    assert HOLD in seen["tags"]


@on_sqlite
@pytest.mark.parametrize(("decision", "said"), [("cancel", "FAIL"), ("release", "PASS")])
def test_one_verdict_that_agrees_leaves_it_standing(stage: Stage, decision: str, said: str) -> None:
    order = miss_deadline(stage, decision)
    hear(stage, {"A": said})
    assert stage.state(order) == DECIDED[decision]
    assert stage.exchange(order["id"]).decided_by == "deadline"


@on_sqlite
def test_what_was_stopped_goes_on_by_itself_once_all_verdicts_are_there(stage: Stage) -> None:
    order = miss_deadline(stage, "cancel")
    hear(stage, {"A": "PASS"})
    hear(stage, {"B": "PASS"})
    stage.settle()
    assert stage.state(order) == ("released", "released")
    assert HOLD not in stage.shopify_order(order)["tags"]


@pytest.mark.parametrize(
    ("decision", "said", "end"), [("cancel", "PASS", "cancelled"), ("release", "FAIL", "released")]
)
def test_a_first_verdict_against_what_a_deadline_has_done_is_shown_to_a_person(
    stage: Stage, decision: str, said: str, end: str
) -> None:
    stage.configure({"qc": {"on_deadline": decision}})
    order = await_verdict(stage, TWO)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order)[0] == end
    stage.judge({"A": said})
    stage.settle()
    assert stage.state(order)[0] == end
    event = stage.events("processing_update")[-1]
    assert event.outcome == "parked"
    assert f"A {said} after the order was {end}" in (event.reason or "")
    assert history(stage, "changed_too_late") == [None]


@on_sqlite
@pytest.mark.parametrize(("decision", "said"), [("cancel", "FAIL"), ("release", "PASS")])
def test_a_first_verdict_that_agrees_with_what_a_deadline_has_done_is_not(
    stage: Stage, decision: str, said: str
) -> None:
    stage.configure({"qc": {"on_deadline": decision}})
    await_verdict(stage, TWO)
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    stage.judge({"A": said})
    stage.settle()
    assert stage.events("processing_update")[-1].outcome == "handled"
    assert history(stage, "changed_too_late") == []


@on_sqlite
def test_verdicts_that_would_have_kept_a_line_of_what_a_deadline_cancelled_are_shown_to_a_person(stage: Stage) -> None:
    stage.configure({"qc": {"on_deadline": "cancel"}})
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.sandbox.rms.notify("RET-1", "108", "DELIVERED", [])
    stage.settle()
    go_by(stage, 5.1)
    run_duty(stage, "deadlines")
    stage.settle()
    assert stage.state(order)[0] == "cancelled"
    stage.judge({"A": "FAIL", "B": "PASS"})
    stage.settle()
    assert stage.events("processing_update")[-1].outcome == "parked"
