"""What goes wrong on the far side: some answers are 503, some are lost after the work was done, some come late."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.crash.compress import CALL_SECONDS
from tests.crash.wire import Answer

Rates = dict[str, float]
RATES: Rates = {"unavailable": 0.04, "lost": 0.03, "slow": 0.02}
READ_RATES: Rates = {**RATES, "throttled": 0.01}
ROUGH: Rates = {"unavailable": 0.1, "lost": 0.1, "dropped": 0.05, "slow": 0.1, "late": 0.12, "throttled": 0.03}
READ_BACK = "ReadBack"  # a reading that is to prove an order edit that was committed, by whatever name it goes
_READ_BACK_RATES: Rates = {"unavailable": 0.15, "lost": 0.1, "throttled": 0.05}
THROTTLED: Answer = (429, {"message": "too many requests"})
_DONE_BEFORE_503 = 0.3  # a gateway gave up on something that was done all the same
_SLOW = (0.3 * CALL_SECONDS, 1.6 * CALL_SECONDS)  # the later ones land after the product has hung up
_LATE = (1.3 * CALL_SECONDS, 1.9 * CALL_SECONDS)  # all of them do
_SLOWED = ("slow", "late")


class Mischief:
    """Decides each request's fate. `rates` given: reads go by them too; `special` overrides those of one operation."""

    def __init__(self, seed: int, rates: Rates | None, special: dict[str, Rates]):
        self._random = random.Random(seed)
        self._rates, self._read_rates = (RATES, READ_RATES) if rates is None else (rates, rates)
        self._special = ({READ_BACK: _READ_BACK_RATES} if rates is None else {}) | special
        self.counts: Counter[str] = Counter()
        self.calm = False

    def _pick(self, operation: str, *, reads: bool) -> str:
        at = self._random.random()
        usual = self._read_rates if reads else self._rates
        for fate, share in ({} if self.calm else self._special.get(operation, usual)).items():
            at -= share
            if at < 0:
                self._count(fate, operation, reads=reads)
                return fate
        return "well"

    def _count(self, fate: str, operation: str, *, reads: bool) -> None:
        """Reads apart: they leave nothing in doubt, except those that are to prove a change."""
        if not reads:
            self.counts[fate] += 1
        elif fate in _SLOWED:
            self.counts["reads late"] += 1
        else:
            self.counts["reads back failed" if operation == READ_BACK else "reads failed"] += 1

    async def treat(self, operation: str, act: Callable[[], Any], *, reads: bool, throttled: Answer) -> Answer:
        """Do it, and answer as fate has it. `act` returns (status, body)."""
        fate = self._pick(operation, reads=reads)
        if fate == "unavailable":
            if self._random.random() < _DONE_BEFORE_503:
                act()
            return 503, {"message": "try later"}
        if fate == "dropped":  # nothing is done, and nobody hears so
            return None
        if fate == "throttled":
            return throttled
        if fate == "lost":
            act()
            return None
        if fate in _SLOWED:
            await asyncio.sleep(self._random.uniform(*(_SLOW if fate == "slow" else _LATE)))
        return act()  # type: ignore[no-any-return]
