"""Shopify orders in our own words: what matters about an order, whether it is held, and what OMS must hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class OrderLine:
    """One line item. Quantities are pieces; `id` is Shopify's line item id, in the id space of that shop's orders."""

    id: int
    sku: str
    variant_id: int | None
    quantity: int  # as ordered; never lowered by Shopify
    current_quantity: int  # what is left after cancels, edits and removals
    fulfillable_quantity: int
    unit_codes: tuple[str, ...] = ()  # return item codes this line replaces, from the line item property


class Fulfillment(StrEnum):
    """How much of an order has left the warehouse."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


@dataclass(frozen=True)
class FulfillmentOrder:
    """One of an order's fulfillment orders. `ours`: it carries a hold we placed; `holdable`: a hold can be placed."""

    id: int
    ours: bool
    holdable: bool


@dataclass(frozen=True)
class OrderSnapshot:
    """A Shopify order at one moment, without anything about the customer. Times are UTC."""

    id: int
    name: str
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None
    fulfillment: Fulfillment
    lines: tuple[OrderLine, ...]
    return_codes: tuple[str, ...] = ()  # the returns this order names
    link_rule: str = "attribute"  # where it names them: attribute | tag
    original_order: str | None = None
    in_order: bool = False  # a native exchange: exchange lines of a Shopify return on this same order
    fulfillment_orders: tuple[FulfillmentOrder, ...] | None = None  # None: this reading does not tell
    address: Mapping[str, str] | None = field(default=None, hash=False)  # marks of the address (law 11); None: not told
    known_version: int | None = None  # what we had stored when this reading was begun; None: it does not matter

    @property
    def cancelled(self) -> bool:
        """True when the whole order is off: cancelled as such, or edited down to nothing."""
        return self.cancelled_at is not None or (
            bool(self.lines) and all(line.current_quantity == 0 for line in self.lines)
        )

    def as_ordered(self) -> OrderSnapshot:
        """The order with every line whole, as before cancels, edits and removals."""
        return replace(self, lines=tuple(replace(line, current_quantity=line.quantity) for line in self.lines))

    def same_meaning(self, other: OrderSnapshot) -> bool:
        """True when `other`, a newer reading, differs in nothing that any rule looks at; the stamp means nothing.

        What only the Admin tells (fulfillment orders, native exchanges) is compared only when both readings tell it.
        """
        if other.fulfillment_orders is not None and other.fulfillment_orders != self.fulfillment_orders:
            return False
        if find_moved(self.address, other.address):
            return False
        return self.normalised() == replace(other, updated_at=self.updated_at).normalised()

    def normalised(self) -> OrderSnapshot:
        """The same order with its unordered parts in one order, so that two readings compare equal."""
        tags = tuple(sorted(tag.casefold() for tag in self.tags))
        # a webhook names the variant, the Admin read does not (it would need read_products): not a difference
        lines = tuple(replace(line, variant_id=None) for line in sorted(self.lines, key=lambda line: line.id))
        untold: dict[str, Any] = {"in_order": False, "fulfillment_orders": None, "address": None, "known_version": None}
        return replace(self, tags=tags, lines=lines, **untold)

    def with_variants(self, other: OrderSnapshot | None) -> OrderSnapshot:
        """The same order with the variants that `other`, another reading of it, names."""
        known = {line.id: line.variant_id for line in other.lines} if other else {}
        lines = tuple(replace(line, variant_id=line.variant_id or known.get(line.id)) for line in self.lines)
        return replace(self, lines=lines)


def find_moved(told: Mapping[str, str] | None, seen: Mapping[str, str] | None) -> list[str]:
    """The parts of an address that have changed, from their marks (`KID:hex`).

    A part that either reading does not tell, or whose marks are of two keys, proves nothing.
    """
    told, seen = told or {}, seen or {}
    return [
        part
        for part, mark in sorted(told.items())
        if part in seen and seen[part] != mark and seen[part].partition(":")[0] == mark.partition(":")[0]
    ]


@dataclass(frozen=True)
class HoldTags:
    """The merchant's tags that decide whether an order is held (settings `exchange.*`)."""

    hold: str
    others: tuple[str, ...] = ()
    release: str | None = None


def is_bound(order: OrderSnapshot) -> bool:
    """True while a fulfillment hold of ours is on the order: what holds a native exchange, which has no tag."""
    return any(one.ours for one in order.fulfillment_orders or ())


def has_tag(tags: Iterable[str], tag: str) -> bool:
    """Shopify compares order tags ignoring case, and so do we."""
    wanted = tag.strip().casefold()
    return any(one.strip().casefold() == wanted for one in tags)


def is_held(tags: Iterable[str], rules: HoldTags) -> bool:
    """True when a hold tag is on the order and no release tag lifts it."""
    present = list(tags)
    if rules.release and has_tag(present, rules.release):
        return False
    return any(has_tag(present, tag) for tag in (rules.hold, *rules.others))


