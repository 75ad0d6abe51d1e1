"""Making orders and telling the app that they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simulators.shopify import payloads
from simulators.shopify.base import Address, Customer, Location, Refused, Variant
from simulators.shopify.model import FulfillmentOrder, FulfillmentOrderLine, Line
from simulators.shopify.order_model import Order
from simulators.shopify.state import Shop, World, new_event, register
from simulators.shopify.tags import normal

DEFAULT_LOCATION = 655441491


def make_order(
    world: World,
    shop: Shop,
    *,
    name: str | None = None,
    tags: str | Iterable[str] = (),
    line_items: Sequence[Mapping[str, Any]] = ({},),
    note_attributes: Mapping[str, str] | None = None,
    location_id: int = DEFAULT_LOCATION,
    gateway: str = "razorpay",
    financial_status: str = "paid",
    address: Mapping[str, Any] | None = None,
    email: str | None = None,
    phone: str | None = None,
    note: str | None = None,
    customer: bool = True,
    shipping: str | int | float = "0.00",
    created_at: str | None = None,
) -> Order:
    """An order as a buyer's checkout would leave it; every fact has a made-up default."""
    number = _number(shop, name)
    created = _moment(world, created_at)
    person = Address(world.next_id(), **{"last_name": f"Test {number}", **dict(address or {})})
    mail = email or f"buyer{number}@example.com"
    order = Order(
        pk=world.next_id(),
        name=name or f"#{number}",
        number=number,
        created_at=created,
        updated_at=created,
        currency_code=shop.currency,
        location=Location(int(location_id), f"Warehouse {location_id}"),
        email=mail,
        phone=phone or person.phone,
        shipping_address=person,
        billing_address=person,
        customer=Customer(world.next_id(), person.first_name, person.last_name, mail, person.phone)
        if customer
        else None,
        payment_gateway_names=[gateway],
        paid=financial_status == "paid",
        pending_authorization=financial_status == "authorized",
        total_shipping_price_set=Decimal(str(shipping)),
        attributes={key: str(value) for key, value in (note_attributes or {}).items()},
        note=note,
        tags=normal(tags),
    )
    return _place(world, shop, order, line_items)


def _place(world: World, shop: Shop, order: Order, line_items: Sequence[Mapping[str, Any]]) -> Order:
    """With its lines, all of which are to be sent from one place."""
    for facts in line_items:
        add_line(world, shop, order, **facts)
    add_fulfillment_order(world, shop, order, [(line, line.quantity) for line in order.line_items])
    shop.orders[order.pk] = order
    register(shop, order)
    return order


def _number(shop: Shop, name: str | None) -> int:
    digits = "".join(letter for letter in name or "" if letter.isdigit())
    number = int(digits) if digits else shop.next_number
    shop.next_number = max(shop.next_number, number) + 1
    return number


def _moment(world: World, text: str | None) -> datetime:
    moment = datetime.fromisoformat(text) if text else world.now()
    return moment.replace(microsecond=0, tzinfo=moment.tzinfo or UTC)


def add_line(
    world: World,
    shop: Shop,
    order: Order,
    *,
    sku: str = "TEE-BLUE-M",
    quantity: int = 1,
    price: str | int | float = "499.00",
    discount: str | int | float = "0.00",
    title: str | None = None,
    properties: Mapping[str, str] | None = None,
    variant_id: int | None = None,
) -> Line:
    if quantity < 1:
        raise Refused("quantity must be at least 1", ["quantity"])
    line = Line(
        pk=world.next_id(),
        order=order,
        sku=sku,
        quantity=quantity,
        current_quantity=quantity,
        price=Decimal(str(price)),
        total_discount_set=Decimal(str(discount)),
        title=title or f"Item {sku}",
        variant=Variant(variant_id or world.next_id(), sku),
        product_pk=world.next_id(),
        properties={key: str(value) for key, value in (properties or {}).items()},
    )
    order.line_items.append(line)
    register(shop, line)
    return line


def add_fulfillment_order(
    world: World, shop: Shop, order: Order, lines: Iterable[tuple[Line, int]], location: Location | None = None
) -> FulfillmentOrder:
    made = FulfillmentOrder(world.next_id(), order, location or order.location, world.now().replace(microsecond=0))
    made.line_items = [FulfillmentOrderLine(world.next_id(), line, count, count) for line, count in lines]
    order.fulfillment_orders.append(made)
    register(shop, made, *made.line_items)
    return made


def drop_units(order: Order, line: Line, count: int) -> None:
    """Take unfulfilled units off the line and off the fulfillment orders that wait for them."""
    line.current_quantity -= count
    for item in order.fulfillment_orders:
        for waiting in item.line_items:
            if waiting.line_item is line and item.is_open and count:
                taken = min(count, waiting.remaining_quantity)
                waiting.remaining_quantity -= taken
                waiting.total_quantity -= taken
                count -= taken
        close_if_done(item)


def close_if_done(item: FulfillmentOrder) -> None:
    if item.is_open and not any(line.remaining_quantity for line in item.line_items):
        item.base_status = "CLOSED"
        item.fulfillment_holds.clear()


def restock(order: Order, line: Line, count: int) -> None:
    if count:
        order.restocked[line.sku] = order.restocked.get(line.sku, 0) + count


def announce_order(
    world: World, shop: Shop, order: Order, *topics: str, event_id: str | None = None, moves: bool = False
) -> str:
    """Bump `updated_at`, then one delivery for each topic and always orders/updated, all of one event."""
    world.touch(order, moves=moves)
    event = event_id or new_event()
    body = payloads.order_body(shop, order)
    for topic in dict.fromkeys((*topics, "orders/updated")):
        world.announce(shop, topic, body, event)
    return event
