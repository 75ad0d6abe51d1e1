"""Duties: what the sweeper does every so often, each by one process at a time.

A duty's turn is a row with a due time, a lease and a fence, all by the database's clock. A turn is a bounded piece of
work; what fails is logged and has its next turn as usual, and stops no other duty.
"""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, false, or_, select, true, update
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.db import db_now, insert_once, only_shop
from core.errors import Fault
from core.logs import log_incident
from core.models import DutyTurn, Shop
from core.registry import Duty
from core.runtime import Runtime

LEASE_SECONDS = 180.0  # a turn is far shorter: some pages of a far side that answers slowly
_AT_ONCE = 3  # in one process, so that a far side that hangs does not hold up every duty
_WAIT_SECONDS = 1.0  # how long a sweep waits for its duties before it goes on without them
_ROUND_SECONDS = 10.0

logger = logging.getLogger(__name__)
_free = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True)
class Turn:
    """A duty's turn that this process has leased."""

    key: str
    duty: Duty
    shop_id: int
    fence: int


def start_duties(runtime: Runtime) -> None:
    """Do what is due beside the sweeper, which must go on ringing. The process does not end in the middle of a turn."""
    if not runtime.registry.duties or not _free.acquire(blocking=False):
        return
    thread = threading.Thread(target=_run_apart, args=(runtime,), name="duties")
    try:
        thread.start()
    except RuntimeError as error:  # no thread to be had: the next sweep tries again
        _free.release()
        logger.warning("duties not begun: %s", error)
        return
    thread.join(_WAIT_SECONDS)


def _run_apart(runtime: Runtime) -> None:
    try:
        run_due_duties(runtime)
    except Exception:  # the thread's last line: with the database away, the next sweep tries again
        logger.exception("duties stopped; the next sweep tries again")
    finally:
        _free.release()


def run_due_duties(runtime: Runtime, seconds: float = _ROUND_SECONDS) -> int:
    """Take turns until none is due or the time is up. Returns how many were taken."""
    _enter_missing(runtime)
    end, taken = monotonic() + seconds, 0
    while monotonic() < end and (turn := _claim(runtime)) is not None:
        _take(runtime, turn)
        taken += 1
    return taken


def bring_forward(runtime: Runtime) -> None:
    """A sweeper starts: what is to be done at its start is due."""
    names = [duty.name for duty in runtime.registry.duties if duty.at_start]
    with runtime.database.write() as session:
        session.execute(update(DutyTurn).where(DutyTurn.name.in_(names)).values(due_at=db_now()))


def make_key(duty: Duty, shop_id: int) -> str:
    """The key of a duty's row."""
    return f"{duty.name}:{shop_id}" if duty.modes else duty.name


def _enter_missing(runtime: Runtime) -> None:
    """A row for every duty, or for every duty and shop, that has none yet; due at once."""
    with runtime.database.read() as session:
        missing = [(duty, shop_id) for duty in runtime.registry.duties for shop_id in _find_missing(session, duty)]
    if not missing:
        return
    with runtime.database.write() as session:
        for duty, shop_id in missing:
            row = {"key": make_key(duty, shop_id), "name": duty.name, "shop_id": shop_id or None}
            insert_once(session, DutyTurn, **row, due_at=db_now(), fence=0)


def _find_missing(session: Session, duty: Duty) -> list[int]:
    if not duty.modes:
        return [] if session.get(DutyTurn, duty.name) else [0]
    has_row = select(DutyTurn.key).where(DutyTurn.shop_id == Shop.id, DutyTurn.name == duty.name).exists()
    return list(session.scalars(_shops_in(duty).where(~has_row)))


def _shops_in(duty: Duty) -> Any:
    return select(Shop.id).where(Shop.mode.in_(duty.modes), Shop.removed_at.is_(None))


def _due_turns(duties: list[Duty]) -> Any:
    """The condition of a turn that may be claimed now."""
    whose = [
        and_(DutyTurn.name == duty.name, DutyTurn.shop_id.in_(_shops_in(duty)) if duty.modes else true())
        for duty in duties
    ]
    return (
        (DutyTurn.due_at <= db_now())
        & or_(DutyTurn.lease_until.is_(None), DutyTurn.lease_until < db_now())
        & or_(false(), *whose)
    )


def _claim(runtime: Runtime) -> Turn | None:
    """Lease the turn that is due for longest."""
    duties = runtime.registry.duties
    chosen = select(DutyTurn.key).where(_due_turns(duties)).order_by(DutyTurn.due_at, DutyTurn.key).limit(1)
    with runtime.database.read() as session:  # most of the time nothing is due, and nothing need be locked to see it
        if session.scalars(chosen).first() is None:
            return None
    with runtime.database.write("duty.claim") as session:
        key = session.scalars(chosen.with_for_update(skip_locked=True, of=DutyTurn)).first()
        if key is None:
            return None
        row = session.get_one(DutyTurn, key)
        row.lease_until, row.fence = db_now(LEASE_SECONDS), row.fence + 1
        duty = next(duty for duty in duties if duty.name == row.name)
        return Turn(key, duty, row.shop_id or 0, row.fence)


def _take(runtime: Runtime, turn: Turn) -> None:
    try:
        with only_shop(turn.shop_id) if turn.shop_id else nullcontext():
            again = turn.duty.run(turn.shop_id)
        _end(runtime, turn, turn.duty.every_seconds if again is None else again, None)
    except Fault as error:
        logger.warning("duty %s: %s", turn.key, error)
        asked = getattr(error, "retry_after", None) or 0
        _end(runtime, turn, max(turn.duty.every_seconds, asked), str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the other duties
        incident = log_incident(logger, f"duty {turn.key}")
        _end(runtime, turn, turn.duty.every_seconds, f"fault of ours, incident {incident} ({type(error).__name__})")


def _end(runtime: Runtime, turn: Turn, wait: float, trouble: str | None) -> None:
    """The next turn. One whose lease ran out writes nothing: another process has it."""
    values = {"due_at": db_now(wait), "lease_until": None, "ended_at": db_now(), "trouble": trouble}
    with runtime.database.write("duty.end") as session:
        fenced = (DutyTurn.key == turn.key, DutyTurn.fence == turn.fence)
        if session.execute(update(DutyTurn).where(*fenced).values(values).returning(DutyTurn.key)).first() is None:
            logger.warning("duty %s: the lease ran out; another process has it", turn.key)
