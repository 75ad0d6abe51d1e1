"""Exchanges: look at everything known about a replacement order, consult the table, act.

`reconsider` is called whenever an order, a return or a verdict changed; it reads the stored facts and nothing else, so
the order in which they came does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.exchange import UNDERWAY, WAITING, Facts, Move, State, decide, read_signal
from core.domain.orders import Fulfillment, OrderSnapshot, has_tag, is_bound, is_held
from core.domain.plan import Plan, PlanKind, QcPolicy, find_cuts, find_units, make_plan
from core.domain.returns import ReturnUnit, UnitVerdict
from core.domain.statuses import ARRIVED, ENDED, Status
from core.flows.acts import (
    cut_of,
    fate_of,
    has_acted,
    keep_binding,
    want_cancel,
    want_cut,
    want_hold,
    want_rejected_tag,
    want_release,
    withdraw_acts,
)
from core.flows.linking import link_by_original, link_returns, list_linked_codes
from core.flows.returns import find_returns, load_latest_verdicts, load_units
from core.flows.scene import Scene, write_history
from core.models import Exchange, ReturnOrder, Shop
from core.relay.outbox import find_last, withdraw
from core.settings import Settings

DEADLINE = "deadline"  # who decided, when no person did


@dataclass(frozen=True)
class Case:
    """An exchange with everything known about it, and what that asks for."""

    exchange: Exchange
    order: OrderSnapshot
    returns: list[ReturnOrder]
    plan: Plan
    judged: bool  # some unit has a verdict, so the goods are there

    @property
    def cuts(self) -> dict[int, int]:
        """The lines still to be cut, and what each is to keep."""
        return find_cuts(self.plan.left, self.order.lines)


def find_exchange(session: Session, shop_id: int, order_id: int) -> Exchange | None:
    """The exchange of a replacement order, or None."""
    query = select(Exchange).where(Exchange.shop_id == shop_id, Exchange.order_id == order_id)
    return session.scalars(query).first()


def note_replacement(scene: Scene, order: OrderSnapshot) -> Exchange:
    """Know an order as a replacement order: start its exchange, link the returns it names, hold it if it should be."""
    exchange = find_exchange(scene.session, scene.shop_id, order.id)
    if exchange is None:
        exchange = _start(scene, order)
    held = is_held(order.tags, scene.settings.exchange.hold_tags) or (order.in_order and is_bound(order))
    exchange.seen_held = exchange.seen_held or held
    if held:
        exchange.hold_decided = False  # the tag stands for itself now
    elif order.in_order:
        _decide_binding(scene, exchange, order)
    elif _should_hold(scene, exchange, order):
        exchange.hold_decided = True
        want_hold(scene, order.id)
        write_history(scene, exchange, "it came without the hold tag: we put it on", "hold_applied")
    link_returns(scene, exchange, order.return_codes, order.link_rule)
    link_by_original(scene, exchange, [order.name, str(order.id)] if order.in_order else [order.original_order])
    return exchange


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
    """A native exchange is held by a fulfillment hold alone, where the merchant wants one and one can be placed."""
    holdable = any(one.holdable for one in order.fulfillment_orders or ())
    wanted = scene.settings.exchange.fulfillment_hold and holdable and exchange.state in WAITING
    if wanted and not exchange.seen_held and not exchange.hold_decided:
        exchange.hold_decided = True
        write_history(
            scene, exchange, "an exchange on the customer's own order: it is held at fulfillment", "hold_applied"
        )


def _should_hold(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """F4: a replacement order that came without the hold tag is held, if new, untouched and never released."""
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
        step = decide(State(exchange.state), read_signal(_read_facts(scene, case)))
        if not isinstance(step, Move):
            break
        move(scene, case, step)
        moved = True
    _catch_up(scene, case)
    _keep_cut(scene, case)
    freed = order.in_order and exchange.state not in (*WAITING, State.REVIEW, State.CANCELLING)
    keep_binding(scene, order, held=not freed and _is_held(scene, exchange, order))
    return moved


def _catch_up(scene: Scene, case: Case) -> None:
    """What was decided while the shop only observed is still to be done once it is live."""
    exchange = case.exchange
    by_hand = exchange.decided_by is not None
    last = find_last(scene.session, scene.shop_id, fate_of(case.order.id))
    if last is None or last.state != "would_have" or not _is_ours(scene, by_hand):
        return
    if exchange.state == State.RELEASING:
        _release(scene, case, by_hand=by_hand)
    elif exchange.state == State.CANCELLING:
        _cancel(scene, case, by_hand=by_hand, at_once=exchange.decided_by not in (None, DEADLINE))


def open_case(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> Case:
    """Everything known about an exchange, and the plan it asks for."""
    returns = find_returns(scene.session, scene.shop_id, list_linked_codes(scene.session, exchange))
    units, latest = _collect(scene.session, returns)
    plan = make_plan(find_units(units, order.lines), latest, order.lines, read_policy(scene.settings))
    return Case(exchange, order, returns, plan, judged=bool(latest))


def _is_held(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    bound = order.in_order and is_bound(order)
    return is_held(order.tags, scene.settings.exchange.hold_tags) or bound or exchange.hold_decided


def read_policy(settings: Settings) -> QcPolicy:
    """The merchant's rules in the domain's words."""
    qc = settings.qc
    return QcPolicy(qc.wait_for == "all_units", qc.on_fail == "cancel", qc.on_mixed, qc.counted_reasons)


def _collect(session: Session, returns: list[ReturnOrder]) -> tuple[list[ReturnUnit], dict[str, UnitVerdict]]:
    units: list[ReturnUnit] = []
    latest: dict[str, UnitVerdict] = {}
    for one in returns:
        units += load_units(session, one.id)
        latest |= load_latest_verdicts(session, one.id)
    return units, latest


def _read_facts(scene: Scene, case: Case) -> Facts:
    exchange, order = case.exchange, case.order
    known = [one for one in case.returns if one.known]
    statuses = [Status(one.status) for one in known if one.status]
    return Facts(
        cancelled=order.cancelled,
        held=_is_held(scene, exchange, order),
        seen_held=exchange.seen_held,
        # the first lines of a native exchange's order have shipped before: only all of it says something
        fulfilled=order.fulfillment is Fulfillment.FULL
        if order.in_order
        else order.fulfillment is not Fulfillment.NONE,
        decided=exchange.decided_by not in (None, DEADLINE),
        in_order=order.in_order,
        underway=UNDERWAY.get(exchange.code),
        by_deadline=exchange.decided_by == DEADLINE,
        acted=has_acted(scene, order.id),
        ours=_is_ours(scene, by_hand=exchange.decided_by is not None),
        plan=case.plan.kind,
        cut_done=not case.cuts,
        return_known=bool(known),
        goods_arrived=any(status in ARRIVED for status in statuses) or bool(known and case.judged),
        return_ended=bool(statuses) and all(status in ENDED for status in statuses),
    )


def move(scene: Scene, case: Case, step: Move, actor: str | None = None) -> None:
    """Write the move down, then want what the new state stands for."""
    exchange, order_id, was_acting = case.exchange, case.order.id, case.exchange.code in UNDERWAY
    verdict_speaks = step.code.startswith("qc_")
    if verdict_speaks and exchange.decided_by == DEADLINE:
        exchange.decided_by = None  # a verdict came after all
    why = case.plan.why if verdict_speaks and case.plan.kind is not PlanKind.WAIT else step.why
    exchange.state, exchange.since, exchange.reason, exchange.code = step.to, db_now(), why, step.code
    write_history(scene, exchange, why, step.code, actor)
    if step.to is State.RELEASING:
        _release(scene, case, by_hand=actor is not None)
    elif step.to is State.CANCELLING:
        _cancel(scene, case, by_hand=actor is not None, at_once=actor not in (None, DEADLINE))
    elif step.to in (State.REVIEW, State.OVERRIDDEN) or (was_acting and step.to in WAITING):
        withdraw_acts(scene, order_id, why, keep_hold=step.to is not State.OVERRIDDEN)
        exchange.hold_decided = exchange.hold_decided and step.to is not State.OVERRIDDEN


def _is_ours(scene: Scene, by_hand: bool) -> bool:
    """Whether we act on Shopify: a person told us to, or the settings say that the app does."""
    return by_hand or scene.settings.qc.actor == "app"


def _release(scene: Scene, case: Case, *, by_hand: bool) -> None:
    if _is_ours(scene, by_hand):
        if case.order.in_order:
            case.exchange.hold_decided = False
        case.exchange.seen_held = True
        if by_hand or case.plan.kind is not PlanKind.CUT:
            withdraw_acts(scene, case.order.id, "the whole order is released")
        if not case.order.in_order:  # a native exchange has no tag: its fulfillment hold is taken off
            want_release(scene, case.order.id)


def _cancel(scene: Scene, case: Case, *, by_hand: bool, at_once: bool) -> None:
    """A person's cancel is of the whole order and at once; a verdict's or a deadline's cools off first."""
    if not _is_ours(scene, by_hand):
        return
    delay = 0 if at_once else scene.settings.cancel.cooling_off_minutes * 60
    if by_hand or case.plan.kind is PlanKind.CANCEL:
        if by_hand:
            withdraw(scene.session, scene.shop_id, fate_of(case.order.id), "a person cancels it now")
        want_cancel(scene, case.order.id, delay, only_if_held=not at_once)
    else:
        withdraw(scene.session, scene.shop_id, fate_of(case.order.id), "failed lines are cancelled first")
        _keep_cut(scene, case)
        _release(scene, case, by_hand=False)
    want_rejected_tag(scene, case.order.id)


def _keep_cut(scene: Scene, case: Case) -> None:
    """While lines of failed units are to go: they are asked for, and asked for ahead of any release.

    So it is for a mixed outcome, and with `each_unit` while other units still wait for a verdict.
    """
    exchange, order_id = case.exchange, case.order.id
    early = exchange.state in WAITING and case.plan.kind is PlanKind.WAIT
    mixed = exchange.state == State.CANCELLING and case.plan.kind is PlanKind.CUT
    if not ((early or mixed) and exchange.decided_by is None and _is_ours(scene, by_hand=False)):
        return
    if not case.cuts:
        withdraw(scene.session, scene.shop_id, cut_of(order_id), "no line is to be cancelled any more")
        return
    delay = scene.settings.cancel.cooling_off_minutes * 60
    if want_cut(scene, order_id, case.plan.left, delay) and mixed:
        withdraw(scene.session, scene.shop_id, fate_of(order_id), "other lines are cancelled first")
        want_release(scene, order_id)
