"""What storms are held to finds what it is to find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.storm.checks import count_overtaking, find_faults_of_backlog, most_in_a_minute
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
