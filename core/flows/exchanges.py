"""Exchanges: look at everything known about a replacement order, consult the table, act.

`reconsider` is called whenever an order, a return or a verdict changed; it reads the stored facts and nothing else, so
the order in which they came does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.exchange import SETTLED, UNDERWAY, WAITING, Move, State, decide, read_signal
from core.domain.orders import Fulfillment, OrderSnapshot, has_tag, is_held
from core.domain.plan import PlanKind
from core.flows.acts import (
    cut_of,
    fate_of,
    is_act_wanted,
    is_held_at_fulfillment,
    is_held_by_us,
    is_release_in_doubt,
    keep_binding,
    may_carry_tag,
    want_cancel,
    want_cut,
    want_hold,
    want_rejected_tag,
    want_release,
    withdraw_acts,
)
from core.flows.audit import DECIDED, SYSTEM, audit
from core.flows.facts import DEADLINE, Case, is_ours, open_case, read_facts, stands_held
from core.flows.linking import link_by_original, link_returns
from core.flows.scene import Scene, write_history
from core.models import Exchange, Shop
from core.relay.outbox import withdraw
from core.settings import Settings
from core.statements import prepared, scalars

_ENDING = (*SETTLED, State.RELEASING, State.CANCELLING)
_DECIDED = {State.RELEASING: "release", State.CANCELLING: "cancel"}
_IN_PART = "cancel_lines"  # those of failed units
_NEWS_SECONDS = 600  # after a decision Shopify's news of the order are what OMS waits for


def find_known_orders(session: Session, orders: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bool]:
    """Those of these orders, each with its shop's id before its own, that are an exchange's; True where its end was
    decided just now, so that OMS waits for news of it."""
    shops, ids = zip(*orders, strict=True)
    ending = Exchange.state.in_(_ENDING) & (Exchange.since > db_now(-_NEWS_SECONDS))
    query = select(Exchange.shop_id, Exchange.order_id, ending)
    query = query.where(Exchange.shop_id.in_(set(shops)), Exchange.order_id.in_(set(ids)))
    return {(shop_id, order_id): bool(ends) for shop_id, order_id, ends in session.execute(query)}


def find_exchange(session: Session, shop_id: int, order_id: int) -> Exchange | None:
    """The exchange of a replacement order, or None."""
    return scalars(session, _select_exchange(shop_id, order_id)).first()


@prepared
def _select_exchange(shop_id: int, order_id: int) -> Select[Exchange]:
    return select(Exchange).where(Exchange.shop_id == shop_id, Exchange.order_id == order_id)


def note_replacement(scene: Scene, order: OrderSnapshot) -> Exchange:
    """Know an order as a replacement order: start its exchange, link the returns it names, hold it if it should be."""
    exchange = find_exchange(scene.session, scene.shop_id, order.id)
    first_sight = exchange is None
    if exchange is None:
        exchange = _start(scene, order)
    _note_hold(scene, exchange, order, first_sight=first_sight)
    link_returns(scene, exchange, order.return_codes, order.link_rule)
    link_by_original(scene, exchange, [order.name, str(order.id)] if order.in_order else [order.original_order])
    return exchange


def _note_hold(scene: Scene, exchange: Exchange, order: OrderSnapshot, *, first_sight: bool) -> None:
    """Whether it is held, and whether it is to be. A tag of somebody else's at first sight is no hold of ours: theirs
    goes when their reason does, and the goods may still be on their way. Where a partner acts, it is the partner's.
    """
    ours = is_held_by_us(scene, order)
    held = ours or is_held(order.tags, scene.settings.exchange.hold_tags)
    lacks = not ours and not order.in_order and (not held or (first_sight and scene.settings.qc.actor == "app"))
    given = lacks and _should_hold(scene, exchange, order)
    exchange.seen_held = (exchange.seen_held or held) and not _may_lift_itself(scene, exchange)
    if given:
        exchange.hold_decided = True
        want_hold(scene, order.id)
        write_history(scene, exchange, "it came without the hold tag: we put it on", "hold_applied")
    elif ours:
        # the hold stands for itself now, unless our own release may have taken it off since
        exchange.hold_decided = exchange.hold_decided and is_release_in_doubt(scene, order.id)
    elif order.in_order and not held:
        _decide_binding(scene, exchange, order)


def _may_lift_itself(scene: Scene, exchange: Exchange) -> bool:
    """A person's cancel took the place of a release that may have landed: a hold that is gone was lifted by nobody."""
    by_hand = exchange.state == State.CANCELLING and exchange.code == "cancelled_by_hand"
    return by_hand and is_release_in_doubt(scene, exchange.order_id)


