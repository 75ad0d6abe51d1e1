"""How much a far side lets us ask: calls a minute for OMS, points of a cost budget for Shopify, shared by all workers.

Calls a minute are slots (core.models.CallSlot): whoever calls holds one from before the call begins until a minute
after it ended. With as many slots as calls are allowed, no minute as the far side counts it can see more, whatever the
calls take on their way. The last slots are kept back for what is urgent, so a flood of status updates never makes a
cancel wait for a minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Select, Update, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from core.db import db_now, insert_once, read_clock
from core.models import CallSlot, Endpoint
from core.statements import prepared, scalars

LOOK_PRIORITY = 50  # of calls that no effect waits for
_WINDOW_SECONDS = 60.1
_HELD_SECONDS = 2 * _WINDOW_SECONDS  # by a caller that never says that its call has ended
_KEPT_BACK = {
    10: 0.0,
    20: 0.02,
    30: 0.05,
    40: 0.1,
    LOOK_PRIORITY: 0.2,
}  # priority -> share that is for more urgent ones
_KEPT_FOR_EFFECTS = 0.1  # of a cost budget: thinking leaves that much to what is to be done


@dataclass(frozen=True)
class Slot:
    """A slot as its holder knows it."""

    number: int
    taken: int


def count_allowed(limit: int, priority: int) -> int:
    """How many of `limit` slots a priority may use; at least one."""
    return limit - min(limit - 1, math.ceil(limit * _KEPT_BACK[priority]))


def take_slot(session: Session, shop_id: int, endpoint: str, limit: int, priority: int) -> Slot | float:
    """A slot that is now held, or in how many seconds one will be free."""
    allowed = count_allowed(limit, priority)
    number = scalars(session, _select_free(shop_id, endpoint, allowed)).first()
    if number is None:
        number = _add_slot(session, shop_id, endpoint, allowed)
    if number is None:
        mine = (CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint, CallSlot.number < allowed)
        soonest = session.scalars(select(func.min(CallSlot.free_at)).where(*mine)).one()
        return max(0.1, (soonest - read_clock(session)).total_seconds())
    return Slot(number, scalars(session, _update_held(shop_id, endpoint, number)).one())


@prepared
def _select_free(shop_id: int, endpoint: str, allowed: int) -> Select[int]:
    free = (CallSlot.number < allowed, CallSlot.free_at <= db_now())
    query = select(CallSlot.number).where(CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint, *free)
    return query.order_by(CallSlot.number).limit(1).with_for_update(skip_locked=True)


@prepared
def _update_held(shop_id: int, endpoint: str, number: int) -> ReturningUpdate[int]:
    mine = (CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint, CallSlot.number == number)
    held = {"free_at": db_now(_HELD_SECONDS), "taken": CallSlot.taken + 1}
    return update(CallSlot).where(*mine).values(held).returning(CallSlot.taken)


def _add_slot(session: Session, shop_id: int, endpoint: str, allowed: int) -> int | None:
    """Slots come into being as they are needed; None when there are as many as are allowed."""
    while (number := scalars(session, _count_slots(shop_id, endpoint)).one()) < allowed:
        row = {"shop_id": shop_id, "endpoint": endpoint, "number": number}
        if insert_once(session, CallSlot, **row, free_at=db_now(), taken=0):
            return number
    return None


@prepared
def _count_slots(shop_id: int, endpoint: str) -> Select[int]:
    mine = (CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint)
    return select(func.count()).select_from(CallSlot).where(*mine)


def free_slot(session: Session, shop_id: int, endpoint: str, slot: Slot) -> None:
    """The call has ended: its slot is free in a minute. One that was taken by somebody else meanwhile is left alone."""
    session.execute(*_update_freed(shop_id, endpoint, slot.number, slot.taken))


@prepared
def _update_freed(shop_id: int, endpoint: str, number: int, taken: int) -> Update:
    mine = (CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint)
    held = (CallSlot.number == number, CallSlot.taken == taken)
    return update(CallSlot).where(*mine, *held).values(free_at=db_now(_WINDOW_SECONDS))


def count_free(session: Session, endpoint: Endpoint, priority: int) -> int | None:
    """How many calls could begin now; None when there is no limit."""
    if endpoint.calls_per_minute is None:
        return None
    allowed = count_allowed(endpoint.calls_per_minute, priority)
    return allowed - scalars(session, _count_busy(endpoint.shop_id, endpoint.name, allowed)).one()


@prepared
def _count_busy(shop_id: int, endpoint: str, allowed: int) -> Select[int]:
    mine = (CallSlot.shop_id == shop_id, CallSlot.endpoint == endpoint, CallSlot.number < allowed)
    return select(func.count()).select_from(CallSlot).where(*mine, CallSlot.free_at > db_now())


def spend_points(session: Session, endpoint: Endpoint, cost: float, *, urgent: bool) -> float:
    """Take a call's cost from what is left; else in how many seconds there will be enough (then nothing is taken)."""
    if endpoint.points is None or endpoint.most_points is None or endpoint.points_at is None:
        return 0.0  # the first answer will tell
    now, rate = read_clock(session), endpoint.points_per_second or 1.0
    left = min(endpoint.most_points, endpoint.points + rate * max(0.0, (now - endpoint.points_at).total_seconds()))
    kept = 0.0 if urgent else endpoint.most_points * _KEPT_FOR_EFFECTS
    missing = min(cost, endpoint.most_points - kept) + kept - left
    if missing > 0:
        return missing / rate
    endpoint.points, endpoint.points_at = left - cost, now
    return 0.0


def keep_points(session: Session, endpoint: Endpoint, left: float, most: float, per_second: float) -> None:
    """What the far side said is left."""
    endpoint.points, endpoint.most_points, endpoint.points_per_second = left, most, per_second
    endpoint.points_at = read_clock(session)
