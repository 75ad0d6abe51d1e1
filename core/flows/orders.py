"""Orders: keep the newest state of those that concern us, and tell OMS what it has not acknowledged (F1, F4)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.orm import Session

from core.domain.effects import OMS_CANCEL_LINES, OMS_CREATE_ORDER, OMS_HOLD_ORDER, OMS_UNHOLD_ORDER
from core.domain.orders import (
    Fulfillment,
    FulfillmentOrder,
    OmsNeed,
    OmsRecord,
    OrderLine,
    OrderSnapshot,
    find_cancelled_quantities,
    find_oms_needs,
    find_untellable,
    has_tag,
    is_held,
)
from core.domain.plan import PlanKind
from core.errors import Transient
from core.flows.exchanges import find_exchange, is_order_held, note_replacement, reconsider
from core.flows.facts import open_case
from core.flows.scene import Scene
from core.models import OmsOrder, Order
from core.registry import Outcome, handled, ignored, parked
from core.relay.outbox import Wanted, is_in_doubt, want, withdraw
from core.settings import Settings

_STALE_SECONDS = 1.0
_CUT_SECONDS = 5.0  # between two looks for a partner's cancel


def load_order(session: Session, shop_id: int, order_id: int) -> OrderSnapshot | None:
    """The newest state we know of an order, or None."""
    row = session.get(Order, (shop_id, order_id))
    return _to_snapshot(row) if row else None


def _to_snapshot(row: Order) -> OrderSnapshot:
    found: list[dict[str, Any]] | None = row.fulfillment_orders
    return OrderSnapshot(
        id=row.order_id,
        name=row.name,
        tags=tuple(row.tags),
        created_at=row.created_at,
        updated_at=row.updated_at,
        cancelled_at=row.cancelled_at,
        fulfillment=Fulfillment(row.fulfillment),
        lines=tuple(OrderLine(**{**line, "unit_codes": tuple(line["unit_codes"])}) for line in row.lines),
        return_codes=tuple(row.return_codes),
        link_rule=row.link_rule,
        original_order=row.original_order,
        in_order=row.in_order,
        fulfillment_orders=None if found is None else tuple(FulfillmentOrder(**one) for one in found),
        address=row.address,
    )


def _store(session: Session, shop_id: int, order: OrderSnapshot) -> None:
    row = session.get(Order, (shop_id, order.id))
    values: dict[str, Any] = {
        "name": order.name,
        "tags": list(order.tags),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "cancelled_at": order.cancelled_at,
        "fulfillment": order.fulfillment.value,
        "lines": [asdict(line) for line in order.lines],
        "return_codes": list(order.return_codes),
        "link_rule": order.link_rule,
        "original_order": order.original_order,
    }
    if order.fulfillment_orders is not None:  # a reading of the Admin; a webhook tells neither
        values |= {"in_order": order.in_order, "fulfillment_orders": [asdict(one) for one in order.fulfillment_orders]}
    if order.address is not None:
        values["address"] = dict(order.address)
    if row is None:
        values.setdefault("in_order", False)
        session.add(Order(shop_id=shop_id, order_id=order.id, version=1, **values))
    else:
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
    session.flush()


def load_oms_record(session: Session, shop_id: int, order_id: int) -> OmsRecord | None:
    """What OMS has acknowledged of an order; None when it does not know the order.

    A hold or unhold that was sent without an answer may have been done, so nobody knows what OMS believes until it
    acknowledges a newer one: then whatever the order is to be is asked for once more, and not taken for granted.
    """
    row = session.get(OmsOrder, (shop_id, order_id))
    if row is None:
        return None
    known = {line: max(row.cancelled.get(line, 0), row.announced.get(line, 0)) for line in row.ordered}
    members = {int(code): tuple(lines) for code, lines in row.members.items()}
    on_hold = None if is_in_doubt(session, shop_id, _hold_of(order_id)) else row.on_hold
    return OmsRecord(on_hold, _by_line(row.ordered), _by_line(known), members, row.address)


def _hold_of(order_id: int) -> str:
    """What is decided about when OMS is to hold an order or free it."""
    return f"oms.hold:{order_id}"


def _by_line(stored: dict[str, int]) -> dict[int, int]:
    return {int(line): quantity for line, quantity in stored.items()}


def concerns_us(session: Session, shop_id: int, order: OrderSnapshot, settings: Settings) -> bool:
    """True for a replacement order, one we know already, and any order when OMS is to hear of all of them."""
    return (
        has_tag(order.tags, settings.exchange.replacement_tag)
        or settings.oms.sync == "all"
        or order.in_order
        or session.get(Order, (shop_id, order.id)) is not None
    )


def load_version(session: Session, shop_id: int, order_id: int) -> int:
    """How often we have written what we know of an order; 0 for one we do not know."""
    row = session.get(Order, (shop_id, order_id))
    return row.version if row else 0


def load_address(session: Session, shop_id: int, order_id: int) -> dict[str, str] | None:
    """Marks of the address as last seen; None when OMS was sent none, and so nobody need read it."""
    row = session.get(Order, (shop_id, order_id))
    return row.address if row else None


def settle_payload(session: Session, shop_id: int, payload: OrderSnapshot) -> OrderSnapshot:
    """A payload that proved that nothing relevant changed, as the order we know: with what only the Admin tells."""
    stored = load_order(session, shop_id, payload.id)
    version = load_version(session, shop_id, payload.id)
    if stored is None or payload.updated_at < stored.updated_at:
        return replace(payload, known_version=version)
    return replace(stored.with_variants(payload), updated_at=payload.updated_at, known_version=version)


def needs_fresh_look(session: Session, shop_id: int, order: OrderSnapshot, settings: Settings) -> bool:
    """False when a payload proves that nothing relevant changed, so that a storm of updates costs no call."""
    if not concerns_us(session, shop_id, order, settings):
        return False
    stored = load_order(session, shop_id, order.id)
    if stored is None:
        return True
    if order.updated_at < stored.updated_at:
        return False
    return not stored.same_meaning(order) or bool(_find_needs(session, shop_id, order, settings))


def note_order(scene: Scene, order: OrderSnapshot) -> Outcome:
    """An order was read: store it, move its exchange, tell OMS. An older reading, or one of no concern, is ignored."""
    session, shop_id = scene.session, scene.shop_id
    if not concerns_us(session, shop_id, order, scene.settings):
        return ignored("not a replacement order")
    stored = load_order(session, shop_id, order.id)
    if stored is not None and order.updated_at < stored.updated_at:
        return ignored("older than what we know")
    _await_cut(scene, order)
    order = order.with_variants(stored)
    changed = stored is None or not stored.same_meaning(order)
    if stored is not None:
        _refuse_stale(scene, stored, order, changed=changed)
    if changed or order.updated_at != (stored and stored.updated_at):
        _store(session, shop_id, order)
    moved = follow_exchange(scene, order)
    told = tell_oms(scene, order)
    untold = _find_untold(scene, stored, order)
    if untold:
        return _park_untold(order, untold)
    if not (changed or moved or told):
        return ignored("nothing relevant changed")
    return handled(_describe(order, moved, told))


def _refuse_stale(scene: Scene, stored: OrderSnapshot, order: OrderSnapshot, *, changed: bool) -> None:
    """Law 6: Shopify stamps whole seconds, so a reading may be as young as what we know and yet older.

    When what we know was written while the reading was under way, it is read again; so it is when OMS took the order
    meanwhile, for then nobody had asked for its address yet; and when the reading has other fulfillment orders, whose
    holds no stamp tells the age of: one placed meanwhile would seem to have been lifted. A payload that was of no
    concern when it came, and is now, was never looked up. Raises Transient.
    """
    if order.known_version in (None, load_version(scene.session, scene.shop_id, order.id)):
        return
    unasked = order.address is None and stored.address is not None
    bound_otherwise = order.fulfillment_orders is None or order.fulfillment_orders != stored.fulfillment_orders
    if unasked or bound_otherwise or (changed and order.updated_at == stored.updated_at):
        raise Transient("the order changed while it was read", retry_after=_STALE_SECONDS)


def note_taken_order(scene: Scene, order: OrderSnapshot) -> Outcome:
    """OMS took an order that changed meanwhile: noted like any reading, and what was missed so far is said too."""
    outcome = note_order(scene, order)
    untold = list_untold(scene.session, scene.shop_id, order)
    return _park_untold(order, untold) if untold else outcome


def list_untold(session: Session, shop_id: int, order: OrderSnapshot) -> list[str]:
    """What differs from what OMS was told and OMS has no call for, in words."""
    record = load_oms_record(session, shop_id, order.id)
    return find_untellable(order, record) if record else []


def _park_untold(order: OrderSnapshot, untold: list[str]) -> Outcome:
    return parked(f"OMS has no call for what changed on order {order.name}: {', '.join(untold)}; tell it by hand")


def _find_untold(scene: Scene, stored: OrderSnapshot | None, order: OrderSnapshot) -> list[str]:
    raised = list_untold(scene.session, scene.shop_id, stored) if stored else []  # a task each already
    return [one for one in list_untold(scene.session, scene.shop_id, order) if one not in raised]


def _await_cut(scene: Scene, order: OrderSnapshot) -> None:
    """F1: a partner lifts the hold and cancels failed lines in two steps, in either order, and OMS must hear the cancel
    first. While the cancel is not visible, the event is put off and the order read again; for a minute at most.

    Raises Transient. Where we act ourselves nothing waits: our own cut comes first, and a person's lift counts at once.
    """
    exchange = find_exchange(scene.session, scene.shop_id, order.id)
    if exchange is None or not scene.patient or scene.settings.qc.actor == "app" or order.cancelled:
        return
    case = open_case(scene, exchange, order)
    to_cut = case.plan.kind is PlanKind.CANCEL or (case.plan.kind is PlanKind.CUT and case.cuts)
    if to_cut and exchange.seen_held and not is_held(order.tags, scene.settings.exchange.hold_tags):
        raise Transient(
            "the hold is off, and the cancel of what failed QC is not visible yet", retry_after=_CUT_SECONDS
        )


def _describe(order: OrderSnapshot, moved: bool, told: list[OmsNeed]) -> str:
    said = ", ".join(f"OMS: {need}" for need in told) or "nothing for OMS"
    return f"order {order.name} noted; exchange {'moved' if moved else 'unchanged'}; {said}"


def follow_exchange(scene: Scene, order: OrderSnapshot) -> bool:
    """Let the order's exchange, if it is part of one, look again. True when it moved."""
    exchange = find_exchange(scene.session, scene.shop_id, order.id)
    replaces = has_tag(order.tags, scene.settings.exchange.replacement_tag) or order.in_order
    if exchange is None and not replaces:
        return False
    return reconsider(scene, note_replacement(scene, order), order)


