"""The watch's duties: each opens its own short transactions and lets the flows decide. No transaction spans HTTP.

What only a bridge can do (look at Shopify, look at OMS, have an order read again) is given by the composition root.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.db import db_now, insert_once, lock_row, read_clock
from core.domain.differences import ORDER_KINDS, Difference, Kind, OmsSight, OrderSight, find_differences
from core.errors import Fault
from core.flows import drift
from core.flows.deadlines import find_candidates, meet_deadline
from core.flows.findings import keep_all, keep_findings
from core.flows.rethinking import register_rethinking
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import Endpoint, Event, Exchange, Finding, OmsOrder, Shop, WatchPlace
from core.registry import Duty
from core.relay.endpoints import DOWN, GONE, REFUSED
from core.relay.inbox import waiting_events
from core.relay.jobs import purge_bodies
from core.runtime import Runtime

_TURN_SECONDS = 10.0
_BATCH = 50
_BEHIND_SECONDS = 60
_LOOKS = 20  # exchanges a turn of the drift check, each perhaps with a look at OMS
_OMS_SHARE = 0.1  # of OMS's calls a minute that looks may take
_MOST_REPAIRS = 3
GRACE = timedelta(minutes=2)

_LEFT_ALONE = {DOWN: Kind.ENDPOINT_DOWN, REFUSED: Kind.ENDPOINT_REFUSED, GONE: Kind.ENDPOINT_GONE}

logger = logging.getLogger(__name__)
LookShopify = Callable[[int, Sequence[int]], dict[int, OrderSight]]
LookOms = Callable[[int, str, str], OmsSight]
AskAgain = Callable[[Session, int, int, str], bool]


@dataclass(frozen=True)
class DeadlineWatch:
    """Does what missed deadlines ask for, each exchange in a transaction of its own."""

    runtime: Runtime

    def take_turn(self, shop_id: int) -> float | None:
        """Every exchange that may be late. While old messages wait to be thought about, nothing is late yet."""
        end, after = monotonic() + _TURN_SECONDS, 0
        while monotonic() < end:
            with self.runtime.database.read() as session:
                if _is_behind(session, shop_id):
                    return None
                qc = load_settings(session, shop_id).qc
                batch = find_candidates(session, shop_id, qc, after, _BATCH)
            if not batch:
                return None
            for _, order_id in batch:
                self._meet(shop_id, order_id)
            after = batch[-1][0]
        return 0

    def _meet(self, shop_id: int, order_id: int) -> None:
        with self.runtime.database.write() as session:
            lock_row(session, Shop.id, shop_id)
            code = meet_deadline(Scene(session, shop_id, load_settings(session, shop_id)), order_id)
        if code is not None:
            logger.info("order %s: deadline missed: %s", order_id, code)
            self.runtime.bell.ring()


def _is_behind(session: Session, shop_id: int) -> bool:
    """True after a pause or an outage, until what came meanwhile has been thought about: the verdicts may be there."""
    old = Event.received_at < db_now(-_BEHIND_SECONDS)
    query = select(Event.id).where(Event.shop_id == shop_id, old, waiting_events())
    return session.scalars(query.limit(1)).first() is not None


@dataclass(frozen=True)
class DriftWatch:
    """Goes round a shop's exchanges, some at a time, compares, and keeps the findings."""

    runtime: Runtime
    look_shopify: LookShopify
    look_oms: LookOms
    ask_again: AskAgain
    grace: timedelta = GRACE

    def take_turn(self, shop_id: int) -> float | None:
        """Some exchanges. When more are left: the seconds that keep looks at OMS within their share."""
        with self.runtime.database.read() as session:
            settings = load_settings(session, shop_id)
            place = session.get(WatchPlace, shop_id)
            batch = drift.find_watched(session, shop_id, place.drift_after if place else 0, _LOOKS)
            asked = self._list_in_oms(session, batch)
        shopify = self.look_shopify(shop_id, [one.order_id for one in batch])
        oms = self._look_at_oms(shop_id, asked)
        for exchange in batch:
            self._judge(shop_id, exchange.id, shopify.get(exchange.order_id), oms.get(exchange.order_id))
        more = len(batch) == _LOOKS
        with self.runtime.database.write() as session:
            insert_once(session, WatchPlace, shop_id=shop_id, drift_after=0)
            session.get_one(WatchPlace, shop_id).drift_after = batch[-1].id if more else 0
            if not more:
                _keep_wide(session, shop_id)
        self.runtime.bell.ring()
        return 60 * len(asked) / (settings.oms.calls_per_minute * _OMS_SHARE) if more else None

    def _list_in_oms(self, session: Session, batch: list[Exchange]) -> list[OmsOrder]:
        found = [session.get(OmsOrder, (one.shop_id, one.order_id)) for one in batch]
        return [one for one in found if one is not None]

    def _look_at_oms(self, shop_id: int, asked: list[OmsOrder]) -> dict[int, OmsSight]:
        """What OMS shows. When it cannot be asked, what it has acknowledged must do."""
        seen: dict[int, OmsSight] = {}
        for one in asked:
            try:
                seen[one.order_id] = self.look_oms(shop_id, one.code, one.location_code)
            except Fault as error:
                logger.warning("drift check of shop %s: OMS was not asked further: %s", shop_id, error)
                break
        return seen

    def _judge(self, shop_id: int, exchange_id: int, shopify: OrderSight | None, oms: OmsSight | None) -> None:
        with self.runtime.database.write() as session:
            lock_row(session, Shop.id, shop_id)
            exchange, settings = session.get(Exchange, exchange_id), load_settings(session, shop_id)
            now = read_clock(session)
            known = drift.read_known(session, exchange, settings, now) if exchange else None
            if exchange is None or known is None or known.is_settling(shopify, now, self.grace):
                return
            found = find_differences(known, shopify, oms, settings.exchange.hold_tags)
            standing = keep_findings(session, shop_id, str(known.order.id), ORDER_KINDS, found)
            self._repair(session, shop_id, known.order.id, standing)

    def _repair(self, session: Session, shop_id: int, order_id: int, standing: list[Finding]) -> None:
        """Have the order read again, once for all its findings; after a few times a person must look."""
        open_to_repair = [one for one in standing if one.repairable and one.repairs < _MOST_REPAIRS]
        for one in open_to_repair:
            one.repairs += 1
        if open_to_repair:
            first = open_to_repair[0]
            self.ask_again(session, shop_id, order_id, f"finding-{first.id}-{first.repairs}")