def _start(scene: Scene, order: OrderSnapshot) -> Exchange:
    exchange = Exchange(
        shop_id=scene.shop_id,
        order_id=order.id,
        state=State.AWAITING_RETURN,
        code="nothing_known",
        since=db_now(),
        reason="no return order is known",
        hold_decided=False,
        seen_held=False,
    )
    scene.session.add(exchange)
    scene.session.flush()
    write_history(scene, exchange, f"replacement order {order.name} seen", "order_seen")
    return exchange


def _decide_binding(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> None:
    """A native exchange is held by a fulfillment hold alone, where the merchant wants one and one can be placed.

    Where none is wanted any more, we took ours off ourselves: nobody lifted it by hand.
    """
    waiting = exchange.state in WAITING
    if not scene.settings.exchange.fulfillment_hold:
        exchange.seen_held = exchange.seen_held and not (waiting or exchange.state == State.REVIEW)
        exchange.hold_decided = exchange.hold_decided and not waiting
        return
    holdable = any(one.holdable for one in order.fulfillment_orders or ())
    if waiting and holdable and not exchange.seen_held and not exchange.hold_decided:
        exchange.hold_decided = True
        write_history(
            scene, exchange, "an exchange on the customer's own order: it is held at fulfillment", "hold_applied"
        )


def _should_hold(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """F4: a replacement order that came without our hold tag is held, if new, untouched and never released."""
    rules = scene.settings.exchange
    live_since = scene.session.scalars(select(Shop.live_since).where(Shop.id == scene.shop_id)).one()
    return (
        rules.apply_hold_tag
        and not exchange.seen_held
        and not exchange.hold_decided
        and exchange.state in WAITING
        and not order.cancelled
        and order.fulfillment is Fulfillment.NONE
        and not (rules.release_tag and has_tag(order.tags, rules.release_tag))
        and live_since is not None
        and order.created_at >= live_since.replace(microsecond=0)  # Shopify stamps whole seconds
    )


def is_order_held(session: Session, shop_id: int, order: OrderSnapshot, settings: Settings) -> bool:
    """Held in the sense of §8: by its tags, or because we decided to hold it and the tag is not written yet."""
    if is_held(order.tags, settings.exchange.hold_tags):
        return True
    exchange = find_exchange(session, shop_id, order.id)
    return exchange is not None and exchange.hold_decided


def reconsider(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """Read the facts, consult the table, act on what it says. True when the exchange moved."""
    moved = False
    for _ in State:  # a move may make the next one due; no path through the table is longer than its states
        case = open_case(scene, exchange, order)
        step = decide(State(exchange.state), read_signal(read_facts(scene, case)))
        if not isinstance(step, Move):
            break
        move(scene, case, step)
        moved = True
    _keep_act(scene, case)
    _keep_hold(scene, case)
    _keep_cut(scene, case)
    freed = order.in_order and exchange.state not in (*WAITING, State.REVIEW, State.CANCELLING)
    held = not freed and stands_held(scene, exchange, order)
    keep_binding(scene, order, held=held, freed=freed, anew=order.in_order and exchange.hold_decided)
    return moved


def _keep_act(scene: Scene, case: Case) -> None:
    """What the state stands for is wanted as long as it is for us to act, and not a moment longer.

    The settings may have changed since, and what was decided while the shop only observed is still to be done.
    """
    exchange, order_id = case.exchange, case.order.id
    if exchange.state not in (*WAITING, State.RELEASING, State.CANCELLING):
        return
    if not is_ours(scene, exchange):
        withdraw_acts(scene, order_id, "it is no longer for us to act", keep_hold=True)
    elif not is_act_wanted(scene, order_id):
        if exchange.state == State.RELEASING:
            _release(scene, case, again=True)
        elif exchange.state == State.CANCELLING:
            _cancel(scene, case)


def _keep_hold(scene: Scene, case: Case) -> None:
    """A hold that was decided and never written is wanted again when the release that took its place is taken back."""
    exchange, order = case.exchange, case.order
    unwritten = exchange.hold_decided and not is_held_by_us(scene, order)
    if unwritten and not is_held_at_fulfillment(scene, order) and exchange.state in (*WAITING, State.REVIEW):
        want_hold(scene, order.id)


def move(scene: Scene, case: Case, step: Move, actor: str | None = None) -> None:
    """Write the move down, then want what the new state stands for."""
    exchange, order_id, was_acting = case.exchange, case.order.id, case.exchange.code in UNDERWAY
    verdict_speaks = step.code.startswith("qc_")
    if exchange.decided_by == DEADLINE and (verdict_speaks or step.to is State.REVIEW):
        exchange.decided_by = None  # a verdict came after all, or a person is asked
    why = case.plan.why if verdict_speaks and case.plan.kind is not PlanKind.WAIT else step.why
    exchange.state, exchange.since, exchange.reason, exchange.code = step.to, db_now(), why, step.code
    write_history(scene, exchange, why, step.code, actor)
    if actor is None and step.to in _DECIDED and is_ours(scene, exchange):
        in_part = step.to is State.CANCELLING and exchange.decided_by is None and case.plan.kind is PlanKind.CUT
        _audit_own(scene, order_id, _IN_PART if in_part else _DECIDED[step.to], step.code)
    if step.to is State.RELEASING:
        _release(scene, case)
    elif step.to is State.CANCELLING:
        _cancel(scene, case)
    elif step.to in (State.REVIEW, State.OVERRIDDEN) or (was_acting and step.to in WAITING):
        withdraw_acts(scene, order_id, why, keep_hold=step.to is not State.OVERRIDDEN)
        exchange.hold_decided = exchange.hold_decided and step.to is not State.OVERRIDDEN


def _audit_own(scene: Scene, order_id: int, decision: str, code: str) -> None:
    """What is decided by nobody's hand stands in the audit log beside what is decided by somebody's.

    `mode` tells what came of it: in observe mode nothing was sent.
    """
    detail = {"decision": decision, "code": code, "event": scene.event_id, "mode": scene.settings.mode}
    audit(scene.session, scene.shop_id, SYSTEM, DECIDED, f"order {order_id}", **detail)


def _release(scene: Scene, case: Case, *, again: bool = False) -> None:
    """A person's release, and a deadline's, is of the whole order; a verdict's may come behind a cut."""
    if not is_ours(scene, case.exchange):
        return
    case.exchange.seen_held = True
    if case.exchange.decided_by is not None or case.plan.kind is not PlanKind.CUT:
        withdraw_acts(scene, case.order.id, "the whole order is released")
    if case.order.in_order:  # its fulfillment hold is taken off
        case.exchange.hold_decided = False
    if may_carry_tag(scene, case.order, again=again):
        want_release(scene, case.order.id)


def _is_hold_written(exchange: Exchange) -> bool:
    """True when its hold was seen in Shopify: one that is still to be written can be lifted by nobody."""
    return exchange.seen_held and not exchange.hold_decided


def _cancel(scene: Scene, case: Case) -> None:
    """A person's cancel is of the whole order and at once; a verdict's or a deadline's cools off first."""
    exchange, order_id = case.exchange, case.order.id
    if not is_ours(scene, exchange):
        return
    at_once = exchange.decided_by not in (None, DEADLINE)
    if exchange.decided_by is not None or case.plan.kind is PlanKind.CANCEL:
        if exchange.decided_by is not None:
            withdraw(scene.session, scene.shop_id, fate_of(order_id), "it is decided anew")
        delay = 0 if at_once else scene.settings.cancel.cooling_off_minutes * 60
        want_cancel(scene, order_id, delay, only_if_held=_is_hold_written(exchange) and not at_once)
    else:
        withdraw(scene.session, scene.shop_id, fate_of(order_id), "failed lines are cancelled first")
        _keep_cut(scene, case)
        _release(scene, case)
    want_rejected_tag(scene, order_id)


def _keep_cut(scene: Scene, case: Case) -> None:
    """While lines of failed units are to go: they are asked for, and asked for ahead of any release.

    So it is for a mixed outcome, and with `each_unit` while other units still wait for a verdict.
    """
    exchange, order_id = case.exchange, case.order.id
    early = exchange.state in WAITING and case.plan.kind is PlanKind.WAIT
    mixed = exchange.state == State.CANCELLING and case.plan.kind is PlanKind.CUT
    if not ((early or mixed) and exchange.decided_by is None and is_ours(scene, exchange)):
        return
    if not case.cuts:
        withdraw(scene.session, scene.shop_id, cut_of(order_id), "no line is to be cancelled any more")
        return
    delay = scene.settings.cancel.cooling_off_minutes * 60
    if not want_cut(scene, order_id, case.plan.left, delay, only_if_held=_is_hold_written(exchange)):
        return
    if early:
        _audit_own(scene, order_id, _IN_PART, "each_unit")
    else:
        withdraw(scene.session, scene.shop_id, fate_of(order_id), "other lines are cancelled first")
        want_release(scene, order_id)
