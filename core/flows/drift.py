"""Drift: the facts about an exchange that `core.domain.differences` judges are gathered (F6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, String, cast, or_, select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.differences import ORDER_KINDS, Difference, Kind, Known
from core.domain.exchange import SETTLED, State
from core.flows.acts import cut_of
from core.flows.facts import is_ours
from core.flows.linking import spell_code
from core.flows.orders import load_oms_record, load_order
from core.flows.returns import load_latest_verdicts, load_units
from core.flows.scene import Scene
from core.models import Effect, Exchange, ExchangeLink, Finding, Order, ReturnOrder
from core.relay.outbox import find_last
from core.settings import Settings

SETTLED_DAYS = 7  # how long a settled exchange is still looked at
_DAY_SECONDS = 86_400
_MOST = 1000  # of one kind that are written down
_OPEN = ("pending", "sending", "parked")


def find_watched(session: Session, shop_id: int, after: int, limit: int) -> list[Exchange]:
    """The exchanges to look at, by id: those not settled, those settled not long ago, and those with a finding."""
    recent = Exchange.since > db_now(-SETTLED_DAYS * _DAY_SECONDS)
    found = select(Finding.id).where(
        Finding.shop_id == shop_id,
        Finding.about == cast(Exchange.order_id, String),
        Finding.kind.in_(ORDER_KINDS),
        Finding.cleared_at.is_(None),
    )
    query = (
        select(Exchange)
        .where(
            Exchange.shop_id == shop_id,
            Exchange.id > after,
            or_(Exchange.state.not_in(SETTLED), recent, found.exists()),
        )
        .order_by(Exchange.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def read_known(session: Session, exchange: Exchange, settings: Settings, now: datetime) -> Known | None:
    """What we know of an exchange; None when its order is gone from our tables."""
    shop_id, order_id = exchange.shop_id, exchange.order_id
    order = load_order(session, shop_id, order_id)
    if order is None:
        return None
    record = load_oms_record(session, shop_id, order_id)
    effects = _list_effects(session, shop_id, order_id)
    linked = select(ExchangeLink.id).where(ExchangeLink.exchange_id == exchange.id).limit(1)
    return Known(
        state=State(exchange.state),
        waited=now - exchange.since,
        order=order,
        hold_decided=exchange.hold_decided,
        linked=session.scalars(linked).first() is not None,
        acts=is_ours(Scene(session, shop_id, settings), exchange),
        binds=settings.exchange.fulfillment_hold,
        left=_find_left(session, shop_id, order_id),
        record=record,
        told=settings.oms.sync != "none" and (record is not None or settings.oms.create_orders),
        busy_in_shopify=any(row.state in _OPEN for row in effects if row.lane.startswith("shopify:")),
        busy_in_oms=any(row.state in _OPEN for row in effects if row.lane.startswith("oms:")),
        acted_at=max((row.ended_at for row in effects if row.ended_at), default=None),
    )


def _find_left(session: Session, shop_id: int, order_id: int) -> dict[int, int]:
    cut = find_last(session, shop_id, cut_of(order_id))
    left: dict[str, int] = cut.wanted["left"] if cut is not None and cut.state == "done" else {}
    return {int(line): quantity for line, quantity in left.items()}


def _list_effects(session: Session, shop_id: int, order_id: int) -> Sequence[Row[str, str, datetime | None]]:
    lanes = (f"shopify:{order_id}", f"oms:order:{order_id}")
    query = select(Effect.lane, Effect.state, Effect.ended_at).where(Effect.shop_id == shop_id, Effect.lane.in_(lanes))
    return session.execute(query).all()


def find_parked(session: Session, shop_id: int) -> dict[str, Difference]:
    """Effects that wait for a person, by id."""
    query = select(Effect).where(Effect.shop_id == shop_id, Effect.state == "parked").order_by(Effect.id.desc())
    return {
        str(one.id): Difference(Kind.EFFECT_PARKED, f"{one.kind} of {one.about}: {one.reason}")
        for one in session.scalars(query.limit(_MOST))
    }


def find_unlinked_verdicts(session: Session, shop_id: int) -> dict[str, Difference]:
    """Returns whose verdicts are complete, of a first order that an exchange without a return names, by code."""
    waiting = _find_unlinked_originals(session, shop_id)
    has_link = select(ExchangeLink.id).where(
        ExchangeLink.shop_id == shop_id, ExchangeLink.return_code == ReturnOrder.code
    )
    query = select(ReturnOrder).where(
        ReturnOrder.shop_id == shop_id, ReturnOrder.forward_code.in_(waiting), ~has_link.exists()
    )
    return {
        one.code: Difference(
            Kind.UNLINKED_VERDICT,
            f"its verdicts are complete, and order {waiting[one.forward_code]} waits without a return: link them",
        )
        for one in session.scalars(query.order_by(ReturnOrder.id).limit(_MOST))
        if _is_judged(session, one.id)
    }


def _find_unlinked_originals(session: Session, shop_id: int) -> dict[str, str]:
    """First order as RMS may call it -> name of the replacement order that has no return yet."""
    linked = select(ExchangeLink.id).where(ExchangeLink.exchange_id == Exchange.id)
    query = (
        select(Order.original_order, Order.name)
        .join(Exchange, (Exchange.shop_id == Order.shop_id) & (Exchange.order_id == Order.order_id))
        .where(Order.shop_id == shop_id, Order.original_order.isnot(None), Exchange.state.not_in(SETTLED))
        .where(~linked.exists())
    )
    rows = session.execute(query).all()
    return {code: row.name for row in rows for code in spell_code(row.original_order)}


def _is_judged(session: Session, return_id: int) -> bool:
    codes = {unit.item_code for unit in load_units(session, return_id)}
    return bool(codes) and codes <= load_latest_verdicts(session, return_id).keys()
