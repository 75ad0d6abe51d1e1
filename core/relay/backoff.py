"""When to try again: the schedules of DESIGN §9, with jitter so that many failures do not return as one crowd."""

from __future__ import annotations

import random

_MINUTE, _HOUR = 60.0, 3600.0
_WEEK_OF_FOUR_HOURS = [4 * _HOUR] * 42
SCHEDULES: dict[str, list[float]] = {
    "system": [5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, *_WEEK_OF_FOUR_HOURS],
    "partner": [5, 30, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR],
    "event": [2, 5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, *_WEEK_OF_FOUR_HOURS],
}
SETTINGS_SECONDS = 10 * _MINUTE  # how long something that needs a setting rests; a change of settings wakes it
THROTTLE_SECONDS = 20.0  # when the far side throttles and names no time
_JITTER = 0.2


def next_wait(schedule: str, attempts: int) -> float | None:
    """Seconds to wait after the `attempts`-th failed attempt (1 is the first); None when it is time to give up."""
    waits = SCHEDULES[schedule]
    return add_jitter(waits[attempts - 1]) if attempts <= len(waits) else None


def add_jitter(seconds: float) -> float:
    """The same span, up to 20 % longer: never shorter, so that a Retry-After is honoured."""
    return seconds * (1 + random.uniform(0, _JITTER))  # noqa: S311 - spreads load, guards nothing
