"""What is asked of Shopify for an exchange: hold, release, cut, cancel. Each is a wanted end in the outbox.

Two aspects: the order's fate (held, released or cancelled: each contradicts the others) and its cut (quantities of
failed lines). They share one lane, so a cut that was asked for first is done before the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select

from core.domain.effects import (
    SHOPIFY_CANCEL_LINES,
    SHOPIFY_CANCEL_ORDER,
    SHOPIFY_HOLD_ORDER,
    SHOPIFY_RELEASE_ORDER,
    SHOPIFY_TAG_ORDER,
    EffectKind,
)
from core.domain.orders import FulfillmentOrder, OrderSnapshot, has_tag, is_bound, is_held
from core.flows.scene import Scene
from core.models import Effect, Order
from core.relay.outbox import SENDABLE, Wanted, find_last, want, withdraw
from core.statements import prepared, scalars


def fate_of(order_id: int) -> str:
    """The aspect "what becomes of this order in Shopify"."""
    return f"shopify.fate:{order_id}"


def cut_of(order_id: int) -> str:
    """The aspect "what is left of this order's lines"."""
    return f"shopify.cut:{order_id}"


def mark_of(order_id: int) -> str:
    """The aspect "marked as rejected"."""
    return f"shopify.mark:{order_id}"


def binding_of(order_id: int) -> str:
    """The aspect "our fulfillment holds on this order"."""
    return f"shopify.binding:{order_id}"


def _want(scene: Scene, kind: EffectKind, aspect: str, order_id: int, end: dict[str, Any], **more: Any) -> bool:
    wanted = Wanted(kind, aspect, about=str(order_id), lane=f"shopify:{order_id}", end=end, **more)
    return want(scene.session, scene.shop_id, wanted, scene.event_id) is not None


def want_hold(scene: Scene, order_id: int) -> None:
    """The hold tag is on, the release tag off."""
    tags = scene.settings.exchange
    off = [tags.release_tag] if tags.release_tag else []
    end = {"add": [tags.hold_tag], "remove": off}
    _want(scene, SHOPIFY_TAG_ORDER, fate_of(order_id), order_id, end, params={"holds": True})


def want_release(scene: Scene, order_id: int) -> None:
    """The hold tag is off, the release tag on. An unsent cut stays: it was asked for first."""
    tags = scene.settings.exchange
    on = [tags.release_tag] if tags.release_tag else []
    end = {"add": on, "remove": [tags.hold_tag]}
    _want(scene, SHOPIFY_TAG_ORDER, fate_of(order_id), order_id, end, params={"holds": False})


def _hold_rules(scene: Scene) -> dict[str, Any]:
    """By which tags a deliverer sees, right before it acts, that somebody has lifted the hold."""
    rules = scene.settings.exchange.hold_tags
    return {"hold": rules.hold, "others": list(rules.others), "release": rules.release}


def want_cancel(scene: Scene, order_id: int, delay_seconds: float, *, only_if_held: bool) -> None:
    """The whole order is cancelled, after a delay in which a contrary verdict or a person can stop it.

    `only_if_held`: a hold that was there and is gone was lifted by somebody; one never written was lifted by nobody.
    """
    rules = scene.settings.cancel
    params = {
        "reason": rules.reason,
        "restock": rules.restock,
        "refund": rules.refund,
        "notify_customer": rules.notify_customer,
        "held_by": _hold_rules(scene) if only_if_held else None,
    }
    withdraw(scene.session, scene.shop_id, cut_of(order_id), "the whole order is to be cancelled")
    end = {"cancelled": True}
    _want(scene, SHOPIFY_CANCEL_ORDER, fate_of(order_id), order_id, end, params=params, delay_seconds=delay_seconds)


def want_cut(scene: Scene, order_id: int, left: Mapping[int, int], delay_seconds: float, *, only_if_held: bool) -> bool:
    """These lines keep these quantities. True when that is a new decision."""
    rules = scene.settings.cancel
    params = {
        "restock": rules.restock,
        "notify_customer": rules.notify_customer,
        "held_by": _hold_rules(scene) if only_if_held else None,
    }
    end = {"left": {str(line): quantity for line, quantity in sorted(left.items())}}
    aspect = cut_of(order_id)
    return _want(scene, SHOPIFY_CANCEL_LINES, aspect, order_id, end, params=params, delay_seconds=delay_seconds)


def want_rejected_tag(scene: Scene, order_id: int) -> None:
    """The tag that marks failed QC, when the merchant has one; after the act that was asked for before it."""
    tag = scene.settings.exchange.rejected_tag
    if tag:
        _want(scene, SHOPIFY_TAG_ORDER, mark_of(order_id), order_id, {"add": [tag], "remove": []}, once=True)


def is_held_by_us(scene: Scene, order: OrderSnapshot) -> bool:
    """Held by our tag, or a native exchange by our fulfillment hold; what others hold it by does not count."""
    ours = replace(scene.settings.exchange.hold_tags, others=())
    return is_held(order.tags, ours) or (order.in_order and is_bound(order))


def is_held_at_fulfillment(scene: Scene, order: OrderSnapshot) -> bool:
    """Whether a fulfillment hold alone holds it: a native exchange's, where the merchant wants one and one can be."""
    able = any(one.ours or one.holdable for one in order.fulfillment_orders or ())
    return order.in_order and scene.settings.exchange.fulfillment_hold and able


