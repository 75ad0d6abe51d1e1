"""The lists of the Activity page: one shop's exchanges, events or effects, filtered, newest first, a page at a time.

Pages are found by key, not counted: the hundredth costs what the first does. Every query is keyed by the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, cast, func, literal, or_, select
from sqlalchemy.orm import Session, defer

from core.domain.differences import Kind
from core.domain.exchange import State
from core.models import Attempt, Effect, Event, Exchange, ExchangeLink, Finding, Order

PAGE_ROWS = 50
_MOST = 2**63 - 1
UNSETTLED = ("parked", "unknown")  # outcomes of events that wait for a person
SHOWN_ELSEWHERE = (Kind.EFFECT_PARKED, Kind.ENDPOINT_DOWN, Kind.ENDPOINT_REFUSED, Kind.ENDPOINT_GONE)
_MOST_FINDINGS = 20
_COUNTED = 100  # what needs a person is counted up to here


@dataclass(frozen=True)
class Search:
    """What is looked for. `before` and `after` are keys of rows: the page older than one, or newer than one."""

    state: str = ""
    text: str = ""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Listing:
    """One page of rows; the keys that lead to its neighbours, where there are any."""

    rows: Sequence[Any]
    older: int | None
    newer: int | None


def list_exchanges(session: Session, shop_id: int, search: Search) -> Listing:
    """Rows of (Exchange, order name, return codes)."""
    query: Any = (
        select(Exchange, Order.name)
        .join(Order, (Order.shop_id == Exchange.shop_id) & (Order.order_id == Exchange.order_id))
        .where(Exchange.shop_id == shop_id)
    )
    if search.state:
        query = query.where(Exchange.state == search.state)
    if search.text:
        linked = select(ExchangeLink.exchange_id).where(
            ExchangeLink.shop_id == shop_id, _holds(ExchangeLink.return_code, search.text)
        )
        named = or_(_holds(Order.name, search.text), _holds(Exchange.reason, search.text))
        query = query.where(or_(named, Exchange.id.in_(linked), Exchange.order_id == _number(search.text)))
    found = _take(session, query, Exchange.id, search, lambda row: int(row[0].id))
    codes = _find_codes(session, shop_id, [row[0].id for row in found.rows])
    rows = [(exchange, name, codes.get(exchange.id, [])) for exchange, name in found.rows]
    return Listing(rows, found.older, found.newer)


def _find_codes(session: Session, shop_id: int, ids: list[int]) -> dict[int, list[str]]:
    query = select(ExchangeLink.exchange_id, ExchangeLink.return_code).where(
        ExchangeLink.shop_id == shop_id, ExchangeLink.exchange_id.in_(ids)
    )
    codes: dict[int, list[str]] = {}
    for exchange_id, code in session.execute(query.order_by(ExchangeLink.id)):
        codes.setdefault(exchange_id, []).append(code)
    return codes


def list_events(session: Session, shop_id: int, search: Search) -> Listing:
    """Rows of Event, whose bodies are left unread."""
    query = select(Event).options(defer(Event.body)).where(Event.shop_id == shop_id)
    if search.state:
        query = query.where(Event.outcome == search.state if search.state != "waiting" else Event.outcome.is_(None))
        query = query.where(_is_unsettled()) if search.state in UNSETTLED else query
    if search.text:
        held = [_holds(column, search.text) for column in (Event.topic, Event.reason, Event.delivery_id)]
        query = query.where(or_(*held, Event.id == _number(search.text)))
    found = _take(session, query, Event.id, search, lambda row: int(row[0].id))
    return Listing([row[0] for row in found.rows], found.older, found.newer)


def list_effects(session: Session, shop_id: int, search: Search) -> Listing:
    """Rows of (Effect, name of what it is about, tries)."""
    query = select(Effect).options(defer(Effect.request)).where(Effect.shop_id == shop_id)
    if search.state:
        query = query.where(Effect.state == _spell(search.state))
    if search.text:
        orders = select(cast(Order.order_id, String)).where(Order.shop_id == shop_id, _holds(Order.name, search.text))
        held = [_holds(column, search.text) for column in (Effect.kind, Effect.about, Effect.reason)]
        query = query.where(or_(*held, Effect.about.in_(orders), Effect.id == _number(search.text)))
    found = _take(session, query, Effect.id, search, lambda row: int(row[0].id))
    effects = [row[0] for row in found.rows]
    names = name_subjects(session, shop_id, [one.about for one in effects])
    tries = count_tries(session, effects)
    rows = [(one, names.get(one.about, one.about), tries.get(one.id, 0)) for one in effects]
    return Listing(rows, found.older, found.newer)


def count_tries(session: Session, effects: Sequence[Effect]) -> dict[int, int]:
    """Effect's id -> how often it was sent or looked at; `attempts` counts only failures in a row."""
    query = select(Attempt.effect_id, func.count()).where(Attempt.effect_id.in_([one.id for one in effects]))
    return {row[0]: row[1] for row in session.execute(query.group_by(Attempt.effect_id))}