def split_codes(text: str) -> tuple[str, ...]:
    """`"R1, R2"` -> `("R1", "R2")`; empty parts dropped, order kept, doubles dropped."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def find_return_codes(
    attributes: Mapping[str, str], tags: Iterable[str], attribute: str, prefix: str
) -> tuple[str, tuple[str, ...]]:
    """The rule that matched and the return order codes it gave: the order attribute's, else those of link tags."""
    named = split_codes(attributes.get(attribute, ""))
    if named:
        return "attribute", named
    folded = prefix.casefold()
    codes = (tag.strip()[len(prefix) :].strip() for tag in tags if tag.strip().casefold().startswith(folded))
    return "tag", tuple(dict.fromkeys(code for code in codes if code))


@dataclass(frozen=True)
class OmsRecord:
    """What OMS has acknowledged about an order: the only thing our calls are compared with.

    Keys are the codes of OMS's lines: Shopify line ids; one of them for all lines merged because OMS takes a SKU once.
    """

    on_hold: bool | None  # None: asked to change it without an answer, and nothing acknowledged since
    ordered: Mapping[int, int]  # quantities OMS was told at creation; a line gone by then was never told
    cancelled: Mapping[int, int]  # absolute cancelled quantities
    members: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # code -> its Shopify lines, where several
    address: Mapping[str, str] | None = None  # marks of the address it was sent

    def list_members(self, code: int) -> tuple[int, ...]:
        """The Shopify lines an OMS line stands for."""
        return self.members.get(code, (code,))


class OmsNeed(StrEnum):
    """What OMS must still hear, in the order it must hear it."""

    CREATE = "create"
    CANCEL = "cancel"
    UNHOLD = "unhold"
    HOLD = "hold"


def find_cancelled_quantities(order: OrderSnapshot, record: OmsRecord) -> dict[int, int]:
    """Absolute cancelled quantity of each line OMS knows, the form `PUT /orders/{code}/cancel` wants (increff.md §3.3).

    Never below what OMS has acknowledged: a total cannot be taken back.
    """
    if order.fulfillment is Fulfillment.FULL and order.cancelled_at is None:
        return dict(record.cancelled)  # all of it has shipped: what comes back now is a return, not a cancel
    left = _count_left(order, record)
    return {
        code: max(ordered - left[code], record.cancelled.get(code, 0), 0) for code, ordered in record.ordered.items()
    }


def _count_left(order: OrderSnapshot, record: OmsRecord) -> dict[int, int]:
    current = {} if order.cancelled_at is not None else {line.id: line.current_quantity for line in order.lines}
    return {code: sum(current.get(line, 0) for line in record.list_members(code)) for code in record.ordered}


def find_raised(order: OrderSnapshot, record: OmsRecord) -> list[int]:
    """Codes of the lines of which the order has more pieces than OMS would send."""
    left = _count_left(order, record)
    return [code for code, ordered in record.ordered.items() if left[code] > ordered - record.cancelled.get(code, 0)]


def find_untellable(order: OrderSnapshot, record: OmsRecord) -> list[str]:
    """Changes OMS has no call for, in words: lines added after it took the order, quantities raised, the address."""
    known = {line for code in record.ordered for line in record.list_members(code)}
    added = [line.sku or str(line.id) for line in order.lines if line.id not in known and line.current_quantity > 0]
    raised = find_raised(order, record)
    gone = order.cancelled or order.fulfillment is Fulfillment.FULL
    moved = [] if gone else find_moved(record.address, order.address)
    address = [f"shipping address: {', '.join(moved)}"] if moved else []
    return [f"added: {sku}" for sku in added] + [f"raised: line {code}" for code in raised] + address


def find_oms_needs(order: OrderSnapshot, *, held: bool, record: OmsRecord | None) -> list[OmsNeed]:
    """What differs between the order and what OMS acknowledged, in sending order (a cancel before the unhold)."""
    if record is None:
        over = order.cancelled or order.fulfillment is Fulfillment.FULL
        return [] if over else [OmsNeed.CREATE]
    needs = []
    cancelled = find_cancelled_quantities(order, record)
    if any(quantity > record.cancelled.get(line, 0) for line, quantity in cancelled.items()):
        needs.append(OmsNeed.CANCEL)
    if all(cancelled[line] >= ordered for line, ordered in record.ordered.items()):
        return needs  # a fully cancelled order needs no word about its hold
    if record.on_hold != held:
        needs.append(OmsNeed.HOLD if held else OmsNeed.UNHOLD)
    return needs


@dataclass(frozen=True)
class Address:
    """A postal address with contact, read from Shopify when OMS needs it and never stored (law 11)."""

    name: str
    line1: str
    line2: str
    city: str
    state: str
    zip: str
    country: str
    email: str
    phone: str


@dataclass(frozen=True)
class ForwardLine:
    """One line as OMS is told of it. Prices are per piece, tax included, in the order's currency."""

    id: int
    sku: str
    quantity: int
    unit_price: float
    unit_discount: float


@dataclass(frozen=True)
class ForwardOrder:
    """All that OMS must know to take an order; holds personal data, lives for one call."""

    created_at: datetime
    cash_on_delivery: bool
    location_id: int | None  # Shopify's id of the location that will fulfil it
    shipping: Address
    billing: Address
    lines: tuple[ForwardLine, ...]
    address_marks: Mapping[str, str] = field(default_factory=dict)  # what is kept of the shipping address
