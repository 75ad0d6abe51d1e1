"""Cancellations by the seller (F5): OMS cannot serve some pieces, so they are cancelled in Shopify."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain.effects import SHOPIFY_CANCEL_LINES, SHOPIFY_CANCEL_ORDER
from core.domain.orders import OrderLine, OrderSnapshot
from core.errors import Permanent
from core.flows.orders import load_order
from core.flows.scene import Scene
from core.models import Effect, OmsOrder
from core.registry import Outcome, handled
from core.relay.outbox import Wanted, find_last, want


def aspect_of(order_id: int) -> str:
    """The aspect "what the seller has cancelled of this order"."""
    return f"shopify.seller:{order_id}"


def cancel_by_seller(scene: Scene, code: str, totals: dict[str, int]) -> Outcome:
    """Want the pieces that OMS cancelled to go in Shopify too. Raises Permanent, with words for OMS, when they cannot.

    `totals`: line id -> absolute cancelled quantity. They count as known to OMS from now on, so that Shopify's own
    webhook about them is not told back to it.
    """
    row = _find(scene.session, scene.shop_id, code)
    order = load_order(scene.session, scene.shop_id, row.order_id)
    assert order is not None  # OMS was told of it from its stored state
    totals = {**row.announced, **totals}  # what was announced and is not done yet is part of this wish
    left = _find_left(row, totals, order)
    _refuse_impossible(order, left)
    row.announced = totals
    gone = order.cancelled or all(left.get(line.id, line.current_quantity) == 0 for line in order.lines)
    plan = _plan_order(scene, order, totals) if gone else _plan_lines(scene, order, left, totals)
    want(scene.session, scene.shop_id, plan, scene.event_id)
    return handled(f"OMS cancelled pieces of order {order.name}: they are cancelled in Shopify")


def _find(session: Session, shop_id: int, code: str) -> OmsOrder:
    row = session.scalars(select(OmsOrder).where(OmsOrder.shop_id == shop_id, OmsOrder.code == code)).first()
    if row is None:
        raise Permanent(f"order {code} is not known here")
    return row


def _find_left(row: OmsOrder, totals: dict[str, int], order: OrderSnapshot) -> dict[int, int]:
    unknown = [line for line in totals if line not in row.ordered]
    if unknown:
        raise Permanent(f"order {row.code} has no line {', '.join(unknown)}")
    over = [line for line, total in totals.items() if total > row.ordered[line]]
    if over:
        raise Permanent(f"more pieces are cancelled than line {', '.join(over)} has")
    left: dict[int, int] = {}
    for code, total in totals.items():
        lines = [line for line in order.lines if line.id in row.members.get(code, [int(code)])]
        there = sum(line.current_quantity for line in lines)
        left |= _take(max(0, there - (row.ordered[code] - total)), lines)
    return left


def _take(pieces: int, lines: list[OrderLine]) -> dict[int, int]:
    """Take pieces from the lines OMS knows as one, the first ones first: line id -> what is left there."""
    left = {}
    for line in lines:
        taken = min(pieces, line.current_quantity)
        pieces -= taken
        if taken:
            left[line.id] = line.current_quantity - taken
    return left


def _refuse_impossible(order: OrderSnapshot, left: dict[int, int]) -> None:
    shipped = [
        line.sku
        for line in order.lines
        if line.id in left and line.current_quantity - line.fulfillable_quantity > left[line.id]
    ]
    if shipped and not order.cancelled:
        raise Permanent(f"pieces of {', '.join(shipped)} have been fulfilled in Shopify")


def _plan_lines(scene: Scene, order: OrderSnapshot, left: dict[int, int], totals: dict[str, int]) -> Wanted:
    rules = scene.settings.cancel
    return Wanted(
        SHOPIFY_CANCEL_LINES,
        aspect_of(order.id),
        about=str(order.id),
        lane=f"shopify:{order.id}",
        end={"left": {str(line): quantity for line, quantity in sorted(left.items())}},
        params={
            "restock": rules.restock,
            "notify_customer": rules.notify_customer,
            "held_by": None,
            "totals": totals,
        },
    )


def _plan_order(scene: Scene, order: OrderSnapshot, totals: dict[str, int]) -> Wanted:
    rules = scene.settings.cancel
    return Wanted(
        SHOPIFY_CANCEL_ORDER,
        aspect_of(order.id),
        about=str(order.id),
        lane=f"shopify:{order.id}",
        end={"cancelled": True},
        params={
            "reason": "INVENTORY",
            "restock": rules.restock,
            "refund": rules.refund,
            "notify_customer": rules.notify_customer,
            "held_by": None,
            "totals": totals,
        },
    )


def find_act(session: Session, shop_id: int, code: str) -> Effect | None:
    """The effect that carries out the newest seller cancellation of an order, by its OMS code."""
    row = session.scalars(select(OmsOrder).where(OmsOrder.shop_id == shop_id, OmsOrder.code == code)).first()
    return find_last(session, shop_id, aspect_of(row.order_id)) if row else None


def give_up(session: Session, shop_id: int, code: str) -> None:
    """OMS is told that it could not be done: what it announced is void, and a person need not retry it.

    What earlier calls announced, and was done, stands.
    """
    act = find_act(session, shop_id, code)
    if act is not None and act.state == "parked":
        done = select(Effect.params).where(
            Effect.shop_id == shop_id, Effect.aspect == act.aspect, Effect.state == "done"
        )
        announced: dict[str, int] = {}
        for params in session.scalars(done.order_by(Effect.number)):
            announced |= params.get("totals", {})
        session.get_one(OmsOrder, (shop_id, int(act.about))).announced = announced
        act.state = "dropped"
