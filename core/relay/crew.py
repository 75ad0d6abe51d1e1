"""The hands of one process: threads that think about events and carry effects out, side by side.

A far side that takes its time holds one pair of hands, not the process: what is claimed is begun at once, and as soon
as hands are free, or somebody rings, they claim again. Far sides that did not answer their last call at once, or never
had one, get at most half of them, and wait until nobody else has anything to be done, though not for ever: however
many hang, the others' effects find free hands, and an interpreter that has time for them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from core.clock import monotonic
from core.relay.delivery import claim_due, deliver_one
from core.relay.inbox import Claim
from core.relay.thinking import claim_waiting, think_over
from core.runtime import Runtime

HANDS = 8  # for thinking, and as many for delivering: neither waits for the other
_PATIENCE_SECONDS = 0.1  # a claim is dearer than a moment's wait for more free hands
_LISTEN_SECONDS = 0.03  # how often one listens for the doorbell while something is under way
_POLL_SECONDS = 0.5  # and how often one looks for what came due unrung: a look is two transactions
_INSIST_SECONDS = 0.5  # how long those who may hang wait for the others to have nothing to be done
_RECOVER_SECONDS = 1.0  # how often one looks for what dead workers had
_Begin = Callable[[Runtime, Claim, float], None]


class Crew:
    """Used by one thread; its hands go on with what they have begun when it is dismissed."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._pool = ThreadPoolExecutor(2 * HANDS, thread_name_prefix="relay")
        self._thinking: dict[Future[None], Claim] = {}
        self._sending: dict[Future[None], Claim] = {}
        self._rings: int | None = None
        self._recover_at, self._insist_at = 0.0, monotonic() + _INSIST_SECONDS

    def work(self, seconds: float) -> bool:
        """Think and deliver until nothing is due and nothing under way (True), or until the time is up (False)."""
        end = monotonic() + seconds
        try:
            while monotonic() < end:
                begun = self._take_on()
                if not self._thinking and not self._sending:
                    return True
                soon = sum(not claim.doubtful for claim in begun)  # who may hang is not waited for
                if self._wait_for(min(soon, HANDS // 2), _PATIENCE_SECONDS) == 0:
                    self._listen(min(_POLL_SECONDS, end - monotonic()))
            return False
        finally:
            self._pool.shutdown(wait=False)

    def _take_on(self) -> list[Claim]:
        """Claim as much as there are free hands, and begin it. Raises what stopped a hand: no database."""
        self._gather()
        self._rings, claimed_at = self._runtime.bell.count_rings(), monotonic()
        effects = self._claim_effects(claimed_at)
        self._begin(self._sending, deliver_one, effects, claimed_at)
        claimed_at = monotonic()
        events = claim_waiting(self._runtime, HANDS - len(self._thinking))
        self._begin(self._thinking, think_over, events, claimed_at)
        return effects + events

    def _claim_effects(self, now: float) -> list[Claim]:
        """Who may hang is called while there is nothing else to do, or when they have waited long enough."""
        free = HANDS - len(self._sending)
        if free == 0:
            return []
        doubtful = sum(claim.doubtful for claim in self._sending.values())
        busy = bool(self._thinking) or len(self._sending) > doubtful
        patient, recover = now < self._insist_at, now >= self._recover_at
        most_doubtful = 0 if busy and patient else HANDS // 2 - doubtful
        claims = claim_due(self._runtime, free, most_doubtful, recover=recover, patient=patient)
        if not patient or any(claim.doubtful for claim in claims):
            self._insist_at = now + _INSIST_SECONDS
        if recover:
            self._recover_at = now + _RECOVER_SECONDS
        return claims

    def _begin(
        self, under_way: dict[Future[None], Claim], begin: _Begin, claims: list[Claim], claimed_at: float
    ) -> None:
        for claim in claims:
            under_way[self._pool.submit(begin, self._runtime, claim, claimed_at)] = claim

    def _gather(self) -> None:
        for under_way in (self._thinking, self._sending):
            for future in [one for one in under_way if one.done()]:
                del under_way[future]
                future.result()

    def _listen(self, seconds: float) -> None:
        """Until somebody rings, or something under way is through, or the time is up: before, there is nothing new."""
        end = monotonic() + seconds
        while (remaining := end - monotonic()) > 0:
            if self._wait_for(1, min(_LISTEN_SECONDS, remaining)) or self._runtime.bell.count_rings() != self._rings:
                return

    def _wait_for(self, ended: int, seconds: float) -> int:
        """Until so many are through, or none is left, or the time is up; returns how many were."""
        left, found, end = {*self._thinking, *self._sending}, 0, monotonic() + seconds
        while left and found < ended and (remaining := end - monotonic()) > 0:
            done, left = wait(left, remaining, FIRST_COMPLETED)
            found += len(done)
        return found
