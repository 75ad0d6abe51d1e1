"""The inbox: record what came, and claim what waits to be thought about.

Claims are leases with a fence. A worker that dies leaves a lease that runs out; one that was frozen past its lease
finds the fence moved on and its transaction rolled back, so no event's consequences are written twice.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from core.crypto import Keyring
from core.db import db_now, insert_all_once, insert_once
from core.errors import Permanent
from core.models import Event, Shop
from core.statements import execute, prepared, scalars

LEASE_SECONDS = 30.0
ALWAYS = 5  # about the shop itself: thought about though the shop is paused or removed
FIRST, KNOWN, NORMAL = 10, 15, 20  # verdicts, news of known exchanges, and everything else
PRIORITIES = (FIRST, KNOWN, NORMAL)
IN_FLIGHT = 4  # events of one shop that are thought about at a time, give or take a race between workers

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has the row now; what this one did is rolled back."""


@dataclass(frozen=True)
class Claim:
    """A leased row and the fence it was leased under.

    `doubtful`: it goes to a far side that may keep its caller waiting; `probe`: to one that is left alone, to find out.
    """

    id: int
    fence: int
    doubtful: bool = False
    probe: bool = False


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
    triggered_at: datetime | None = None
    about: str | None = None  # set where only the newest of several that wait need be thought about


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
    """The raw body of a shop's event. Raises Permanent when it has been purged, or cannot be opened."""
    return open_body(keyring, scalars(session, _select_event(shop_id, event_id)).one())


@prepared
def _select_event(shop_id: int, event_id: int) -> Select[Event]:
    return select(Event).where(Event.shop_id == shop_id, Event.id == event_id)


def open_body(keyring: Keyring, event: Event) -> bytes:
    """The raw body of an event. Raises Permanent when it has been purged, or cannot be opened."""
    if event.body is None:
        raise Permanent("the message this rests on is older than RETENTION_DAYS and was purged")
    return keyring.open(event.body, *seal_place(event.source, event.shop_id, event.delivery_id))


def waiting_events() -> Any:
    """The condition of an event that somebody may think about now."""
    return _is_waiting() & Event.shop_id.in_(_thinking_shops())


def _is_waiting() -> Any:
    now = select(
        db_now()
    ).scalar_subquery()  # read once for a statement: a plain function would be no bound for an index
    is_free = or_(Event.lease_until.is_(None), Event.lease_until < now)
    return Event.outcome.is_(None) & (Event.due_at <= now) & is_free


def _thinking_shops() -> Any:
    return select(Shop.id).where(Shop.mode != "paused", Shop.removed_at.is_(None))


def claim_events(session: Session, limit: int) -> list[Claim]:
    """Lease up to `limit` waiting events. Shops take turns, those with the least under way first; a shop's verdicts and
    known exchanges come before its other events."""
    claims = _lease(session, list(scalars(session, _select_always(limit))))
    turns = _find_turns(session)
    for place, (shop_id, most_urgent, under_way) in enumerate(turns):
        share = -(-(limit - len(claims)) // (len(turns) - place))  # rounded up: what is left, divided by who is left
        ids = _choose(session, shop_id, most_urgent, min(share, IN_FLIGHT - under_way))
        claims += _lease(session, ids)
    return claims


def find_waiting(session: Session) -> bool:
    """True when an event could be claimed now."""
    return bool(_find_turns(session)) or scalars(session, _select_always(1)).first() is not None


@prepared
def _select_always(most: int) -> Select[int]:
    everyone = Event.shop_id.in_(select(Shop.id))  # named, so that the index on waiting events is used
    waiting = select(Event.id).where(everyone, Event.priority == ALWAYS, _is_waiting()).order_by(Event.id)
    return waiting.limit(most).with_for_update(skip_locked=True)


def _find_turns(session: Session) -> list[tuple[int, int, int]]:
    """Shops that have an event waiting, its priority, and how many of theirs are under way, in the order of turns."""
    turns = execute(session, _select_turns()).all()
    free = [turn for turn in turns if turn[1] is not None and turn[2] < IN_FLIGHT]
    return sorted(free, key=lambda turn: (turn[2], random.random()))  # noqa: S311 - a lot, no secret


@prepared
def _select_turns() -> Select[int, int, int]:
    waiting = select(Event.priority).where(Event.shop_id == Shop.id, _is_waiting()).order_by(Event.due_at, Event.id)
    # one look for each priority: sought together, they are all read and sorted by PostgreSQL up to 16
    looks = [waiting.where(Event.priority == one).limit(1).correlate(Shop).scalar_subquery() for one in PRIORITIES]
    first = func.coalesce(*looks)
    leased = select(func.count()).select_from(Event).where(Event.shop_id == Shop.id, _is_leased())
    query = select(Shop.id, first, leased.correlate(Shop).scalar_subquery())
    return query.where(Shop.id.in_(_thinking_shops()))


def _is_leased() -> Any:
    live = Event.lease_until >= select(db_now()).scalar_subquery()
    return Event.outcome.is_(None) & Event.lease_until.isnot(None) & live


def _choose(session: Session, shop_id: int, most_urgent: int, room: int) -> list[int]:
    ids: list[int] = []
    for priority in PRIORITIES[PRIORITIES.index(most_urgent) :]:
        if room - len(ids) <= 0:
            break
        ids += scalars(session, _select_waiting(shop_id, priority, room - len(ids)))
    return ids


@prepared
def _select_waiting(shop_id: int, priority: int, most: int) -> Select[int]:
    theirs = (Event.shop_id == shop_id, Event.priority == priority)
    waiting = select(Event.id).where(*theirs, _is_waiting()).order_by(Event.due_at, Event.id)
    return waiting.limit(most).with_for_update(skip_locked=True, of=Event)


def _lease(session: Session, ids: list[int]) -> list[Claim]:
    if not ids:
        return []
    fences = {row.id: row.fence for row in execute(session, _update_leased(ids))}
    return [Claim(one, fences[one]) for one in ids]


@prepared
def _update_leased(ids: list[int]) -> ReturningUpdate[int, int]:
    # a lease that ran out is an attempt: an event that kills its worker must not come back for ever
    attempts = Event.attempts + case((Event.lease_until.isnot(None), 1), else_=0)
    leased = {"lease_until": db_now(LEASE_SECONDS), "fence": Event.fence + 1, "attempts": attempts}
    return update(Event).where(Event.id.in_(ids)).values(leased).returning(Event.id, Event.fence)
