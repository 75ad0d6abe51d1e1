"""Orders: what `oms_bridge` relies on when it creates, holds, releases and cancels."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import Permanent
from core.registry import Absent, Done
from oms_bridge.render import render_cancel, render_hold
from tests.contract.kit import Kit, Order, wait_for

Note = Callable[[str], None]


def place(order: Order) -> Order:
    order.create()
    found = wait_for(order.kit, order.look, lambda one: isinstance(one, Done))
    assert isinstance(found, Done), "GET /search/order does not find an order that was accepted"
    return order


def hold(order: Order, on_hold: bool) -> None:
    order.put(render_hold(on_hold, order.dispatch_by, order.start, order.location))


def cancel(order: Order, *totals: int) -> None:
    wanted = dict(zip(order.lines, totals, strict=True))
    order.put(render_cancel(wanted, order.skus, order.location), "/cancel")


def read_cancelled(order: Order, *totals: int) -> list[int]:
    wanted = list(totals)

    def read() -> list[int]:
        lines = order.read_lines()
        return [lines[code][1] for code in order.lines]

    return wait_for(order.kit, read, lambda found: found == wanted)


def test_an_order_is_created_on_hold_and_found(kit: Kit) -> None:
    """POST /orders/outward takes our order on hold, and GET /search/order finds its lines and quantities."""
    order = place(kit.order())
    assert [order.read_lines()[code] for code in order.lines] == [(2, 0), (1, 0)]


def test_an_order_is_created_without_hold(kit: Kit) -> None:
    """An order that is not held is taken too."""
    place(kit.order(on_hold=False))


def test_an_order_nobody_created_is_not_found(kit: Kit) -> None:
    """GET /search/order tells that an order is not there, so that an unclear creation may be sent again."""
    assert isinstance(kit.order().look(), Absent)


def test_an_order_created_twice_is_one(kit: Kit, note: Note) -> None:
    """A creation sent again is taken as done, or refused with words from which we adopt the order; it stays one."""
    order = place(kit.order())
    again = order.create()
    note(again.excerpt)
    assert [order.read_lines()[code] for code in order.lines] == [(2, 0), (1, 0)]


def test_lines_of_one_sku_are_taken(kit: Kit) -> None:
    """An order with two lines of one SKU at one price is taken, as we merge them, with the sum of their quantities."""
    order = place(kit.order(kit.line(0, 2), kit.line(0, 1)))
    assert sum(ordered for ordered, _ in order.read_lines().values()) == 3


def test_long_texts_are_shortened_enough(kit: Kit) -> None:
    """Text of 400 characters is taken, as we shorten it to 255."""
    place(kit.order(parentOrderCode="x" * 400))


def test_a_hold_is_released_with_times(kit: Kit) -> None:
    """PUT /orders/{orderCode} releases the hold when the dispatch times come along; a repeat does no harm."""
    order = place(kit.order())
    hold(order, False)
    hold(order, False)


def test_holding_again(kit: Kit, note: Note) -> None:
    """Holding a released order again is accepted, or refused for good: both are provided for."""
    order = place(kit.order())
    hold(order, False)
    try:
        hold(order, True)
        note("accepted")
    except Permanent as refusal:
        note(f"refused: {refusal}")


def test_a_held_order_held_again(kit: Kit, note: Note) -> None:
    """Holding an order that is still held is accepted, or refused for good."""
    order = place(kit.order())
    try:
        hold(order, True)
        note("accepted")
    except Permanent as refusal:
        note(f"refused: {refusal}")


def test_cancelled_quantities_are_absolute(kit: Kit) -> None:
    """PUT /orders/{orderCode}/cancel takes absolute totals: 1, then 1 again, then 2 cancel two pieces and not four."""
    order = place(kit.order())
    for total in (1, 1, 2):
        cancel(order, total, 0)
        assert read_cancelled(order, total, 0) == [total, 0]


def test_every_line_is_cancelled_and_repeated(kit: Kit) -> None:
    """An order can be cancelled line by line to nothing, and saying so twice does no harm."""
    order = place(kit.order())
    cancel(order, 2, 1)
    cancel(order, 2, 1)
    assert read_cancelled(order, 2, 1) == [2, 1]


def test_a_cancel_and_then_the_unhold(kit: Kit) -> None:
    """A held order takes a cancel of lines and then its unhold, in the order we send them after a failed check."""
    order = place(kit.order())
    cancel(order, 1, 0)
    hold(order, False)
    assert read_cancelled(order, 1, 0) == [1, 0]


def test_more_than_ordered_is_not_cancelled(kit: Kit, note: Note) -> None:
    """A total above the ordered quantity cancels no more than was ordered."""
    order = place(kit.order())
    try:
        cancel(order, 3, 0)
        note("accepted")
    except Permanent as refusal:
        note(f"refused: {refusal}")
    assert read_cancelled(order, 0, 0)[0] <= 2


def test_a_lower_total_takes_nothing_back(kit: Kit, note: Note) -> None:
    """A total below what is cancelled already is refused or ignored: it brings no piece back."""
    order = place(kit.order())
    cancel(order, 2, 0)
    try:
        cancel(order, 1, 0)
        note("accepted")
    except Permanent as refusal:
        note(f"refused: {refusal}")
    assert read_cancelled(order, 2, 0) == [2, 0]
