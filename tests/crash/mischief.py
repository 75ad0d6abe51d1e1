"""What goes wrong on the far side: some answers are 503, some are lost after the work was done, some come late."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.crash.compress import CALL_SECONDS
from tests.crash.wire import Answer

RATES = {"unavailable": 0.04, "lost": 0.03, "slow": 0.02}
_DONE_BEFORE_503 = 0.3  # a gateway gave up on something that was done all the same
_SLOW = (0.3 * CALL_SECONDS, 1.6 * CALL_SECONDS)  # the later ones land after the product has hung up
_LATE = (1.3 * CALL_SECONDS, 1.9 * CALL_SECONDS)  # all of them do


class Mischief:
    """Decides each request's fate. `special` overrides the rates of one operation."""

    def __init__(self, seed: int, rates: dict[str, float], special: dict[str, dict[str, float]]):
        self._random = random.Random(seed)
        self._rates, self._special = rates, special
        self.counts: Counter[str] = Counter()
        self.calm = False

    def _pick(self, operation: str) -> str:
        at = self._random.random()
        rates = {} if self.calm else self._special.get(operation, self._rates)
        for fate, share in rates.items():
            at -= share
            if at < 0:
                self.counts[fate] += 1
                return fate
        return "well"

    async def treat(self, operation: str, act: Callable[[], Any]) -> Answer:
        """Do it, and answer as fate has it. `act` returns (status, body)."""
        fate = self._pick(operation)
        if fate == "unavailable":
            if self._random.random() < _DONE_BEFORE_503:
                act()
            return 503, {"message": "try later"}
        if fate == "dropped":  # nothing is done, and nobody hears so
            return None
        if fate == "throttled":
            return 429, {"message": "too many requests"}
        if fate == "lost":
            act()
            return None
        if fate in ("slow", "late"):
            await asyncio.sleep(self._random.uniform(*(_SLOW if fate == "slow" else _LATE)))
        return act()  # type: ignore[no-any-return]
