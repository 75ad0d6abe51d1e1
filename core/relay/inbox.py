"""The inbox: record what came, then think about it, each event in one transaction with all that it causes.

Claims are leases with a fence. A worker that dies leaves a lease that runs out; one that was frozen past its lease
finds the fence moved on and its transaction rolled back, so no event's consequences are written twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.db import db_now, insert_all_once, insert_once, lock_row
from core.errors import BadInput, Fault, NeedsSettings, Permanent, Throttled, Transient
from core.failpoints import hit
from core.logs import log_incident
from core.models import Event, Shop
from core.registry import Delivery, Outcome, parked, unknown
from core.relay.backoff import SETTINGS_SECONDS, THROTTLE_SECONDS, add_jitter, next_wait
from core.runtime import Runtime

LEASE_SECONDS = 30.0
FIRST, NORMAL = 10, 20  # verdicts, and everything else

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has the row now; what this one did is rolled back."""


@dataclass(frozen=True)
class Claim:
    """A leased row and the fence it was leased under."""

    id: int
    fence: int


def seal_place(source: str, shop_id: int, delivery_id: str) -> tuple[str, ...]:
    """Where an event's body belongs, for its encryption."""
    return ("events", "body", str(shop_id), f"{source}:{delivery_id}")


@dataclass(frozen=True)
class Arrival:
    """One delivery as it came. `delivery_id` is the sender's name for it, or one of ours."""

    shop_id: int
    source: str
    topic: str
    delivery_id: str
    body: bytes
    priority: int = NORMAL


def record_event(
    session: Session,
    keyring: Keyring,
    *,
    shop_id: int,
    source: str,
    topic: str,
    delivery_id: str,
    body: bytes,
    priority: int = NORMAL,
) -> bool:
    """Store a delivery as it came. False when this very delivery was stored before."""
    arrival = Arrival(shop_id, source, topic, delivery_id, body, priority)
    return insert_once(session, Event, **_make_row(keyring, arrival), **_start())


def record_events(session: Session, keyring: Keyring, arrivals: Sequence[Arrival]) -> None:
    """Store many deliveries in one statement, except those that were stored before."""
    insert_all_once(session, Event, [_make_row(keyring, arrival) for arrival in arrivals], **_start())


def _make_row(keyring: Keyring, arrival: Arrival) -> dict[str, Any]:
    place = seal_place(arrival.source, arrival.shop_id, arrival.delivery_id)
    return {**vars(arrival), "body": keyring.seal(arrival.body, *place)}


def _start() -> dict[str, Any]:
    return {"received_at": db_now(), "due_at": db_now(), "fence": 0, "attempts": 0}


def read_body(session: Session, keyring: Keyring, shop_id: int, event_id: int) -> bytes:
    """An event's raw body. Raises Permanent when it has been purged."""
    event = session.scalars(select(Event).where(Event.shop_id == shop_id, Event.id == event_id)).one()
    if event.body is None:
        raise Permanent("the message this rests on is older than RETENTION_DAYS and was purged")
    return keyring.open(event.body, *seal_place(event.source, shop_id, event.delivery_id))


def waiting_events() -> Any:
    """The condition of an event that somebody may think about now."""
    return (
        Event.outcome.is_(None)
        & (Event.due_at <= db_now())
        & or_(Event.lease_until.is_(None), Event.lease_until < db_now())
        & Event.shop_id.in_(select(Shop.id).where(Shop.mode != "paused", Shop.removed_at.is_(None)))
    )


def claim_events(session: Session, limit: int) -> list[Claim]:
    """Lease up to `limit` waiting events, verdicts first."""
    chosen = (
        select(Event.id)
        .where(waiting_events())
        .order_by(Event.priority, Event.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")  # a plain subquery may be run more than once, and lock more than the limit
    )
    rows = session.execute(
        update(Event)
        .where(Event.id.in_(select(chosen.c.id)))
        .values(
            lease_until=db_now(LEASE_SECONDS),
            fence=Event.fence + 1,
            # a lease that ran out is an attempt: an event that kills its worker must not come back for ever
            attempts=Event.attempts + case((Event.lease_until.isnot(None), 1), else_=0),
        )
        .returning(Event.id, Event.fence, Event.priority)
        .execution_options(synchronize_session=False)
    )
    return [Claim(row.id, row.fence) for row in sorted(rows, key=lambda row: (row.priority, row.id))]


def think(runtime: Runtime, limit: int = 20) -> int:
    """Claim and think about what waits. Returns how many events were claimed."""
    with runtime.database.write("think.claim") as session:
        claims = claim_events(session, limit)
    for claim in claims:
        try:
            think_about(runtime, claim)
        except LeaseLost:
            logger.warning("event %s: the lease ran out while thinking; another worker has it", claim.id)
        except Fault as error:  # its body does not open: a key is missing, or the row was altered
            _end(runtime, claim, parked(str(error)))
    return len(claims)


def think_about(runtime: Runtime, claim: Claim) -> None:
    """Bring one event to its outcome, or put it off."""
    delivery, attempts = _load(runtime, claim)
    if attempts > 0 and next_wait("event", attempts) is None:
        _end(runtime, claim, parked(f"given up after {attempts} attempts, the last of them interrupted"))
        return
    handler = runtime.registry.find_handler(delivery.source, delivery.topic)
    if handler is None:
        _end(runtime, claim, unknown(f"no rule for {delivery.source} {delivery.topic}"))
        return
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


def rehearse(runtime: Runtime, event_id: int) -> Outcome:
    """Think about an event and throw the consequences away: how it would end now. Raises Fault."""
    delivery, _ = _load(runtime, Claim(event_id, 0))
    handler = runtime.registry.find_handler(delivery.source, delivery.topic)
    if handler is None:
        return unknown(f"no rule for {delivery.source} {delivery.topic}")
    facts = handler.read(delivery)
    with runtime.database.rehearse() as session:
        return handler.apply(session, delivery, facts)


def replay_event(session: Session, event: Event) -> None:
    """Think about an ended event once more. What it caused stands; what it wants again is wanted once."""
    event.outcome = event.ended_at = event.reason = None
    event.attempts, event.due_at = 0, db_now()
    session.flush()


def _load(runtime: Runtime, claim: Claim) -> tuple[Delivery, int]:
    with runtime.database.read() as session:
        event = session.get_one(Event, claim.id)
        body = read_body(session, runtime.keyring, event.shop_id, event.id)
        delivery = Delivery(event.id, event.shop_id, event.source, event.topic, event.received_at, body)
        return delivery, event.attempts


def _end(runtime: Runtime, claim: Claim, outcome: Outcome) -> None:
    with runtime.database.write("think.end") as session:
        _write_end(session, claim, outcome)


def _write_end(session: Session, claim: Claim, outcome: Outcome) -> None:
    ended = {"outcome": outcome.kind, "reason": outcome.reason, "ended_at": db_now(), "lease_until": None}
    _write(session, claim, ended)
    logger.info("event %s: %s (%s)", claim.id, outcome.kind, outcome.reason)


def _write(session: Session, claim: Claim, values: dict[str, Any]) -> None:
    fenced = (Event.id == claim.id, Event.fence == claim.fence, Event.outcome.is_(None))
    written = session.execute(update(Event).where(*fenced).values(values).returning(Event.id))
    if written.first() is None:
        raise LeaseLost


def _put_off(runtime: Runtime, claim: Claim, error: Fault) -> None:
    """Think again later, or park: by the fault's fate."""
    with runtime.database.write("think.put_off") as session:
        attempts = session.get_one(Event, claim.id).attempts + (0 if isinstance(error, Throttled) else 1)
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
