"""Drift: where Shopify, the verdict, OMS and what we know of them differ, or where something does not move (F6).

`find_differences` decides from facts alone; the rest gathers the facts. An order that is still
on its way (an effect is open or parked, or it changed a moment ago) is not judged: what is being done is no drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.exchange import SETTLED, WAITING, State
from core.domain.orders import Fulfillment, HoldTags, OmsNeed, OmsRecord, OrderSnapshot, find_oms_needs, is_held
from core.flows.findings import Difference, Kind
from core.flows.linking import spell_code
from core.flows.orders import load_oms_record, load_order
from core.flows.returns import load_latest_verdicts, load_units
from core.models import Effect, Exchange, ExchangeLink, Order, ReturnOrder
from core.settings import Settings

SETTLED_DAYS = 7  # how long a settled exchange is still looked at
STUCK = timedelta(hours=1)
UNLINKED = timedelta(days=1)
_DAY_SECONDS = 86_400
_MOST = 1000  # of one kind that are written down
_OPEN = ("pending", "sending", "parked")


ORDER_KINDS = frozenset(
    {
        *(Kind.MISSED_CHANGE, Kind.ORDER_GONE, Kind.HELD_AGAIN, Kind.ACT_LOST, Kind.UNLINKED_ORDER),
        *(Kind.OMS_UNHELD, Kind.OMS_HELD, Kind.OMS_NOT_CANCELLED, Kind.OMS_MISSING),
    }
)
_NEEDS = {
    OmsNeed.HOLD: (Kind.OMS_UNHELD, "held in Shopify, but OMS may send it out"),
    OmsNeed.UNHOLD: (Kind.OMS_HELD, "free in Shopify, but OMS holds it"),
    OmsNeed.CANCEL: (Kind.OMS_NOT_CANCELLED, "cancelled in Shopify in whole or part, but not in OMS"),
    OmsNeed.CREATE: (Kind.OMS_MISSING, "OMS does not know the order"),
}


@dataclass(frozen=True)
class OrderSight:
    """An order's marks as Shopify shows them now."""

    tags: tuple[str, ...]
    cancelled_at: datetime | None
    fulfillment: Fulfillment
    updated_at: datetime

    @property
    def fingerprint(self) -> str:
        """The same for the same sight: the stamp, and the marks too, for two changes may fall into one second."""
        marks = f"{sorted(self.tags)} {self.cancelled_at} {self.fulfillment}"
        return f"{self.updated_at.isoformat()}-{hashlib.sha256(marks.encode()).hexdigest()[:12]}"

    def differs_from(self, known: Order | OrderSnapshot) -> bool:
        """True when the marks themselves differ; the stamp alone means nothing."""
        ours = ({tag.casefold() for tag in known.tags}, known.cancelled_at is None, known.fulfillment)
        return ours != ({tag.casefold() for tag in self.tags}, self.cancelled_at is None, self.fulfillment)


@dataclass(frozen=True)
class OmsSight:
    """An order as OMS shows it now. `on_hold` None: OMS does not tell. Keys are line ids."""

    known: bool
    on_hold: bool | None = None
    cancelled: Mapping[int, int] | None = None


@dataclass(frozen=True)
class Known:
    """What we know of one exchange and its order."""

    state: State
    waited: timedelta  # in this state
    order: OrderSnapshot
    hold_decided: bool
    linked: bool
    acts: bool  # it is for us to act on Shopify
    record: OmsRecord | None
    told: bool  # OMS is to know such an order
    busy_in_shopify: bool  # an effect is open or parked
    busy_in_oms: bool
    acted_at: datetime | None  # when the last effect ended

    def is_settling(self, shopify: OrderSight | None, now: datetime, grace: timedelta) -> bool:
        """True while a change is so young that its webhook or its consequences may still be on their way."""
        stamps = (self.order.updated_at, shopify.updated_at if shopify else None, self.acted_at)
        return self.waited < grace or any(stamp is not None and now - stamp < grace for stamp in stamps)


def find_differences(
    known: Known, shopify: OrderSight | None, oms: OmsSight | None, rules: HoldTags
) -> list[Difference]:
    """Everything that differs. `shopify` None: it no longer shows the order; `oms` None: nobody asked OMS."""
    if shopify is None:
        return [Difference(Kind.ORDER_GONE, "Shopify no longer shows the order: deleted, or beyond the app's reach")]
    if known.busy_in_shopify:
        return []
    held = is_held(shopify.tags, rules)
    found = [*_find_in_exchange(known, held=held)]
    if known.told and not known.busy_in_oms:
        found += _find_in_oms(known, shopify, oms, held=held or known.hold_decided)
    if not found and shopify.updated_at >= known.order.updated_at and shopify.differs_from(known.order):
        found.append(Difference(Kind.MISSED_CHANGE, "the order changed in Shopify and no webhook told us", True))
    return found


def _find_in_exchange(known: Known, *, held: bool) -> Iterable[Difference]:
    if known.state in (State.RELEASED, State.PARTLY_CANCELLED) and held:
        yield Difference(Kind.HELD_AGAIN, "the order was freed, and its hold tag is back", True)
    under_way = known.state in (State.RELEASING, State.CANCELLING)
    if under_way and known.acts and known.waited > STUCK:
        yield Difference(Kind.ACT_LOST, f"{known.state} for more than an hour, and nothing is on its way: decide again")
    waiting = known.state in WAITING or known.state is State.REVIEW
    if waiting and held and not known.linked and known.waited > UNLINKED:
        yield Difference(Kind.UNLINKED_ORDER, "on hold for more than a day, and no return is linked to it: link one")


def _find_in_oms(known: Known, shopify: OrderSight, oms: OmsSight | None, *, held: bool) -> Iterable[Difference]:
    """Compared with what OMS shows when it was asked, else with what it has acknowledged.

    What our own record shows too is put right by reading the order again; what somebody changed in OMS is not ours.
    """
    order = replace(known.order, tags=shopify.tags, cancelled_at=shopify.cancelled_at)
    ours = find_oms_needs(order, held=held, record=known.record)
    shown = _merge(known.record, oms)
    for need in find_oms_needs(order, held=held, record=shown):
        kind, detail = _NEEDS[need]
        by_hand = "" if need in ours else "; it was changed in OMS by somebody else"
        yield Difference(kind, detail + by_hand, repairable=need in ours)


def _merge(record: OmsRecord | None, oms: OmsSight | None) -> OmsRecord | None:
    if record is None or oms is None:
        return record
    if not oms.known:
        return None
    on_hold = record.on_hold if oms.on_hold is None else oms.on_hold
    return replace(record, on_hold=on_hold, cancelled={**record.cancelled, **(oms.cancelled or {})})


def find_watched(session: Session, shop_id: int, after: int, limit: int) -> list[Exchange]:
    """The exchanges to look at, by id: those not settled, and those settled not long ago."""
    recent = Exchange.since > db_now(-SETTLED_DAYS * _DAY_SECONDS)
    query = (
        select(Exchange)
        .where(Exchange.shop_id == shop_id, Exchange.id > after, or_(Exchange.state.not_in(SETTLED), recent))
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
        acts=settings.qc.actor == "app" or exchange.decided_by is not None,
        record=record,
        told=settings.oms.sync != "none" and (record is not None or settings.oms.create_orders),
        busy_in_shopify=any(row.state in _OPEN for row in effects if row.lane.startswith("shopify:")),
        busy_in_oms=any(row.state in _OPEN for row in effects if row.lane.startswith("oms:")),
        acted_at=max((row.ended_at for row in effects if row.ended_at), default=None),
    )


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