def may_carry_tag(scene: Scene, order: OrderSnapshot, *, again: bool) -> bool:
    """A native exchange has no hold tag, unless somebody put it on, or we did where no fulfillment hold could.

    `again`: its release was decided before; a tag that nothing was decided about then was put on since, and is theirs.
    """
    fate = find_last(scene.session, scene.shop_id, fate_of(order.id)) if order.in_order else None
    if fate is None:
        tagged = has_tag(order.tags, scene.settings.exchange.hold_tag)
        return not order.in_order or (tagged and not again)
    return (fate.started and _is_hold(scene, fate)) or has_tag(order.tags, scene.settings.exchange.hold_tag)


def withdraw_acts(scene: Scene, order_id: int, why: str, *, keep_hold: bool = False) -> None:
    """Take back whatever was not begun; a hold of ours only when the order's fate is settled (`keep_hold` False)."""
    keeps = keep_hold and _is_hold(scene, find_last(scene.session, scene.shop_id, fate_of(order_id)))
    for aspect in (cut_of(order_id), mark_of(order_id), *(() if keeps else (fate_of(order_id),))):
        withdraw(scene.session, scene.shop_id, aspect, why)


def _is_hold(scene: Scene, fate: Effect | None) -> bool:
    """By what was decided: the tags may be called otherwise by now. A row of an earlier release does not say it."""
    if fate is None:
        return False
    return bool(fate.params.get("holds", fate.wanted.get("add") == [scene.settings.exchange.hold_tag]))


def is_act_wanted(scene: Scene, order_id: int) -> bool:
    """True when the order's newest fate is a release or cancel that nobody has taken back, done or not."""
    fate = find_last(scene.session, scene.shop_id, fate_of(order_id))
    taken_back = fate is None or fate.state in ("would_have", "superseded") or "withdrawn" in fate.progress
    return not (taken_back or _is_hold(scene, fate))


def is_hold_to_come(scene: Scene, order_id: int) -> bool:
    """True while the order's newest fate is a hold that nobody has begun to write."""
    fate = find_last(scene.session, scene.shop_id, fate_of(order_id))
    return fate is not None and _is_hold(scene, fate) and fate.state == "pending" and not fate.started


def has_sealed_fate(scene: Scene, order_id: int) -> bool:
    """True once the newest release or cancel of this order has been begun. A hold put on since undoes a release."""
    held_since = False
    for fate in scalars(scene.session, _select_decisions(scene.shop_id, fate_of(order_id))):
        if not _is_hold(scene, fate):
            return fate.started and not (held_since and fate.kind != SHOPIFY_CANCEL_ORDER.name)
        held_since = held_since or fate.started
    return _is_native(scene, order_id) and _has_begun_freeing(scene, order_id)


def is_release_in_doubt(scene: Scene, order_id: int) -> bool:
    """True when the last that was begun about our hold is a release that was not read back: a hold that we last saw on
    may be off by now, and nobody but us took it off."""
    for fate in scalars(scene.session, _select_decisions(scene.shop_id, fate_of(order_id))):
        if fate.started and fate.kind == SHOPIFY_TAG_ORDER.name:
            return fate.state != "done" and not _is_hold(scene, fate)
    return _is_native(scene, order_id) and _is_binding_in_doubt(scene, order_id, SHOPIFY_RELEASE_ORDER)


def _is_native(scene: Scene, order_id: int) -> bool:
    order = scene.session.get(Order, (scene.shop_id, order_id))
    return order is not None and order.in_order


def _has_begun_freeing(scene: Scene, order_id: int) -> bool:
    """What releases a native exchange is that its fulfillment hold comes off."""
    held_since = False
    for one in scalars(scene.session, _select_decisions(scene.shop_id, binding_of(order_id))):
        if one.wanted.get("freed"):
            return one.started and not held_since
        held_since = held_since or (one.started and one.kind == SHOPIFY_HOLD_ORDER.name)
    return False


@prepared
def _select_decisions(shop_id: int, aspect: str) -> Select[Effect]:
    """All that was decided about an aspect, the newest first."""
    return select(Effect).where(Effect.shop_id == shop_id, Effect.aspect == aspect).order_by(Effect.number.desc())


