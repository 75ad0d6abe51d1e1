"""Deadlines: what becomes of an exchange that waits too long (F6). The sweeper is the cause, so no event stands behind.

Which deadline is missed, and what is to be done about it, are two pure functions; the rest reads and writes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from core.db import db_now, read_clock
from core.domain.exchange import WAITING, Move, State
from core.domain.plan import PlanKind, is_refuted
from core.domain.returns import CountsAs
from core.flows.exchanges import find_exchange, move, reconsider
from core.flows.facts import DEADLINE, Case, open_case
from core.flows.orders import load_order
from core.flows.scene import Scene
from core.models import Exchange, ExchangeHistory
from core.settings import QcSettings

HELD_TOO_LONG = "held_too_long"
_DAY_SECONDS = 86_400
_ON_HOLD = (*WAITING, State.REVIEW)
_UNDER_WAY = (State.RELEASING, State.CANCELLING)


class Deadline(StrEnum):
    """What was not done in time."""

    VERDICT = "verdict"
    PARTNER = "partner"
    HOLD = "hold"


@dataclass(frozen=True)
class Wait:
    """How long an exchange has waited, and for what. `told`: that it is held too long has been said already."""

    state: State
    since: datetime
    held_since: datetime
    decided: bool
    told: bool


def find_missed(wait: Wait, qc: QcSettings, now: datetime) -> Deadline | None:
    """The deadline that an exchange has missed, the most telling one first; None while it may go on waiting."""
    waited, held = now - wait.since, now - wait.held_since
    if wait.state is State.AWAITING_VERDICT and waited > timedelta(days=qc.verdict_deadline_days):
        return Deadline.VERDICT
    by_partner = qc.actor == "partner" and not wait.decided
    if by_partner and wait.state in _UNDER_WAY and waited > timedelta(days=qc.verdict_deadline_days):
        return Deadline.PARTNER
    if wait.state in _ON_HOLD and not wait.told and held > timedelta(days=qc.max_hold_days):
        return Deadline.HOLD
    return None


def choose_step(
    missed: Deadline, qc: QcSettings, known: Collection[CountsAs], *, here: bool, in_order: bool, before: str
) -> Move:
    """What is done about a missed deadline. `known` is what the verdicts heard so far count as; `here` says that all
    that comes back is known and has arrived.

    A deadline never acts where the app does not act, nor while goods are on their way or unknown, nor against a verdict
    that is there already: then a person must.
    """
    if missed is Deadline.PARTNER:
        why = f"the partner has not carried out the verdict for {qc.verdict_deadline_days:g} days ({before})"
        return Move(State.REVIEW, "partner_overdue", why)
    if missed is Deadline.HOLD:
        return Move(State.REVIEW, HELD_TOO_LONG, f"on hold for more than {qc.max_hold_days:g} days ({before})")
    return _choose_without_verdict(qc, known, here=here, in_order=in_order)


def _choose_without_verdict(qc: QcSettings, known: Collection[CountsAs], *, here: bool, in_order: bool) -> Move:
    late = f"the goods arrived, and the verdicts are not complete after {qc.verdict_deadline_days:g} days"
    if qc.actor != "app" or qc.on_deadline == "review":
        return Move(State.REVIEW, "verdict_overdue", late)
    if not here:
        return Move(State.REVIEW, "verdict_overdue", f"{late}; not all that comes back is known and has arrived")
    if is_refuted(PlanKind(qc.on_deadline), known):
        return Move(State.REVIEW, "verdict_overdue", f"{late}; those known speak against a {qc.on_deadline}")
    if qc.on_deadline == "release":
        return Move(State.RELEASING, "released_by_deadline", f"{late}: released, as the settings say")
    if in_order:
        return Move(State.REVIEW, "in_order_exchange", f"{late}; the customer's first order is never cancelled whole")
    return Move(State.CANCELLING, "cancelled_by_deadline", f"{late}: cancelled, as the settings say")


def find_candidates(session: Session, shop_id: int, qc: QcSettings, after: int, limit: int) -> list[tuple[int, int]]:
    """`(exchange id, order id)` of those that may have missed a deadline, by id, from `after` on."""
    query = (
        select(Exchange.id, Exchange.order_id)
        .where(Exchange.shop_id == shop_id, Exchange.id > after, _may_be_late(qc))
        .order_by(Exchange.id)
        .limit(limit)
    )
    return [(row.id, row.order_id) for row in session.execute(query)]


def _may_be_late(qc: QcSettings) -> ColumnElement[bool]:
    late = Exchange.since < db_now(-qc.verdict_deadline_days * _DAY_SECONDS)
    undone = and_(Exchange.state.in_(_UNDER_WAY), Exchange.decided_by.is_(None), late)
    long_ago = db_now(-qc.max_hold_days * _DAY_SECONDS)
    seen = select(ExchangeHistory.id).where(ExchangeHistory.exchange_id == Exchange.id, ExchangeHistory.at < long_ago)
    return or_(
        and_(Exchange.state == State.AWAITING_VERDICT, late),
        undone if qc.actor == "partner" else false(),
        and_(
            Exchange.state.in_(_ON_HOLD),
            Exchange.code != HELD_TOO_LONG,
            or_(Exchange.since < long_ago, seen.exists()),
        ),
    )


def meet_deadline(scene: Scene, order_id: int) -> str | None:
    """Do what an exchange's missed deadline asks for. The code of the move, or None when nothing is late.

    The facts come first: what they say by themselves, an exchange does before any deadline. The caller holds the
    shop's lock.
    """
    exchange = find_exchange(scene.session, scene.shop_id, order_id)
    order = load_order(scene.session, scene.shop_id, order_id)
    if exchange is None or order is None or _find_missed(scene, exchange) is None:
        return None
    reconsider(scene, exchange, order)
    missed = _find_missed(scene, exchange)
    if missed is None:
        return None
    case = open_case(scene, exchange, order)
    facts = {"here": case.here, "in_order": order.in_order}
    step = choose_step(missed, scene.settings.qc, case.known, **facts, before=exchange.reason)
    _carry_out(scene, case, step)
    return step.code


def _carry_out(scene: Scene, case: Case, step: Move) -> None:
    if step.to is not State.REVIEW:
        case.exchange.decided_by = DEADLINE
    move(scene, case, step, DEADLINE)


def _find_missed(scene: Scene, exchange: Exchange) -> Deadline | None:
    scene.session.flush()
    scene.session.refresh(exchange)  # a time written just now is an expression until it is read back
    return find_missed(_read_wait(scene, exchange), scene.settings.qc, read_clock(scene.session))


def _read_wait(scene: Scene, exchange: Exchange) -> Wait:
    """On hold since the first row of its history after the last one in which it was not."""
    mine = ExchangeHistory.exchange_id == exchange.id
    last_free = select(func.max(ExchangeHistory.id)).where(mine, ExchangeHistory.state.not_in(_ON_HOLD))
    held = (mine, ExchangeHistory.id > func.coalesce(last_free.scalar_subquery(), 0))
    first = scene.session.scalars(select(func.min(ExchangeHistory.at)).where(*held)).one()
    told = select(ExchangeHistory.id).where(*held, ExchangeHistory.code == HELD_TOO_LONG).limit(1)
    return Wait(
        state=State(exchange.state),
        since=exchange.since,
        held_since=min(first, exchange.since) if first else exchange.since,
        decided=exchange.decided_by is not None,
        told=scene.session.scalars(told).first() is not None,
    )
