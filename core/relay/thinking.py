"""Thinking about events: each in one transaction with all that it causes, to a named outcome."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from core.clock import monotonic
from core.db import db_now, lock_row, only_shop
from core.errors import BadInput, Fault, NeedsSettings, Permanent, Throttled, Transient
from core.failpoints import hit
from core.logs import log_incident
from core.models import Event, Shop
from core.registry import Delivery, Handler, Outcome, ignored, parked, unknown
from core.relay.backoff import SETTINGS_SECONDS, THROTTLE_SECONDS, add_jitter, next_wait
from core.relay.inbox import LEASE_SECONDS, Claim, LeaseLost, claim_events, open_body
from core.runtime import Runtime
from core.statements import execute, prepared

THINK_SHARE = 0.4  # of the lease: past it no event is begun, for it might not end before another worker has it

logger = logging.getLogger(__name__)


def claim_waiting(runtime: Runtime, limit: int) -> list[Claim]:
    """Lease up to `limit` waiting events."""
    if limit <= 0:
        return []
    with runtime.database.write("think.claim") as session:
        return claim_events(session, limit)


def think_over(runtime: Runtime, claim: Claim, claimed_at: float) -> None:
    """Think about one claimed event. A lost lease ends it in silence: another worker has the event."""
    try:
        if monotonic() - claimed_at > LEASE_SECONDS * THINK_SHARE:
            _give_back(runtime, claim)
        else:
            think_about(runtime, claim)
    except LeaseLost:
        logger.warning("event %s: the lease ran out while thinking; another worker has it", claim.id)
    except Fault as error:  # its body does not open: a key is missing, or the row was altered
        _end(runtime, claim, parked(str(error)))


def _give_back(runtime: Runtime, claim: Claim) -> None:
    """Too much of the lease is gone to begin: what is not begun is free at once, not when the lease runs out."""
    with runtime.database.write() as session:
        _write(session, claim, {"lease_until": None})


def think_about(runtime: Runtime, claim: Claim) -> None:
    """Bring one event to its outcome, or put it off."""
    with runtime.database.read() as session:
        event = session.get_one(Event, claim.id)
        newest = _find_newer(session, event)
    if newest is not None:
        _end_overtaken(runtime, claim, newest)
        return
    delivery = _open(runtime, event)
    if event.attempts > 0 and next_wait("event", event.attempts) is None:
        _end(runtime, claim, parked(f"given up after {event.attempts} attempts, the last of them interrupted"))
        return
    handler = runtime.registry.find_handler(delivery.source, delivery.topic)
    if handler is None:
        _end(runtime, claim, unknown(f"no rule for {delivery.source} {delivery.topic}"))
        return
    with only_shop(delivery.shop_id):
        _apply(runtime, claim, handler, delivery)


def _apply(runtime: Runtime, claim: Claim, handler: Handler, delivery: Delivery) -> None:
    try:
        hit("think.before_read")
        facts = handler.read(delivery)
        hit("think.after_read")
        with runtime.database.write("think") as session:
            lock_row(session, Shop.id, delivery.shop_id)
            outcome = handler.apply(session, delivery, facts)
            _write_end(session, claim, outcome)
    except LeaseLost:
        raise
    except BadInput as error:
        _end(runtime, claim, unknown(f"cannot be read: {error}"))
    except Fault as error:
        _put_off(runtime, claim, error)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the event nor stop the others
        incident = log_incident(logger, f"event {claim.id} {delivery.source} {delivery.topic}")
        _put_off(runtime, claim, Transient(f"fault of ours, incident {incident} ({type(error).__name__})"))


def _end_overtaken(runtime: Runtime, claim: Claim, newest: Event) -> None:
    """Waiting updates of one thing collapse: a newer one tells all that this one would, and ends every older one."""
    outcome = ignored(f"a newer update of the same thing came: event {newest.id}")
    ended = {"outcome": outcome.kind, "reason": outcome.reason, "ended_at": db_now()}
    older = select(Event.id).where(*_same(newest), Event.triggered_at < newest.triggered_at)
    older = older.where(Event.lease_until.is_(None)).with_for_update(skip_locked=True)
    with runtime.database.write("think.end") as session:
        _write_end(session, claim, outcome)
        session.execute(update(Event).where(Event.id.in_(list(session.scalars(older)))).values(ended))


def _same(event: Event) -> tuple[Any, ...]:
    """Waiting events of the same thing."""
    mine = (Event.shop_id == event.shop_id, Event.source == event.source, Event.topic == event.topic)
    return (*mine, Event.about == event.about, Event.outcome.is_(None))


def _find_newer(session: Session, event: Event) -> Event | None:
    """The newest of those that were triggered after this one; equal stamps prove nothing."""
    if event.about is None or event.triggered_at is None:
        return None
    newer = select(Event).where(*_same(event), Event.triggered_at > event.triggered_at)
    return session.scalars(newer.order_by(Event.triggered_at.desc(), Event.id.desc()).limit(1)).first()


def rehearse(runtime: Runtime, event_id: int) -> Outcome:
    """Think about an event and throw the consequences away: how it would end now. Raises Fault."""
    with runtime.database.read() as session:
        delivery = _open(runtime, session.get_one(Event, event_id))
    handler = runtime.registry.find_handler(delivery.source, delivery.topic)
    if handler is None:
        return unknown(f"no rule for {delivery.source} {delivery.topic}")
    with only_shop(delivery.shop_id):
        facts = handler.read(delivery)
        with runtime.database.rehearse() as session:
            return handler.apply(session, delivery, facts)


def replay_event(session: Session, event: Event) -> None:
    """Think about an ended event once more. What it caused stands; what it wants again is wanted once."""
    event.outcome = event.ended_at = event.reason = None
    event.attempts, event.due_at = 0, db_now()
    session.flush()


def _open(runtime: Runtime, event: Event) -> Delivery:
    body = open_body(runtime.keyring, event)
    return Delivery(event.id, event.shop_id, event.source, event.topic, event.received_at, body, event.triggered_at)


def _end(runtime: Runtime, claim: Claim, outcome: Outcome) -> None:
    with runtime.database.write("think.end") as session:
        _write_end(session, claim, outcome)


def _write_end(session: Session, claim: Claim, outcome: Outcome) -> None:
    if execute(session, _update_ended(claim.id, claim.fence, outcome.kind, outcome.reason)).first() is None:
        raise LeaseLost
    logger.info("event %s: %s (%s)", claim.id, outcome.kind, outcome.reason)


@prepared
def _update_ended(event_id: int, fence: int, outcome: str, reason: str) -> ReturningUpdate[int]:
    fenced = (Event.id == event_id, Event.fence == fence, Event.outcome.is_(None))
    ended = {"outcome": outcome, "reason": reason, "lease_until": None, "ended_at": db_now()}
    return update(Event).where(*fenced).values(ended).returning(Event.id)


def _write(session: Session, claim: Claim, values: dict[str, Any]) -> None:
    fenced = (Event.id == claim.id, Event.fence == claim.fence, Event.outcome.is_(None))
    written = session.execute(update(Event).where(*fenced).values(values).returning(Event.id))
    if written.first() is None:
        raise LeaseLost


def _put_off(runtime: Runtime, claim: Claim, error: Fault) -> None:
    """Think again later, or park: by the fault's fate."""
    with runtime.database.write("think.put_off") as session:
        attempts = session.get_one(Event, claim.id).attempts + (
            0 if isinstance(error, Throttled | NeedsSettings) else 1
        )
        wait = _choose_wait(error, attempts)
        if wait is None:
            _write_end(session, claim, parked(str(error)))
        else:
            again = {"due_at": db_now(wait), "reason": str(error), "attempts": attempts, "lease_until": None}
            _write(session, claim, again)


def _choose_wait(error: Fault, attempts: int) -> float | None:
    if isinstance(error, Permanent):
        return None
    if isinstance(error, NeedsSettings):
        return SETTINGS_SECONDS
    if isinstance(error, Throttled):
        return add_jitter(error.retry_after or THROTTLE_SECONDS)
    wait = next_wait("event", attempts)
    asked = getattr(error, "retry_after", None)
    return max(wait, asked) if wait is not None and asked else wait
