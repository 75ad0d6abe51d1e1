"""What storms are held to finds what it is to find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.storm.checks import count_overtaking, find_faults_of_backlog, find_worst_wait, most_in_a_minute
from tests.storm.fill import LAST_STATUS


@given(st.lists(st.integers(0, 2400).map(lambda eighths: eighths / 8), max_size=60))
def test_the_fullest_minute_is_found(moments: list[float]) -> None:
    moments.sort()
    fullest = max((len([one for one in moments if first <= one < first + 60]) for first in moments), default=0)
    assert most_in_a_minute(moments) == fullest


def test_expectations_behind_a_status_update_are_counted() -> None:
    kinds = ["return-orders", "update-return-order", "return-orders", "awb", "return-orders"]
    assert count_overtaking([(0.0, 0, kind) for kind in kinds]) == 2
    assert count_overtaking([(0.0, 0, "return-orders")]) == 0


def test_what_was_made_twice_or_never_or_is_out_of_date_is_found() -> None:
    well = {"made": 1, "status": LAST_STATUS.value.upper()}
    told = {"oms_returns": {"B0": well, "B1": {**well, "made": 2}, "B2": {**well, "status": "PICKED_UP"}}}
    assert [one[:2] for one in find_faults_of_backlog(told, range(4))] == ["B1", "B2", "B3"]


def test_a_verdict_that_waited_behind_the_updates_is_found() -> None:
    def at(second: float) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

    updates = [(at(0), at(10 + number / 10)) for number in range(150)]
    quick, slow, early = (at(5), at(10.05)), (at(6), at(22.05)), (at(-1), at(40))
    assert find_worst_wait([quick, early], updates) == (1, 150)
    assert find_worst_wait([quick, slow], updates) == (121, 150)
    assert find_worst_wait([early], updates) == (1, 0)
