"""What a rung doorbell does, and what the sweeper looks for."""

from __future__ import annotations

import logging

from sqlalchemy import and_, or_, select, update

from core.db import db_now
from core.failpoints import hit
from core.models import Effect, Event, ReturnOrder, Shop
from core.relay.claiming import find_due
from core.relay.crew import Crew
from core.relay.duties import start_duties
from core.relay.inbox import find_waiting
from core.runtime import Runtime, get_current

_DRAIN_SECONDS = 20.0
_PURGE_BATCH = 1000
_DAY_SECONDS = 86_400

logger = logging.getLogger(__name__)


def drain() -> None:
    """The RQ job: work until nothing is due. After a while it rings again and ends, so that RQ can breathe."""
    runtime = get_current()
    runtime.bell.answer()
    if not work(runtime, _DRAIN_SECONDS):
        runtime.bell.ring()


def work(runtime: Runtime, seconds: float) -> bool:
    """Think and deliver until nothing is due (True) or the time is up (False)."""
    return Crew(runtime).work(seconds)


def something_due(runtime: Runtime) -> bool:
    """True when an event or an effect could be claimed now, one whose lease ran out included."""
    with runtime.database.read() as session:
        return find_waiting(session) or find_due(session)


def sweep(runtime: Runtime) -> None:
    """Ring for what is due; with nobody to hear, do it here. Then let the duties have their turn."""
    hit("sweep.before_ring")
    if something_due(runtime) and not runtime.bell.ring():
        work(runtime, _DRAIN_SECONDS)
    start_duties(runtime)


def purge_bodies(runtime: Runtime) -> int:
    """Forget raw bodies past RETENTION_DAYS of ended events that no unsent effect rests on. Returns how many.

    Of a shop that removed the app nobody thinks about anything any more: there every body is forgotten.
    """
    old = db_now(-runtime.config.retention_days * _DAY_SECONDS)
    needed = select(Effect.event_id).where(
        Effect.state.in_(("pending", "sending", "parked")), Effect.event_id.isnot(None)
    )
    unsent = select(ReturnOrder.full_event_id).where(
        ReturnOrder.expected_at.is_(None), ReturnOrder.full_event_id.isnot(None)
    )
    chosen = (
        select(Event.id)
        .where(
            Event.received_at < old,
            Event.body.isnot(None),
            or_(
                Event.shop_id.in_(select(Shop.id).where(Shop.removed_at.isnot(None))),
                and_(Event.outcome.isnot(None), Event.id.not_in(needed), Event.id.not_in(unsent)),
            ),
        )
        .limit(_PURGE_BATCH)
    )
    with runtime.database.write() as session:
        purged = session.execute(
            update(Event).where(Event.id.in_(chosen.scalar_subquery())).values(body=None).returning(Event.id)
        ).all()
    return len(purged)
