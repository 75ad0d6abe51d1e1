"""The relay's work one after another, in the test's own thread: what a worker's crew does side by side."""

from __future__ import annotations

from core.clock import monotonic
from core.relay.delivery import claim_due, deliver_one
from core.relay.thinking import claim_waiting, think_over
from core.runtime import Runtime


def think(runtime: Runtime, limit: int = 20) -> int:
    """Claim and think about what waits. Returns how many events were claimed."""
    claimed_at = monotonic()
    claims = claim_waiting(runtime, limit)
    for claim in claims:
        think_over(runtime, claim, claimed_at)
    return len(claims)


def deliver(runtime: Runtime, limit: int = 8) -> int:
    """Claim due effects and carry them out. Returns how many were claimed."""
    claimed_at = monotonic()
    claims = claim_due(runtime, limit)
    for claim in claims:
        deliver_one(runtime, claim, claimed_at)
    return len(claims)
