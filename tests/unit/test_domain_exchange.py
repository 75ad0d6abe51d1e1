"""The exchange table is total, and what is settled for good stays so."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import Any

import pytest

from core.domain.exchange import LACKING, TABLE, Facts, Move, Signal, State, Stay, decide, is_end_refuted, read_signal
from core.domain.plan import PlanKind
from core.domain.returns import CountsAs


@pytest.mark.parametrize("state", State)
def test_every_cell_says_move_or_stay_and_why(state: State) -> None:
    assert set(TABLE[state]) == set(Signal)
    for signal in Signal:
        step = decide(state, signal)
        assert isinstance(step, Move | Stay)
        assert step.why


@pytest.mark.parametrize("state", [State.CANCELLED, State.OVERRIDDEN])
def test_what_is_settled_for_good_stays(state: State) -> None:
    assert all(isinstance(decide(state, signal), Stay) for signal in Signal)


WAITING = {State.AWAITING_RETURN, State.AWAITING_GOODS, State.AWAITING_VERDICT}


def list_ways_back(state: State) -> set[Signal]:
    """The signals by which a state is left for one that waits."""
    steps = {signal: decide(state, signal) for signal in Signal}
    return {signal for signal, step in steps.items() if isinstance(step, Move) and step.to in WAITING}


@pytest.mark.parametrize("state", [State.RELEASED, State.CANCELLED, State.PARTLY_CANCELLED, State.OVERRIDDEN])
def test_no_way_leads_back_from_what_is_over(state: State) -> None:
    assert list_ways_back(state) == set()


@pytest.mark.parametrize("state", [State.RELEASING, State.CANCELLING])
def test_an_act_waits_again_only_for_more_units_and_only_before_it_was_begun(state: State) -> None:
    assert list_ways_back(state) == {Signal.MORE_UNITS}
    assert read_signal(make_facts(underway=PlanKind.CANCEL, plan=PlanKind.WAIT)) is Signal.MORE_UNITS
    assert read_signal(make_facts(underway=PlanKind.CANCEL, plan=PlanKind.WAIT, acted=True)) is Signal.CHANGED_TOO_LATE


def test_a_review_is_left_for_waiting_only_when_what_it_lacked_has_come() -> None:
    """`never_held` and `return_ended` lack something else than a verdict; every other review is stuck without one."""
    assert list_ways_back(State.REVIEW) == {Signal.RETURN_KNOWN, Signal.GOODS_ARRIVED, Signal.NOTHING_KNOWN}
    assert set(LACKING) == {"never_held", "return_ended"}
    for known, arrived in itertools.product((True, False), repeat=2):
        free = make_facts(return_known=known, goods_arrived=arrived)
        assert read_signal(free) in list_ways_back(State.REVIEW)
        assert read_signal(replace(free, stuck=True)) is Signal.WAITS_FOR_PERSON
        assert read_signal(replace(free, decided=True)) is Signal.DECIDED_BY_HAND


def test_a_cut_that_would_now_leave_other_lines_is_for_a_person() -> None:
    cutting = make_facts(underway=PlanKind.CUT, plan=PlanKind.CUT, acted=True)
    assert read_signal(cutting) is Signal.UNDER_WAY
    assert read_signal(replace(cutting, outdated=True)) is Signal.CHANGED_TOO_LATE


@pytest.mark.parametrize("underway", [PlanKind.RELEASE, PlanKind.CANCEL])
def test_what_a_deadline_decided_ends_with_a_verdict_against_it(underway: PlanKind) -> None:
    stands = make_facts(underway=underway, by_deadline=True)
    assert read_signal(stands) is Signal.UNDER_WAY
    assert read_signal(replace(stands, refuted=True)) is Signal.DEADLINE_REFUTED
    assert read_signal(replace(stands, refuted=True, acted=True)) is Signal.CHANGED_TOO_LATE


@pytest.mark.parametrize("plan", [PlanKind.RELEASE, PlanKind.CUT])
def test_a_line_cut_early_that_would_not_be_cut_now_is_for_a_person(plan: PlanKind) -> None:
    waits = make_facts(plan=plan, acted=True, goods_arrived=True)
    assert read_signal(waits) in (Signal.TO_RELEASE, Signal.TO_CUT)
    assert read_signal(replace(waits, outdated=True)) is Signal.CHANGED_TOO_LATE


def test_an_end_is_refuted_only_by_what_all_verdicts_do_not_ask_for() -> None:
    passed, failed = {CountsAs.PASS}, {CountsAs.FAIL}
    for end in (State.RELEASED, State.PARTLY_CANCELLED):
        assert is_end_refuted(end, PlanKind.WAIT, failed, cut_done=True)
        assert not is_end_refuted(end, PlanKind.WAIT, passed, cut_done=True)
        assert is_end_refuted(end, PlanKind.CUT, failed, cut_done=False)
        assert not is_end_refuted(end, PlanKind.CUT, failed, cut_done=True)
    assert is_end_refuted(State.CANCELLED, PlanKind.RELEASE, passed, cut_done=True)
    assert not is_end_refuted(State.CANCELLED, PlanKind.CANCEL, passed, cut_done=True)
    assert not any(
        is_end_refuted(state, plan, set(), cut_done=False) for state, plan in itertools.product(State, PlanKind)
    )


def make_facts(**said: Any) -> Facts:
    """A held order about which nothing else is known."""
    nothing = {field.name: False for field in fields(Facts)}
    return Facts(**{**nothing, "held": True, "ours": True, "underway": None, "plan": PlanKind.WAIT, **said})
