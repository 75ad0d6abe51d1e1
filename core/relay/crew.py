"""The hands of one process: threads that think about events and carry effects out, side by side.

A far side that takes its time holds one pair of hands, not the process: what is claimed is begun at once, and as soon
as hands are free they claim again. Far sides that did not answer their last call at once, or never had one, get at most
half of them: however many hang, the others' effects find free hands.
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
_POLL_SECONDS = 0.1  # how often one looks for news while something is under way
_Begin = Callable[[Runtime, Claim, float], None]


class Crew:
    """Used by one thread; its hands go on with what they have begun when it is dismissed."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._pool = ThreadPoolExecutor(2 * HANDS, thread_name_prefix="relay")
        self._thinking: dict[Future[None], Claim] = {}
        self._sending: dict[Future[None], Claim] = {}
        self._look_again_at = 0.0  # when events are looked for whatever has ended

    def work(self, seconds: float) -> bool:
        """Think and deliver until nothing is due and nothing under way (True), or until the time is up (False)."""
        end = monotonic() + seconds
        try:
            while monotonic() < end:
                self._take_on()
                under_way = {*self._thinking, *self._sending}
                if not under_way:
                    return True
                # what ends while claims are made is gathered by them: the busier the hands, the more at once
                wait(under_way, max(0.0, min(_POLL_SECONDS, end - monotonic())), FIRST_COMPLETED)
            return False
        finally:
            self._pool.shutdown(wait=False)

    def _take_on(self) -> None:
        """Claim as much as there are free hands, and begin it. Raises what stopped a hand: no database.

        Once an event has been thought about, what it wants is due now and goes first. While none has been, events are
        looked for only now and then: the claim of either is dear.
        """
        thought = self._gather(self._thinking)
        self._gather(self._sending)
        if thought:
            self._take_effects()
            self._take_events()
        else:
            idle = not self._thinking and not self._sending
            if idle or monotonic() >= self._look_again_at:
                self._take_events()
            self._take_effects()

    def _take_events(self) -> None:
        claimed_at = monotonic()
        self._look_again_at = claimed_at + _POLL_SECONDS
        claims = claim_waiting(self._runtime, HANDS - len(self._thinking))
        self._begin(self._thinking, think_over, claims, claimed_at)

    def _take_effects(self) -> None:
        claimed_at = monotonic()
        doubtful = sum(claim.doubtful for claim in self._sending.values())
        claims = claim_due(self._runtime, HANDS - len(self._sending), HANDS // 2 - doubtful)
        self._begin(self._sending, deliver_one, claims, claimed_at)

    def _begin(
        self, under_way: dict[Future[None], Claim], begin: _Begin, claims: list[Claim], claimed_at: float
    ) -> None:
        for claim in claims:
            under_way[self._pool.submit(begin, self._runtime, claim, claimed_at)] = claim

    def _gather(self, under_way: dict[Future[None], Claim]) -> bool:
        """Take off what has ended; True when something has."""
        ended = [one for one in under_way if one.done()]
        for future in ended:
            del under_way[future]
            future.result()
        return bool(ended)
