"""What Shopify showed after an act of ours, written down, so that no decision rests on what was before it.

OMS is not told from here: Shopify's own webhook does that (one cause per OMS effect). Only a write that found the tags
as they should be causes none, such as the release of a hold that was never written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from core.domain.orders import FulfillmentOrder, OrderSnapshot, has_tag
from core.flows.acts import is_hold_to_come
from core.flows.exchanges import find_exchange
from core.flows.orders import follow_exchange, load_order, tell_oms
from core.flows.scene import Scene
from core.models import Order


def note_read_back(
    scene: Scene, order_id: int, tags: list[str], updated_at: datetime, written: Collection[str], *, about_hold: bool
) -> None:
    """Shopify answered our write, which added or removed the tags `written`, with all of the order's tags.

    `about_hold`: it was a hold or a release, by whichever tag that was when it was decided.
    """
    row = scene.session.get(Order, (scene.shop_id, order_id))
    if row is not None and updated_at >= row.updated_at:
        changed = {tag.casefold() for tag in tags} != {tag.casefold() for tag in row.tags}
        row.tags, row.updated_at = tags, updated_at
        exchange = find_exchange(scene.session, scene.shop_id, order_id)
        about_hold = about_hold or has_tag(written, scene.settings.exchange.hold_tag)
        if exchange is not None and about_hold and not is_hold_to_come(scene, order_id):
            exchange.hold_decided = False  # what we decided about the tag is written, one way or the other
        order = _reconsider_stored(scene, row)
        if not changed:
            tell_oms(scene, order)


def note_quantities(scene: Scene, order_id: int, quantities: dict[int, int], updated_at: datetime) -> None:
    """Shopify was read back after an edit: these are its lines' current quantities."""
    row = scene.session.get(Order, (scene.shop_id, order_id))
    if row is not None and updated_at >= row.updated_at:
        row.lines = [{**line, "current_quantity": quantities.get(line["id"], 0)} for line in row.lines]
        row.updated_at = updated_at
        _reconsider_stored(scene, row)


def note_fulfillment_orders(scene: Scene, order_id: int, found: tuple[FulfillmentOrder, ...]) -> None:
    """Shopify was read back after our holds changed."""
    row = scene.session.get(Order, (scene.shop_id, order_id))
    if row is not None:
        row.fulfillment_orders = [asdict(one) for one in found]
        _reconsider_stored(scene, row)


def note_cancelled(scene: Scene, order_id: int, cancelled_at: datetime, updated_at: datetime) -> None:
    """Shopify says that the order is cancelled: our cancel has reached its end."""
    row = scene.session.get(Order, (scene.shop_id, order_id))
    if row is not None and updated_at >= row.updated_at:
        row.cancelled_at, row.updated_at = cancelled_at, updated_at
        _reconsider_stored(scene, row)


def _reconsider_stored(scene: Scene, row: Order) -> OrderSnapshot:
    row.version += 1
    scene.session.flush()
    order = load_order(scene.session, scene.shop_id, row.order_id)
    assert order is not None  # its row is at hand
    follow_exchange(scene, order)
    return order
