"""What a storm's calls are held to."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.storm.fill import LAST_STATUS, name_return

Call = tuple[float, int, str]
Span = tuple[datetime, datetime]  # of an event: when it was received, when it ended
_CROWD = 100  # a verdict that found fewer updates waiting tells nothing
_CREATION, _UPDATE = "return-orders", "update-return-order"


def most_in_a_minute(moments: Sequence[float]) -> int:
    """The most calls that any sixty seconds saw. `moments` in order."""
    first = most = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def list_gaps(moments: Sequence[float]) -> list[float]:
    """Seconds between calls, one after another."""
    return [round(later - earlier, 1) for earlier, later in pairwise(moments)]


def p95(seconds: Sequence[float]) -> float:
    """In seconds, to the millisecond."""
    return round(statistics.quantiles(seconds, n=20, method="inclusive")[18], 3)


def count_overtaking(calls: Sequence[Call]) -> int:
    """Expectations that OMS heard after the first status update, though they are more urgent and all waited."""
    kinds = [kind for _, _, kind in calls]
    first = kinds.index(_UPDATE) if _UPDATE in kinds else len(kinds)
    return kinds[first:].count(_CREATION)


def find_worst_wait(verdicts: Sequence[Span], updates: Sequence[Span]) -> tuple[int, int]:
    """Of the updates that waited when a verdict came, how many ended before it did, and all of them.

    Of the verdict that waited for the largest share; (1, 0) when no verdict met a crowd.
    """
    shares = []
    for received, ended in verdicts:
        waited = [done for came, done in updates if came <= received < done]
        if len(waited) >= _CROWD:
            shares.append((sum(done <= ended for done in waited), len(waited)))
    return max(shares, key=lambda share: share[0] / share[1], default=(1, 0))


def find_faults_of_backlog(told: dict[str, Any], numbers: range) -> Iterator[str]:
    """Each return was made once, and OMS knows its newest status."""
    wanted = LAST_STATUS.value.upper()
    for number in numbers:
        known = told["oms_returns"].get(name_return(number))
        if known is None or known["made"] != 1 or known["status"] != wanted:
            yield f"{name_return(number)}: {known}"
