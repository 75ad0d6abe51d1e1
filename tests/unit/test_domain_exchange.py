"""The exchange table is total, and what is settled for good stays so."""

from __future__ import annotations

import pytest

from core.domain.exchange import TABLE, Move, Signal, State, Stay, decide


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


def test_no_way_leads_back_from_acting_to_waiting() -> None:
    waiting = {State.AWAITING_RETURN, State.AWAITING_GOODS, State.AWAITING_VERDICT}
    for state in set(State) - waiting:
        for signal in set(Signal) - {Signal.MORE_UNITS}:  # which holds only while nothing has been begun
            step = decide(state, signal)
            assert not (isinstance(step, Move) and step.to in waiting)
