"""Fulfilling, refunding, and returns with exchanges on the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from simulators.shopify import payloads
from simulators.shopify.base import Refused
from simulators.shopify.model import Fulfillment, FulfillmentLine, Line, Refund, RefundLine
from simulators.shopify.order_model import ZERO, Order
from simulators.shopify.orders import (
    add_fulfillment_order,
    add_line,
    announce_order,
    close_if_done,
    drop_units,
    restock,
)
from simulators.shopify.returns_model import (
    Disposition,
    ExchangeLine,
    Return,
    ReturnLine,
    ReverseFulfillmentOrder,
    ReverseLine,
)
from simulators.shopify.state import Shop, World, register


def fulfil(world: World, shop: Shop, order: Order, wanted: Mapping[int, int] | None) -> Fulfillment:
    """Ship what is not on hold; a hold stops its units."""
    left = dict(wanted) if wanted is not None else {line.pk: line.unfulfilled_quantity for line in order.line_items}
    shipped: dict[int, FulfillmentLine] = {}
    for item in order.fulfillment_orders:
        if item.status not in ("OPEN", "SCHEDULED", "IN_PROGRESS"):
            continue
        for waiting in item.line_items:
            line = waiting.line_item
            count = min(left.get(line.pk, 0), waiting.remaining_quantity)
            if count:
                left[line.pk] -= count
                waiting.remaining_quantity -= count
                line.fulfilled += count
                shipped.setdefault(line.pk, FulfillmentLine(world.next_id(), line, 0)).quantity += count
        close_if_done(item)
    if not shipped or (wanted is not None and any(left.values())):
        raise Refused("nothing to fulfil: the units are on hold, cancelled or already fulfilled", ["lines"])
    name = f"{order.name}.{len(order.fulfillments) + 1}"
    made = Fulfillment(world.next_id(), order, name, world.now().replace(microsecond=0), list(shipped.values()))
    order.fulfillments.append(made)
    register(shop, made, *made.fulfillment_line_items)
    announce_order(world, shop, order, "orders/fulfilled", moves=True)
    return made


def refund(world: World, shop: Shop, order: Order, wish: dict[str, Any]) -> Refund:
    lines = [_refund_line(world, order, part, number) for number, part in enumerate(wish.get("refundLineItems") or [])]
    amount = sum((Decimal(str(part["amount"])) for part in wish.get("transactions") or []), ZERO)
    left = order.total_received_set - order.total_refunded_set
    if amount > left and not wish.get("allowOverRefunding"):
        raise Refused("Refund amount is greater than the amount that can be refunded", ["transactions"])
    if not lines and not amount:
        raise Refused("A refund needs line items or an amount", ["refundLineItems"])
    made = Refund(world.next_id(), order, world.now().replace(microsecond=0), amount, lines, wish.get("note"))
    for line in lines:
        _take_back(order, line)
    order.refunds.append(made)
    order.refunds_made += 1 if amount else 0
    register(shop, made)
    event = announce_order(world, shop, order, moves=True)
    world.announce(shop, "refunds/create", payloads.refund_body(made), event)
    return made


def _refund_line(world: World, order: Order, part: dict[str, Any], number: int) -> RefundLine:
    where = ["refundLineItems", str(number)]
    line = next((item for item in order.line_items if item.id == part["lineItemId"]), None)
    if line is None:
        raise Refused("Line item does not exist", [*where, "lineItemId"])
    kind = part.get("restockType") or "NO_RESTOCK"
    most = line.unfulfilled_quantity if kind == "CANCEL" else line.refundable_quantity
    if not 0 < part["quantity"] <= most:
        raise Refused("Quantity cannot refund more items than were purchased", [*where, "quantity"])
    return RefundLine(world.next_id(), line, part["quantity"], kind)


def _take_back(order: Order, part: RefundLine) -> None:
    line = part.line_item
    unfulfilled = min(part.quantity, line.unfulfilled_quantity) if part.restock_type != "RETURN" else 0
    drop_units(order, line, unfulfilled)
    sent_back = part.quantity - unfulfilled
    line.current_quantity -= sent_back
    line.returned += sent_back
    line.refunded += part.quantity
    restock(order, line, part.quantity if part.restocked else 0)


def open_return(
    world: World,
    shop: Shop,
    order: Order,
    lines: Mapping[int, int] | None = None,
    exchange: Sequence[Mapping[str, Any]] = (),
    status: str = "OPEN",
) -> Return:
    """A return of fulfilled units. Exchange lines join the order only when the return is processed."""
    chosen = _returnable(world, order, lines)
    reverse = [ReverseLine(world.next_id(), line.fulfillment_line_item, line.quantity) for line in chosen]
    made = Return(
        pk=world.next_id(),
        order=order,
        name=f"{order.name}-R{len(order.returns) + 1}",
        created_at=world.now().replace(microsecond=0),
        status=status,
        return_line_items=chosen,
        exchange_line_items=[_exchange_line(world, facts) for facts in exchange],
        reverse_fulfillment_orders=[ReverseFulfillmentOrder(world.next_id(), order, reverse)],
    )
    order.returns.append(made)
    register(shop, made, *chosen, *made.exchange_line_items, *made.reverse_fulfillment_orders, *reverse)
    topic = "returns/request" if status == "REQUESTED" else "returns/approve"
    event = announce_order(world, shop, order, moves=True)
    world.announce(shop, topic, payloads.return_body(made), event)
    return made


def _returnable(world: World, order: Order, lines: Mapping[int, int] | None) -> list[ReturnLine]:
    chosen = []
    for done in order.fulfillments:
        for part in done.fulfillment_line_items:
            count = part.quantity if lines is None else min(part.quantity, lines.get(part.line_item.pk, 0))
            if count:
                chosen.append(ReturnLine(world.next_id(), part, count))
    if not chosen:
        raise Refused("a return needs at least one fulfilled line", ["returnLineItems"], "INVALID")
    return chosen


def _exchange_line(world: World, facts: Mapping[str, Any]) -> ExchangeLine:
    variant = int(facts.get("variant_id") or world.next_id())
    return ExchangeLine(world.next_id(), variant, str(facts.get("sku", "TEE-BLUE-L")), int(facts.get("quantity", 1)))


def find_return(shop: Shop, gid: str) -> Return:
    found = shop.nodes.get(gid)
    if not isinstance(found, Return):
        raise Refused("Return does not exist.", ["returnId"], "NOT_FOUND")
    return found


def process(world: World, shop: Shop, item: Return, wish: dict[str, Any]) -> Return:
    if item.status != "OPEN":
        raise Refused("The return is not open.", ["returnId"], "INVALID_STATE")
    by_id: dict[str, Any] = {line.id: line for line in (*item.return_line_items, *item.exchange_line_items)}
    parts = [*(wish.get("returnLineItems") or []), *(wish.get("exchangeLineItems") or [])]
    for part in parts:
        found = by_id.get(part["id"])
        if found is None:
            raise Refused("The line item is not part of the return.", ["returnLineItems"], "NOT_FOUND")
        if not 0 < part["quantity"] <= found.unprocessed_quantity:
            raise Refused("The quantity can't be processed.", ["returnLineItems", "quantity"], "INVALID")
    for part in parts:
        _process_line(world, shop, item, by_id[part["id"]], part)
    event = announce_order(world, shop, item.order, moves=True)
    world.announce(shop, "returns/process", payloads.return_body(item), event)
    return item


def _process_line(
    world: World, shop: Shop, item: Return, line: ReturnLine | ExchangeLine, part: dict[str, Any]
) -> None:
    count = part["quantity"]
    line.processed_quantity += count
    if isinstance(line, ReturnLine):
        sent_back: Line = line.fulfillment_line_item.line_item
        sent_back.current_quantity -= count
        sent_back.returned += count
        _dispose(world, item, line, part.get("dispositions") or [])
        return
    # An even exchange is not put on hold by Shopify: its goods could ship at once.
    made = add_line(world, shop, item.order, sku=line.variant_sku, quantity=count, variant_id=line.variant_pk)
    line.line_items.append(made)
    add_fulfillment_order(world, shop, item.order, [(made, count)])


def _dispose(world: World, item: Return, line: ReturnLine, wishes: list[dict[str, Any]]) -> None:
    now = world.now().replace(microsecond=0)
    for reverse in item.reverse_fulfillment_orders:
        for part in reverse.line_items:
            if part.fulfillment_line_item is line.fulfillment_line_item:
                for wish in wishes:
                    made = Disposition(world.next_id(), wish["dispositionType"], wish["quantity"], now)
                    part.dispositions.append(made)
                    if made.type == "RESTOCKED":
                        restock(item.order, part.fulfillment_line_item.line_item, made.quantity)


def set_status(world: World, shop: Shop, item: Return, status: str, topic: str) -> Return:
    if item.status == status:
        return item
    item.status = status
    item.closed_at = world.now().replace(microsecond=0) if status == "CLOSED" else None
    event = announce_order(world, shop, item.order, moves=True)
    world.announce(shop, topic, payloads.return_body(item), event)
    return item