def has_acted(scene: Scene, order_id: int) -> bool:
    """The same, or any cut has been begun: lines that are gone do not come back with a newer decision."""
    return has_sealed_fate(scene, order_id) or bool(_list_begun_cuts(scene, order_id))


def is_cut_outdated(scene: Scene, order_id: int, left: Mapping[int, int], cuts: Mapping[int, int]) -> bool:
    """True when lines were cut that `left`, the plan of now, keeps, or when it asks for `cuts` nobody has asked for."""
    begun = _list_begun_cuts(scene, order_id)
    newest = find_last(scene.session, scene.shop_id, cut_of(order_id))
    if newest is None or not begun:
        return False
    now = {str(line): quantity for line, quantity in left.items()}
    regretted = any(now.get(line, kept + 1) > kept for one in begun for line, kept in one.wanted["left"].items())
    return regretted or (bool(cuts) and newest.wanted["left"] != now)


def list_cut_lines(scene: Scene, order_id: int) -> set[int]:
    """The lines that cuts of ours were or may have been about."""
    return {int(line) for one in _list_begun_cuts(scene, order_id) for line in one.wanted["left"]}


def _list_begun_cuts(scene: Scene, order_id: int) -> list[Effect]:
    """Cuts that are done or may be; one that was superseded is known not to be."""
    return list(scalars(scene.session, _select_begun(scene.shop_id, cut_of(order_id))))


@prepared
def _select_begun(shop_id: int, aspect: str) -> Select[Effect]:
    begun = (Effect.started, Effect.state != "superseded")
    return select(Effect).where(Effect.shop_id == shop_id, Effect.aspect == aspect, *begun)


def keep_binding(scene: Scene, order: OrderSnapshot, *, held: bool, freed: bool = False, anew: bool = False) -> None:
    """Our fulfillment holds follow the hold: on every open fulfillment order while held, on none afterwards.

    Once for a set of fulfillment orders: a hold of ours that somebody took off there by hand stays off (law 8), unless
    it was decided `anew`. `freed`: it comes off because a native exchange is over, which has no other release.
    """
    if order.fulfillment_orders is None:  # this reading of the order did not tell
        return
    if held and scene.settings.exchange.fulfillment_hold and not order.cancelled:
        _keep_bound(scene, order.id, order.fulfillment_orders, anew=anew)
    else:
        _keep_unbound(scene, order.id, order.fulfillment_orders, freed=freed)


def _keep_bound(scene: Scene, order_id: int, found: Sequence[FulfillmentOrder], *, anew: bool) -> None:
    """Where a release of ours may have landed, a hold that is decided anew is placed again, whatever we last saw."""
    doubted = anew and _is_binding_in_doubt(scene, order_id, SHOPIFY_RELEASE_ORDER)
    ids = sorted(one.id for one in found if (doubted if one.ours else one.holdable))
    if ids:
        _want(scene, SHOPIFY_HOLD_ORDER, binding_of(order_id), order_id, {"held": True, "on": ids}, once=not anew)
    else:
        _take_back(scene, order_id, SHOPIFY_RELEASE_ORDER, "the order is to stay on hold")


def _keep_unbound(scene: Scene, order_id: int, found: Sequence[FulfillmentOrder], *, freed: bool) -> None:
    """A hold that may be on its way is taken off as one that was seen is; one that was never sent is not sent."""
    ours = any(one.ours for one in found)
    if not ours and find_last(scene.session, scene.shop_id, binding_of(order_id)) is None:
        return  # most orders: none was ever asked for
    if ours or _is_binding_in_doubt(scene, order_id, SHOPIFY_HOLD_ORDER):
        end = {"held": False, **({"freed": True} if freed else {})}
        _want(scene, SHOPIFY_RELEASE_ORDER, binding_of(order_id), order_id, end)
    else:
        _take_back(scene, order_id, SHOPIFY_HOLD_ORDER, "the order is to be free")


def _take_back(scene: Scene, order_id: int, kind: EffectKind, why: str) -> None:
    newest = find_last(scene.session, scene.shop_id, binding_of(order_id))
    if newest is not None and newest.kind == kind.name and newest.state in (*SENDABLE, "parked"):
        withdraw(scene.session, scene.shop_id, binding_of(order_id), why)


def _is_binding_in_doubt(scene: Scene, order_id: int, kind: EffectKind) -> bool:
    """True when the last that was begun about our fulfillment holds is of this kind, and it was not read back."""
    for one in scalars(scene.session, _select_decisions(scene.shop_id, binding_of(order_id))):
        if one.started:
            return one.kind == kind.name and one.state != "done"
    return False
