"""What a person decides about an exchange sticks: verdicts no longer move an exchange somebody decided (law 8)."""

from __future__ import annotations

from core.domain.exchange import Move, State
from core.domain.orders import OrderSnapshot
from core.errors import Outdated, Permanent
from core.flows.acts import is_held_at_fulfillment, is_held_by_us, is_release_in_doubt, want_hold
from core.flows.audit import DECIDED, audit
from core.flows.exchanges import find_exchange, move, reconsider
from core.flows.facts import open_case, stands_held
from core.flows.linking import link_returns
from core.flows.orders import load_order
from core.flows.scene import Scene
from core.models import Exchange

DECISIONS = ("release", "cancel", "hold")
_MOVES = {
    "release": (State.RELEASING, "released_by_hand"),
    "cancel": (State.CANCELLING, "cancelled_by_hand"),
    "hold": (State.REVIEW, "held_by_hand"),
}


def decide_exchange(
    scene: Scene, order_id: int, decision: str, actor: str, expected_state: str | None, note: str = ""
) -> Exchange:
    """Carry out a person's decision. Raises Permanent when the exchange is not as they saw it, or cannot go there.

    `expected_state` is the state on the person's screen (compare-and-set); None skips the comparison.
    """
    exchange, order = _load(scene, order_id)
    if expected_state is not None and exchange.state != expected_state:
        raise Outdated(f"the exchange is {exchange.state} by now, not {expected_state}: look again, then decide")
    _refuse_impossible(order, decision)
    to, code = _MOVES[decision]
    exchange.decided_by = actor
    if decision == "cancel" and (not stands_held(scene, exchange, order) or is_release_in_doubt(scene, order_id)):
        exchange.seen_held = False  # what they saw off, or our own release takes off, is not lifted against them
    why = f"{actor} decided: {decision}" + (f" ({note})" if note else "")
    move(scene, open_case(scene, exchange, order), Move(to, code, why), actor)
    if decision == "hold":
        _keep_on_hold(scene, exchange, order)
    detail = {"decision": decision, "code": code, "mode": scene.settings.mode}
    audit(scene.session, scene.shop_id, actor, DECIDED, f"order {order_id}", **detail)
    reconsider(scene, exchange, order)
    return exchange


def _load(scene: Scene, order_id: int) -> tuple[Exchange, OrderSnapshot]:
    exchange = find_exchange(scene.session, scene.shop_id, order_id)
    order = load_order(scene.session, scene.shop_id, order_id)
    if exchange is None or order is None:
        raise Permanent("no such exchange")
    return exchange, order


def _keep_on_hold(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> None:
    """Put our hold on where it is not, or may be off by a release of ours; at fulfillment `reconsider` does that."""
    if is_held_by_us(scene, order) and not is_release_in_doubt(scene, order.id):
        return
    exchange.hold_decided = True
    if not is_held_at_fulfillment(scene, order):
        want_hold(scene, order.id)


def _refuse_impossible(order: OrderSnapshot, decision: str) -> None:
    if order.cancelled:
        raise Permanent("the order is cancelled in Shopify: that cannot be undone")
    if decision == "cancel" and order.in_order:
        raise Permanent("the exchange is part of the customer's first order, which is never cancelled whole")


def link_exchange(scene: Scene, order_id: int, return_code: str, actor: str) -> bool:
    """Link an exchange to a return by hand (§8 rule 4). True when the exchange moved on it."""
    exchange, order = _load(scene, order_id)
    link_returns(scene, exchange, [return_code], "hand", actor)
    audit(scene.session, scene.shop_id, actor, "exchange.linked", f"order {order_id}", to=return_code)
    return reconsider(scene, exchange, order)