def name_subjects(session: Session, shop_id: int, about: list[str]) -> dict[str, str]:
    """What effects are about, as a merchant knows it: an order's id -> its name."""
    ids = {number for one in about if (number := _number(one)) >= 0}
    query = select(Order.order_id, Order.name).where(Order.shop_id == shop_id, Order.order_id.in_(ids))
    return {str(order_id): name for order_id, name in session.execute(query)}


def count_attention(session: Session, shop_id: int) -> dict[str, int]:
    """How many exchanges, events and effects wait for a person, up to a hundred of each."""
    waiting = {
        "exchanges": select(Exchange.id).where(Exchange.shop_id == shop_id, Exchange.state == State.REVIEW),
        "events": select(Event.id).where(Event.shop_id == shop_id, _is_unsettled()),
        "effects": select(Effect.id).where(Effect.shop_id == shop_id, Effect.state == _spell("parked")),
    }
    return {
        name: session.scalars(select(func.count()).select_from(query.limit(_COUNTED).subquery())).one()
        for name, query in waiting.items()
    }


def list_findings(session: Session, shop_id: int) -> list[tuple[Finding, str]]:
    """What differs between the systems or does not move, newest first, and the name of what it is about.

    Parked effects and far sides in trouble are shown as such.
    """
    query = select(Finding).where(
        Finding.shop_id == shop_id, Finding.cleared_at.is_(None), Finding.kind.not_in(SHOWN_ELSEWHERE)
    )
    found = list(session.scalars(query.order_by(Finding.id.desc()).limit(_MOST_FINDINGS)))
    names = name_subjects(session, shop_id, [one.about for one in found])
    return [(one, names.get(one.about, one.about)) for one in found]


def _spell(value: str) -> Any:
    """A value that stands in the statement itself: SQLite takes an index of only some rows for nothing else."""
    return literal(value, literal_execute=True)


def _is_unsettled() -> Any:
    return Event.outcome.in_([_spell(outcome) for outcome in UNSETTLED])


def _holds(column: Any, text: str) -> Any:
    return column.icontains(text, autoescape=True)


def _number(text: str) -> int:
    """The number a text is; one that no row has, when it is none."""
    bare = text.strip().removeprefix("#")
    return int(bare) if bare.isascii() and bare.isdecimal() and len(bare) < 19 else -1


def _take(session: Session, query: Any, key: Any, search: Search, key_of: Callable[[Any], int]) -> Listing:
    backwards = search.after is not None
    if backwards:
        query = query.where(key > search.after).order_by(key)
    else:
        query = query.where(key < (search.before or _MOST)).order_by(key.desc())
    rows = list(session.execute(query.limit(PAGE_ROWS + 1)))
    more, rows = len(rows) > PAGE_ROWS, rows[:PAGE_ROWS]
    if backwards:
        rows.reverse()
    older = (more or backwards) and bool(rows)
    newer = (more if backwards else search.before is not None) and bool(rows)
    return Listing(rows, key_of(rows[-1]) if older else None, key_of(rows[0]) if newer else None)


LISTS: dict[str, Callable[[Session, int, Search], Listing]] = {
    "exchanges": list_exchanges,
    "events": list_events,
    "effects": list_effects,
}