def _keep_wide(session: Session, shop_id: int) -> None:
    keep_all(session, shop_id, Kind.EFFECT_PARKED, drift.find_parked(session, shop_id))
    keep_all(session, shop_id, Kind.UNLINKED_VERDICT, drift.find_unlinked_verdicts(session, shop_id))


@dataclass(frozen=True)
class EndpointWatch:
    """Tells the merchant which far sides are left alone, and why: their effects wait meanwhile."""

    runtime: Runtime

    def take_turn(self, shop_id: int) -> None:
        """Keep the findings as the endpoints are now."""
        with self.runtime.database.write() as session:
            for state, kind in _LEFT_ALONE.items():
                rows = session.scalars(select(Endpoint).where(Endpoint.shop_id == shop_id, Endpoint.state == state))
                found = {row.name: Difference(kind, f"its effects wait: {row.words}") for row in rows}
                keep_all(session, shop_id, kind, found)


def register_duties(runtime: Runtime, look_shopify: LookShopify, look_oms: LookOms, ask_again: AskAgain) -> None:
    """Enter what core itself does: its duties, and thinking again."""
    register_rethinking(runtime)
    drifts = DriftWatch(runtime, look_shopify, look_oms, ask_again)
    runtime.registry.duties += [
        Duty("purge", 60, lambda _: 0 if purge_bodies(runtime) else None),
        Duty("deadlines", 60, DeadlineWatch(runtime).take_turn, modes=("live", "observe")),
        Duty("endpoints", 60, EndpointWatch(runtime).take_turn, modes=("live",)),
        Duty("drift", 10 * 60, drifts.take_turn, modes=("live",)),
    ]
