"""Order editing: a session collects changes, the commit is the only point of effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from simulators.shopify import payloads
from simulators.shopify.base import Node, Refused, Variant
from simulators.shopify.model import Line
from simulators.shopify.order_model import Order
from simulators.shopify.orders import announce_order, drop_units, restock
from simulators.shopify.state import Shop, World, register


@dataclass(eq=False)
class EditSession(Node):
    """Seen as OrderEditSession and, with the same number, as CalculatedOrder."""

    graphql_type: ClassVar[str] = "OrderEditSession"
    pk: int
    order: Order
    version: int
    started_at: datetime
    wanted: dict[int, tuple[int, bool]] = field(default_factory=dict)
    closed: bool = False


@dataclass(eq=False)
class CalculatedLine(Node):
    """The numeric part of its id is the line item's."""

    graphql_type: ClassVar[str] = "CalculatedLineItem"
    session: EditSession
    line: Line

    @property
    def pk(self) -> int:  # type: ignore[override]
        return self.line.pk

    @property
    def quantity(self) -> int:
        return self.session.wanted.get(self.line.pk, (self.line.current_quantity, False))[0]

    @property
    def editable_quantity(self) -> int:
        return self.quantity - self.editable_floor

    @property
    def editable_floor(self) -> int:
        return self.line.current_quantity - self.line.unfulfilled_quantity

    @property
    def editable_quantity_before_changes(self) -> int:
        return self.line.unfulfilled_quantity

    @property
    def restocking(self) -> bool:
        return self.session.wanted.get(self.line.pk, (0, False))[1]

    @property
    def restockable(self) -> bool:
        return self.line.restockable

    @property
    def sku(self) -> str:
        return self.line.sku

    @property
    def title(self) -> str:
        return self.line.title

    @property
    def variant(self) -> Variant:
        return self.line.variant

    @property
    def custom_attributes(self) -> list[dict[str, str]]:
        return self.line.custom_attributes


@dataclass(eq=False)
class CalculatedOrder(Node):
    graphql_type: ClassVar[str] = "CalculatedOrder"
    session: EditSession

    @property
    def pk(self) -> int:  # type: ignore[override]
        return self.session.pk

    @property
    def line_items(self) -> list[CalculatedLine]:
        return [CalculatedLine(self.session, line) for line in self.session.order.line_items]

    @property
    def original_order(self) -> Order:
        return self.session.order

    @property
    def committed(self) -> bool:
        return self.session.closed

    @property
    def subtotal_line_items_quantity(self) -> int:
        return sum(line.quantity for line in self.line_items)


def begin(world: World, shop: Shop, order: Order) -> EditSession:
    if not order.merchant_editable:
        raise Refused(order.merchant_editable_errors[0], ["id"])
    session = EditSession(world.next_id(), order, order.version, world.now())
    register(shop, session)
    shop.nodes[CalculatedOrder(session).id] = session
    return session


def find_session(shop: Shop, gid: str) -> EditSession:
    session = shop.nodes.get(gid)
    if not isinstance(session, EditSession) or session.closed:
        raise Refused("The calculated order does not exist", ["id"])
    return session


def check_session(world: World, session: EditSession) -> None:
    """A session that ran out or met another change is dead."""
    if (world.now() - session.started_at).total_seconds() > world.edit_session_seconds:
        session.closed = True
        raise Refused("The edit session has expired", ["id"])
    if session.version != session.order.version:
        session.closed = True
        raise Refused("The order has been changed since this edit began", ["id"])


def set_quantity(world: World, session: EditSession, gid: str, quantity: int, restocking: bool) -> CalculatedLine:
    check_session(world, session)
    line = next((item for item in CalculatedOrder(session).line_items if item.id == gid), None)
    if line is None:
        raise Refused("The line item does not exist", ["lineItemId"])
    if quantity < line.editable_floor:
        raise Refused("The quantity can't be less than the fulfilled quantity", ["quantity"])
    _check_hold(world, session.order, line.line)
    session.wanted[line.line.pk] = (quantity, restocking)
    return line


def _check_hold(world: World, order: Order, line: Line) -> None:
    if "edit" not in world.refuse_when_held:
        return
    for item in order.fulfillment_orders:
        if item.status == "ON_HOLD" and any(
            waiting.line_item is line and waiting.remaining_quantity for waiting in item.line_items
        ):
            raise Refused("The line item can't be edited while its fulfillment order is on hold", ["lineItemId"])


def commit(world: World, shop: Shop, session: EditSession, note: str | None, notify: bool) -> Order:
    check_session(world, session)
    order = session.order
    changes = [
        (line, *session.wanted[line.pk])
        for line in order.line_items
        if line.pk in session.wanted and session.wanted[line.pk][0] != line.current_quantity
    ]
    if not changes:
        raise Refused("There must be at least one change to commit", ["id"])
    for line, _, _ in changes:
        _check_hold(world, order, line)
    session.closed = True
    apply_changes(world, shop, order, changes, note, notify)
    return order


def apply_changes(
    world: World,
    shop: Shop,
    order: Order,
    changes: list[tuple[Line, int, bool]],
    note: str | None = None,
    notify: bool = False,
) -> None:
    """An edit refunds nothing; it only changes what is owed."""
    added: list[Any] = []
    removed: list[Any] = []
    for line, quantity, restocking in changes:
        delta = quantity - line.current_quantity
        (added if delta > 0 else removed).append({"id": line.pk, "delta": abs(delta)})
        if delta > 0:
            _raise_line(order, line, delta)
        else:
            drop_units(order, line, -delta)
            restock(order, line, -delta if restocking else 0)
    order.edited = True
    edit = _edit_body(world, order, added, removed, note, notify)
    event = announce_order(world, shop, order, moves=True)
    world.announce(shop, "orders/edited", edit, event)


def _raise_line(order: Order, line: Line, count: int) -> None:
    line.quantity += count
    line.current_quantity += count
    for item in order.fulfillment_orders:
        for waiting in item.line_items:
            if waiting.line_item is line and item.is_open:
                waiting.total_quantity += count
                waiting.remaining_quantity += count
                return


def _edit_body(
    world: World, order: Order, added: list[Any], removed: list[Any], note: str | None, notify: bool
) -> dict[str, Any]:
    now = payloads.stamp(world.now())
    edit: dict[str, Any] = {
        "id": world.next_id(),
        "app_id": 580111,
        "created_at": now,
        "committed_at": now,
        "notify_customer": notify,
        "order_id": order.pk,
        "reason": None,
        "staff_note": note or "",
        "user_id": None,
        "line_items": {"additions": added, "removals": removed},
        "discounts": {"line_item": {"additions": [], "removals": []}},
        "shipping_lines": {"additions": [], "removals": []},
    }
    return {"order_edit": edit}
