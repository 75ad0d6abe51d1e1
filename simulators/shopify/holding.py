"""Fulfillment holds: the only thing that really stops a warehouse."""

from __future__ import annotations

from typing import Any

from simulators.shopify import payloads
from simulators.shopify.base import Refused
from simulators.shopify.model import FulfillmentOrder, FulfillmentOrderLine, Hold
from simulators.shopify.orders import announce_order
from simulators.shopify.state import Shop, World, register

MOST_PER_APP = 10
LONGEST_HANDLE = 64


def find_fulfillment_order(shop: Shop, gid: str) -> FulfillmentOrder:
    found = shop.nodes.get(gid)
    if not isinstance(found, FulfillmentOrder):
        raise Refused("Fulfillment order does not exist.", ["id"], "FULFILLMENT_ORDER_NOT_FOUND")
    return found


def hold(
    world: World, shop: Shop, item: FulfillmentOrder, app: str, wish: dict[str, Any]
) -> tuple[Hold, FulfillmentOrder | None]:
    """Hold it; with line items named, only those are held and the rest moves to a new fulfillment order."""
    handle = wish.get("handle") or ""
    parts = wish.get("fulfillmentOrderLineItems") or []
    _check_hold(item, app, handle)
    wanted = _check_parts(item, parts) if parts else {}
    rest = _split(world, shop, item, wanted) if wanted else None
    made = Hold(world.next_id(), wish["reason"], handle, wish.get("reasonNotes"), app)
    item.fulfillment_holds.append(made)
    register(shop, made)
    event = announce_order(world, shop, item.order, moves=True)
    world.announce(shop, "fulfillment_holds/added", payloads.hold_body(item.order, item.id, made), event)
    world.announce(shop, "fulfillment_orders/placed_on_hold", _told(item), event)
    return made, rest


def _check_hold(item: FulfillmentOrder, app: str, handle: str) -> None:
    if item.status not in ("OPEN", "SCHEDULED", "ON_HOLD"):
        raise Refused("The fulfillment order can't be put on hold in its state.", ["id"], "TAKEN")
    if len(handle) > LONGEST_HANDLE:
        raise Refused(f"Handle is too long (maximum is {LONGEST_HANDLE} characters)", ["fulfillmentHold", "handle"])
    ours = [found for found in item.fulfillment_holds if found.app == app]
    if any(found.handle == handle for found in ours):
        raise Refused(
            "The handle is already used by this app on this fulfillment order.",
            ["fulfillmentHold", "handle"],
            "DUPLICATE_FULFILLMENT_HOLD_HANDLE",
        )
    if len(ours) >= MOST_PER_APP:
        raise Refused(
            "The maximum number of fulfillment holds was reached.", ["id"], "FULFILLMENT_ORDER_HOLD_LIMIT_REACHED"
        )


def _check_parts(item: FulfillmentOrder, parts: list[dict[str, Any]]) -> dict[str, int]:
    where = ["fulfillmentHold", "fulfillmentOrderLineItems"]
    ids = [part["id"] for part in parts]
    if item.fulfillment_holds or item.status != "OPEN":
        raise Refused("The fulfillment order can't be split.", where, "FULFILLMENT_ORDER_NOT_SPLITTABLE")
    if len(set(ids)) < len(ids):
        raise Refused("Line items must be unique.", where, "DUPLICATED_FULFILLMENT_ORDER_LINE_ITEMS")
    for number, part in enumerate(parts):
        place = [*where, str(number), "quantity"]
        if part["quantity"] < 1:
            raise Refused("Quantity must be greater than zero.", place, "GREATER_THAN_ZERO")
        found = next((line for line in item.line_items if line.id == part["id"]), None)
        if found is None or part["quantity"] > found.remaining_quantity:
            raise Refused("Invalid line item quantity.", place, "INVALID_LINE_ITEM_QUANTITY")
    return {part["id"]: part["quantity"] for part in parts}


