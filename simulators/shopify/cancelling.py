"""Whole-order cancelling: irreversible, asynchronous, and not idempotent where money is concerned."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from simulators.shopify import payloads
from simulators.shopify.base import Node, Refused
from simulators.shopify.model import Refund, RefundLine
from simulators.shopify.order_model import ZERO, Order
from simulators.shopify.orders import announce_order, drop_units, restock
from simulators.shopify.state import Shop, World, register


@dataclass(eq=False)
class CancelJob(Node):
    """Seen as Job and as OrderCancelJobResult; both have the same tail in their ids."""

    graphql_type: ClassVar[str] = "OrderCancelJobResult"
    pk: str
    order: Order
    wanted: CancelWish
    status: str = "STARTED"
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.status != "STARTED"


@dataclass(frozen=True)
class CancelWish:
    reason: str = "OTHER"
    restock: bool = False
    refund: str | None = None
    staff_note: str | None = None


def check_cancellable(world: World, order: Order) -> None:
    if order.cancelled_at:
        raise Refused("Cannot cancel an order that has already been cancelled", ["orderId"], "INVALID")
    if order.pending_authorization:
        raise Refused("Cannot cancel an order with a pending payment authorization", ["orderId"], "INVALID")
    if any(item.status in ("OPEN", "REQUESTED") for item in order.returns):
        raise Refused("Cannot cancel an order while a return is in progress", ["orderId"], "INVALID")
    if any(line.fulfilled for line in order.line_items):
        raise Refused("Cannot cancel an order with fulfillments that can't be cancelled", ["orderId"], "INVALID")
    if order.held and "cancel" in world.refuse_when_held:
        raise Refused("Cannot cancel an order whose fulfillment is on hold", ["orderId"], "INVALID")


def refund_method(world: World, order: Order, asked: dict[str, Any], refund: bool | None) -> str | None:
    """None refunds nothing. Store credit needs a customer and an expiry that is still to come."""
    credit = asked.get("storeCreditRefund")
    if credit is None:
        return "original" if asked.get("originalPaymentMethodsRefund") or (not asked and refund) else None
    if order.customer is None:
        code = "STORE_CREDIT_REFUND_MISSING_CUSTOMER"
        raise Refused("The order has no customer to give store credit to", ["refundMethod"], code)
    until = credit.get("expiresAt")
    if until and datetime.fromisoformat(until) < world.now():
        code = "STORE_CREDIT_REFUND_EXPIRATION_IN_PAST"
        raise Refused("The expiration date is in the past", ["refundMethod", "storeCreditRefund", "expiresAt"], code)
    return "store_credit"


def start_cancel(world: World, shop: Shop, order: Order, wish: CancelWish) -> CancelJob:
    """Accept the wish now; the order changes when the job lands. A second wish before that refunds again."""
    if len(wish.staff_note or "") > 255:
        raise Refused("Staff note is too long (maximum is 255 characters)", ["staffNote"], "INVALID")
    check_cancellable(world, order)
    order.cancel_requests += 1
    order.refunds_made += 1 if wish.refund else 0
    job = CancelJob(str(uuid.uuid4()), order, wish)
    register(shop, job)
    shop.nodes[f"gid://shopify/Job/{job.pk}"] = job
    world.later(world.cancel_delay, lambda: land(world, shop, job))
    return job


def land(world: World, shop: Shop, job: CancelJob) -> None:
    """The job looks again: what was true at the request may no longer be."""
    with world.lock:
        if world.shops.get(shop.domain) is not shop:
            return
        try:
            check_cancellable(world, job.order)
            _check_location(shop, job)
        except Refused as refusal:
            job.errors.append({"code": "INVALID", "field": refusal.field, "message": refusal.message})
            job.status = "FAILED"
            return
        cancel_now(world, shop, job.order, job.wanted)
        job.status = "SUCCEEDED"


def _check_location(shop: Shop, job: CancelJob) -> None:
    if job.wanted.restock and job.order.paid and job.order.location.pk in shop.deactivated_locations:
        raise Refused("The order is assigned to a deactivated location and can't be restocked", ["restock"])


def cancel_now(world: World, shop: Shop, order: Order, wish: CancelWish) -> None:
    refund = _refund_of(world, order, wish)
    for line in refund.refund_line_items:
        drop_units(order, line.line_item, line.quantity)
        restock(order, line.line_item, line.quantity if wish.restock else 0)
    order.refunds.append(refund)
    order.cancelled_at = world.now().replace(microsecond=0)
    order.cancel_reason, order.staff_note = wish.reason, wish.staff_note
    for item in order.fulfillment_orders:
        item.base_status = "CLOSED"
        item.fulfillment_holds.clear()
    register(shop, refund)
    event = announce_order(world, shop, order, "orders/cancelled", moves=True)
    if wish.refund or wish.restock:
        world.announce(shop, "refunds/create", payloads.refund_body(refund), event)


def _refund_of(world: World, order: Order, wish: CancelWish) -> Refund:
    """Cancelling removes the lines through a refund record, also when no money goes back."""
    kind = "CANCEL" if wish.restock else "NO_RESTOCK"
    lines = [
        RefundLine(world.next_id(), line, line.current_quantity, kind)
        for line in order.line_items
        if line.current_quantity
    ]
    left = order.total_received_set - order.total_refunded_set
    amount: Decimal = left if wish.refund and left > ZERO else ZERO
    return Refund(world.next_id(), order, world.now().replace(microsecond=0), amount, lines)