def _find_needs(session: Session, shop_id: int, order: OrderSnapshot, settings: Settings) -> list[OmsNeed]:
    if settings.oms.sync == "none":
        return []
    if order.in_order and settings.oms.sync != "all":  # the customer's first order: not ours to tell
        return []
    record = load_oms_record(session, shop_id, order.id)
    if record is None and not settings.oms.create_orders:
        return []
    return find_oms_needs(order, held=is_order_held(session, shop_id, order, settings), record=record)


def tell_oms(scene: Scene, order: OrderSnapshot) -> list[OmsNeed]:
    """Want whatever OMS has not acknowledged yet, and nothing else. Returns what was newly wanted."""
    needs = _find_needs(scene.session, scene.shop_id, order, scene.settings)
    if OmsNeed.CANCEL not in needs:
        withdraw(scene.session, scene.shop_id, f"oms.cancel:{order.id}", "there is nothing more to cancel")
    if not {OmsNeed.HOLD, OmsNeed.UNHOLD} & set(needs) and withdraw(
        scene.session, scene.shop_id, _hold_of(order.id), "OMS holds the order as it should"
    ):  # one may have been begun just now: then what OMS believes is not known any more
        needs = _find_needs(scene.session, scene.shop_id, order, scene.settings)
    told = []
    for need in needs:
        if want(scene.session, scene.shop_id, _plan(scene, order, need), scene.event_id):
            told.append(need)
            if need is OmsNeed.CANCEL:  # a hold or unhold that was not sent yet queues up behind it
                withdraw(scene.session, scene.shop_id, _hold_of(order.id), "OMS is to hear the cancel first")
    return told


def _plan(scene: Scene, order: OrderSnapshot, need: OmsNeed) -> Wanted:
    about, lane = str(order.id), f"oms:order:{order.id}"
    if need is OmsNeed.CREATE:
        return Wanted(OMS_CREATE_ORDER, f"oms.create:{order.id}", about, lane, {"created": True})
    if need is OmsNeed.CANCEL:
        record = load_oms_record(scene.session, scene.shop_id, order.id)
        assert record is not None  # find_oms_needs asks for a cancel only of an order OMS knows
        totals = {str(line): quantity for line, quantity in find_cancelled_quantities(order, record).items()}
        return Wanted(OMS_CANCEL_LINES, f"oms.cancel:{order.id}", about, lane, {"cancelled": totals})
    kind = OMS_HOLD_ORDER if need is OmsNeed.HOLD else OMS_UNHOLD_ORDER
    return Wanted(kind, _hold_of(order.id), about, lane, {"on_hold": need is OmsNeed.HOLD})
