"""What can differ between Shopify, the verdict, OMS and what we know of them, told from facts alone (F6).

An order that is still on its way (an effect is open or parked, or it changed a moment ago) is not judged: what is being
done is no drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from core.domain.exchange import SETTLED, WAITING, State
from core.domain.orders import (
    Fulfillment,
    FulfillmentOrder,
    HoldTags,
    OmsNeed,
    OmsRecord,
    OrderSnapshot,
    find_oms_needs,
    find_raised,
    is_bound,
    is_held,
)
from core.domain.plan import find_cuts

STUCK = timedelta(hours=1)
UNLINKED = timedelta(days=1)


class Kind(StrEnum):
    """What can be found: docs/watch.md says what each means and what heals it."""

    MISSED_CHANGE = "missed_change"
    ORDER_GONE = "order_gone"
    HELD_AGAIN = "held_again"
    OMS_UNHELD = "oms_unheld"
    OMS_HELD = "oms_held"
    OMS_NOT_CANCELLED = "oms_not_cancelled"
    OMS_MISSING = "oms_missing"
    OMS_CANCELLED_MORE = "oms_cancelled_more"
    LINE_NOT_CUT = "line_not_cut"
    HOLD_MISSING = "hold_missing"
    HOLD_LEFT = "hold_left"
    ACT_LOST = "act_lost"
    UNLINKED_ORDER = "unlinked_order"
    UNLINKED_VERDICT = "unlinked_verdict"
    EFFECT_PARKED = "effect_parked"
    ENDPOINT_DOWN = "endpoint_down"
    ENDPOINT_REFUSED = "endpoint_refused"
    ENDPOINT_GONE = "endpoint_gone"
    NEEDS_REAUTH = "needs_reauth"
    SCOPES_MISSING = "scopes_missing"
    API_VERSION = "api_version"
    DATA_REQUEST = "data_request"


ORDER_KINDS = frozenset(
    {
        *(Kind.MISSED_CHANGE, Kind.ORDER_GONE, Kind.HELD_AGAIN, Kind.ACT_LOST, Kind.UNLINKED_ORDER),
        *(Kind.OMS_UNHELD, Kind.OMS_HELD, Kind.OMS_NOT_CANCELLED, Kind.OMS_MISSING, Kind.OMS_CANCELLED_MORE),
        *(Kind.LINE_NOT_CUT, Kind.HOLD_MISSING, Kind.HOLD_LEFT),
    }
)
_NEEDS = {
    OmsNeed.HOLD: (Kind.OMS_UNHELD, "held in Shopify, but OMS may send it out"),
    OmsNeed.UNHOLD: (Kind.OMS_HELD, "free in Shopify, but OMS holds it"),
    OmsNeed.CANCEL: (Kind.OMS_NOT_CANCELLED, "cancelled in Shopify in whole or part, but not in OMS"),
    OmsNeed.CREATE: (Kind.OMS_MISSING, "OMS does not know the order"),
}


class Marked(Protocol):
    """What an order shows at a glance, wherever it is kept."""

    @property
    def tags(self) -> Sequence[str]:
        """As written, in any order."""

    @property
    def cancelled_at(self) -> datetime | None:
        """None while it is not cancelled."""

    @property
    def fulfillment(self) -> str:
        """A `Fulfillment`."""


@dataclass(frozen=True)
class OrderSight:
    """An order's marks as Shopify shows them now. None: this look did not ask."""

    tags: tuple[str, ...]
    cancelled_at: datetime | None
    fulfillment: Fulfillment
    updated_at: datetime
    quantities: Mapping[int, int] | None = None  # line id -> current quantity
    fulfillment_orders: tuple[FulfillmentOrder, ...] | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same sight: the stamp, and the marks too, for two changes may fall into one second."""
        marks = f"{sorted(self.tags)} {self.cancelled_at} {self.fulfillment}"
        return f"{self.updated_at.isoformat()}-{hashlib.sha256(marks.encode()).hexdigest()[:12]}"

    def differs_from(self, known: Marked) -> bool:
        """True when the marks themselves differ; the stamp alone means nothing."""
        ours = ({tag.casefold() for tag in known.tags}, known.cancelled_at is None, known.fulfillment)
        return ours != ({tag.casefold() for tag in self.tags}, self.cancelled_at is None, self.fulfillment)

    def apply_to(self, known: OrderSnapshot) -> OrderSnapshot:
        """The order we know, with what this look shows."""
        seen = self.quantities
        lines = tuple(
            line if seen is None else replace(line, current_quantity=seen.get(line.id, 0)) for line in known.lines
        )
        bound = known.fulfillment_orders if self.fulfillment_orders is None else self.fulfillment_orders
        return replace(
            known,
            tags=self.tags,
            cancelled_at=self.cancelled_at,
            fulfillment=self.fulfillment,
            lines=lines,
            fulfillment_orders=bound,
        )


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
    binds: bool  # the merchant wants fulfillment holds
    left: Mapping[int, int]  # line id -> what our cut has left of it
    record: OmsRecord | None
    told: bool  # OMS is to know such an order
    busy_in_shopify: bool  # an effect is open or parked
    busy_in_oms: bool
    acted_at: datetime | None  # when the last effect ended

    def is_settling(self, shopify: OrderSight | None, now: datetime, grace: timedelta) -> bool:
        """True while a change is so young that its webhook or its consequences may still be on their way."""
        stamps = (self.order.updated_at, shopify.updated_at if shopify else None, self.acted_at)
        return self.waited < grace or any(stamp is not None and now - stamp < grace for stamp in stamps)


@dataclass(frozen=True)
class Difference:
    """One thing found. `repairable`: reading the order again may put it right."""

    kind: Kind
    detail: str
    repairable: bool = False


def find_differences(
    known: Known, shopify: OrderSight | None, oms: OmsSight | None, rules: HoldTags
) -> list[Difference]:
    """Everything that differs. `shopify` None: it no longer shows the order; `oms` None: nobody asked OMS."""
    if shopify is None:
        return [Difference(Kind.ORDER_GONE, "Shopify no longer shows the order: deleted, or beyond the app's reach")]
    if known.busy_in_shopify:
        return []
    now = shopify.apply_to(known.order)
    held = is_held(shopify.tags, rules)
    found = [*_find_in_exchange(known, now, held=held), *_find_in_holds(known, now, held=held)]
    if known.told and not known.busy_in_oms:
        found += _find_in_oms(known, now, oms, held=held or known.hold_decided)
    missed = shopify.differs_from(known.order) or now.lines != known.order.lines
    if not found and shopify.updated_at >= known.order.updated_at and missed:
        found.append(Difference(Kind.MISSED_CHANGE, "the order changed in Shopify and no webhook told us", True))
    return found


def _find_in_exchange(known: Known, now: OrderSnapshot, *, held: bool) -> Iterable[Difference]:
    if known.state in (State.RELEASED, State.PARTLY_CANCELLED) and held:
        yield Difference(Kind.HELD_AGAIN, "the order was freed, and its hold tag is back", True)
    under_way = known.state in (State.RELEASING, State.CANCELLING)
    if under_way and known.acts and known.waited > STUCK:
        yield Difference(Kind.ACT_LOST, f"{known.state} for more than an hour, and nothing is on its way: decide again")
    waiting = known.state in WAITING or known.state is State.REVIEW
    if waiting and held and not known.linked and known.waited > UNLINKED:
        yield Difference(Kind.UNLINKED_ORDER, "on hold for more than a day, and no return is linked to it: link one")
    cuts = {} if now.cancelled else find_cuts(known.left, now.lines)
    if known.state is State.PARTLY_CANCELLED and cuts:
        lines = ", ".join(f"{line} ({count} to stay)" for line, count in sorted(cuts.items()))
        yield Difference(Kind.LINE_NOT_CUT, f"the order is free, and lines that failed QC are in it again: {lines}")


def _find_in_holds(known: Known, now: OrderSnapshot, *, held: bool) -> Iterable[Difference]:
    """Our fulfillment holds go with the hold. A native exchange has no tag: it is held as long as it is not over.

    One that somebody took off where we had placed it stays off (law 8), so that is theirs to put back.
    """
    bound = now.fulfillment_orders or ()
    held = held or known.hold_decided
    if now.in_order:
        over = known.state in SETTLED or known.state is State.RELEASING
        held = not over and (known.hold_decided or is_bound(known.order) or is_bound(now))
    wanted = held and known.binds and not now.cancelled
    bare = [one.id for one in bound if one.holdable and not one.ours]
    if wanted and bare:
        new = bound != known.order.fulfillment_orders
        words = "" if new else "; somebody took it off, so it is theirs to put back"
        yield Difference(Kind.HOLD_MISSING, f"on hold, and our fulfillment hold is not on {_name(bare)}{words}", new)
    ours = [one.id for one in bound if one.ours]
    if ours and not wanted:
        yield Difference(Kind.HOLD_LEFT, f"our fulfillment hold is on {_name(ours)}, and is to be off", True)


def _name(numbers: Iterable[int]) -> str:
    return "fulfillment order " + ", ".join(map(str, numbers))


def _find_in_oms(known: Known, now: OrderSnapshot, oms: OmsSight | None, *, held: bool) -> Iterable[Difference]:
    """Compared with what OMS shows when it was asked, else with what it has acknowledged.

    What our own record shows too is put right by reading the order again; what somebody changed in OMS is not ours.
    """
    ours = find_oms_needs(now, held=held, record=known.record)
    shown = _merge(known.record, oms)
    for need in find_oms_needs(now, held=held, record=shown):
        kind, detail = _NEEDS[need]
        by_hand = "" if need in ours else "; it was changed in OMS by somebody else"
        yield Difference(kind, detail + by_hand, repairable=need in ours)
    more = [] if shown is None or now.cancelled else find_raised(now, shown)
    if more:
        words = f"OMS has cancelled pieces that the order still has: line {', '.join(map(str, more))}"
        yield Difference(Kind.OMS_CANCELLED_MORE, f"{words}; cancel them in Shopify, or have OMS send them")


def _merge(record: OmsRecord | None, oms: OmsSight | None) -> OmsRecord | None:
    if record is None or oms is None:
        return record
    if not oms.known:
        return None
    on_hold = record.on_hold if oms.on_hold is None else oms.on_hold
    return replace(record, on_hold=on_hold, cancelled={**record.cancelled, **(oms.cancelled or {})})