def _split(world: World, shop: Shop, item: FulfillmentOrder, kept: dict[str, int]) -> FulfillmentOrder | None:
    rest = []
    for line in list(item.line_items):
        keep = kept.get(line.id, 0)
        spare = line.remaining_quantity - keep
        if spare:
            rest.append(FulfillmentOrderLine(world.next_id(), line.line_item, spare, spare))
        line.remaining_quantity, line.total_quantity = keep, line.total_quantity - spare
    item.line_items = [line for line in item.line_items if line.total_quantity]
    if not rest:
        return None
    made = FulfillmentOrder(world.next_id(), item.order, item.location, item.created_at, rest)
    item.order.fulfillment_orders.append(made)
    register(shop, made, *rest)
    return made


def release(world: World, shop: Shop, item: FulfillmentOrder, hold_ids: list[str] | None) -> list[Hold]:
    """Ids left out releases ALL holds, other apps' too."""
    if not item.fulfillment_holds:
        raise Refused("The fulfillment order is not on hold.", ["id"])
    gone = [found for found in item.fulfillment_holds if hold_ids is None or found.id in hold_ids]
    if hold_ids and not gone:
        raise Refused("The fulfillment hold does not exist.", ["holdIds"], "INVALID_ACCESS")
    item.fulfillment_holds = [found for found in item.fulfillment_holds if found not in gone]
    if gone:
        event = announce_order(world, shop, item.order, moves=True)
        for found in gone:
            world.announce(shop, "fulfillment_holds/released", payloads.hold_body(item.order, item.id, found), event)
        if not item.fulfillment_holds:
            world.announce(shop, "fulfillment_orders/hold_released", _told(item), event)
    return gone


def split_off(world: World, shop: Shop, item: FulfillmentOrder, kept: dict[str, int]) -> FulfillmentOrder | None:
    """What is not kept goes to a new fulfillment order; holds stay where they are."""
    made = _split(world, shop, item, kept)
    if made is not None:
        event = announce_order(world, shop, item.order, moves=True)
        world.announce(
            shop, "fulfillment_orders/split", {**_told(item), "remaining_fulfillment_order": _name(made)}, event
        )
    return made


def move(world: World, shop: Shop, item: FulfillmentOrder) -> FulfillmentOrder:
    """All that is left goes to a new fulfillment order, as when another location is to send it; holds stay behind."""
    lines = [
        FulfillmentOrderLine(world.next_id(), line.line_item, line.remaining_quantity, line.remaining_quantity)
        for line in item.line_items
        if line.remaining_quantity
    ]
    item.base_status, item.fulfillment_holds = "CLOSED", []
    made = FulfillmentOrder(world.next_id(), item.order, item.location, world.now().replace(microsecond=0), lines)
    item.order.fulfillment_orders.append(made)
    register(shop, made, *lines)
    event = announce_order(world, shop, item.order, moves=True)
    told = {"original_fulfillment_order": _name(item), "moved_fulfillment_order": _name(made)}
    world.announce(shop, "fulfillment_orders/moved", told, event)
    return made


def cancel_request(
    world: World, shop: Shop, item: FulfillmentOrder
) -> tuple[FulfillmentOrder, FulfillmentOrder | None]:
    """Only what was submitted to a fulfillment service can be cancelled; a new one takes its place."""
    if item.request_status not in ("SUBMITTED", "CANCELLATION_REQUESTED"):
        raise Refused("Fulfillment order can't be cancelled in its request status.", ["id"])
    lines = [
        FulfillmentOrderLine(world.next_id(), line.line_item, line.remaining_quantity, line.remaining_quantity)
        for line in item.line_items
        if line.remaining_quantity
    ]
    item.base_status, item.request_status = "CLOSED", "CLOSED"
    made = FulfillmentOrder(world.next_id(), item.order, item.location, world.now().replace(microsecond=0), lines)
    item.order.fulfillment_orders.append(made)
    register(shop, made, *lines)
    event = announce_order(world, shop, item.order, moves=True)
    world.announce(shop, "fulfillment_orders/cancelled", _told(item), event)
    return item, made


def _told(item: FulfillmentOrder) -> dict[str, Any]:
    return {"fulfillment_order": _name(item)}


def _name(item: FulfillmentOrder) -> dict[str, Any]:
    return {"id": item.id, "status": item.status.lower()}
