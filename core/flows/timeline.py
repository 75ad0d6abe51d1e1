"""Everything that happened around an exchange, in all systems, in one line of time. Read only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.models import (
    Attempt,
    Effect,
    Event,
    Exchange,
    ExchangeHistory,
    ExchangeLink,
    ReturnOrder,
    VerdictRow,
)


@dataclass(frozen=True)
class Moment:
    """One thing that happened. `what` is event, verdict, link, decision, effect or attempt; `id` that thing's row."""

    at: datetime
    what: str
    id: int
    text: str


def find_linked_returns(session: Session, exchange: Exchange) -> list[ReturnOrder]:
    """The returns an exchange waits for, of those we have heard of."""
    codes = select(ExchangeLink.return_code).where(ExchangeLink.exchange_id == exchange.id)
    query = select(ReturnOrder).where(ReturnOrder.shop_id == exchange.shop_id, ReturnOrder.code.in_(codes))
    return list(session.scalars(query.order_by(ReturnOrder.id)))


def find_effects(session: Session, exchange: Exchange, returns: Sequence[ReturnOrder]) -> list[Effect]:
    """What was wanted of other systems about the order and its returns, oldest first."""
    about = [str(exchange.order_id), *(one.code for one in returns)]
    query = select(Effect).where(Effect.shop_id == exchange.shop_id, Effect.about.in_(about))
    return list(session.scalars(query.order_by(Effect.id)))


def read_timeline(session: Session, exchange: Exchange) -> list[Moment]:
    """All moments, oldest first."""
    returns = find_linked_returns(session, exchange)
    effects = find_effects(session, exchange, returns)
    history = list(session.scalars(select(ExchangeHistory).where(ExchangeHistory.exchange_id == exchange.id)))
    verdicts = list(session.scalars(select(VerdictRow).where(VerdictRow.return_id.in_([one.id for one in returns]))))
    named = {one.event_id for one in history} | {one.event_id for one in verdicts} | {one.event_id for one in effects}
    named |= {number for one in returns for number in (one.full_event_id, one.conflict_event_id)}
    events = session.scalars(select(Event).where(Event.shop_id == exchange.shop_id, Event.id.in_(named - {None})))
    moments = [
        *_tell_events(events),
        *(Moment(one.heard_at, "verdict", one.id, _describe_verdict(one)) for one in verdicts),
        *_tell_links(session, exchange),
        *(Moment(one.at, "decision", one.id, _describe_decision(one)) for one in history),
        *(Moment(one.created_at, "effect", one.id, f"{one.kind} wanted: {one.wanted}") for one in effects),
        *_tell_attempts(session, effects),
    ]
    order = ("event", "verdict", "link", "decision", "effect", "attempt")  # of one moment: causes first
    return sorted(moments, key=lambda one: (one.at, order.index(one.what), one.id))


def _tell_events(events: Iterable[Event]) -> Iterator[Moment]:
    for one in events:
        end = f"{one.outcome}: {one.reason}" if one.outcome else f"not thought about yet ({one.reason or 'waiting'})"
        yield Moment(one.received_at, "event", one.id, f"{one.source} {one.topic} {end}")


def _tell_links(session: Session, exchange: Exchange) -> Iterator[Moment]:
    for one in session.scalars(select(ExchangeLink).where(ExchangeLink.exchange_id == exchange.id)):
        yield Moment(one.linked_at, "link", one.id, f"return {one.return_code}, by {one.match}")


def _tell_attempts(session: Session, effects: Sequence[Effect]) -> Iterator[Moment]:
    kinds = {one.id: one.kind for one in effects}
    for one in session.scalars(select(Attempt).where(Attempt.effect_id.in_(kinds))):
        said = f"{one.result or 'began, and its end is not known'} {one.excerpt or ''}".strip()
        yield Moment(one.began_at, "attempt", one.id, f"{kinds[one.effect_id]} {one.act}: {said}")


def _describe_verdict(row: VerdictRow) -> str:
    return f"{row.item_code} {row.verdict}{f' ({row.reason})' if row.reason else ''}"


def _describe_decision(row: ExchangeHistory) -> str:
    return f"{row.state}: {row.why}{f' (by {row.actor})' if row.actor else ''}"
