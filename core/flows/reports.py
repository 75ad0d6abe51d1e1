"""A push about a return: register it, then let every exchange that may wait for it look again."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from core.domain.returns import ReturnReport, ReturnType, explode_items
from core.flows.exchanges import find_exchange, reconsider
from core.flows.linking import find_linked_orders, link_waiting, spell_code
from core.flows.orders import load_order
from core.flows.returns import register_return
from core.flows.scene import Scene
from core.models import OmsOrder
from core.registry import Outcome


def take_return(scene: Scene, report: ReturnReport, event_id: int, content: str | None) -> Outcome:
    """Register what a push says of a return, whoever sent it; `content` digests a full body's facts, else None."""
    outcome = register_return(scene, _fill_rto(scene, report), event_id, content)
    link_waiting(scene, report.forward_code)
    reconsider_linked(scene, report.code)
    return outcome


def _fill_rto(scene: Scene, report: ReturnReport) -> ReturnReport:
    """An RTO told without items (Shiprocket names none) is the whole parcel: what the order has, as OMS knows it."""
    if report.units or report.type is not ReturnType.RETURN_TO_ORIGIN:
        return report
    codes = spell_code(report.forward_code)
    query = select(OmsOrder).where(OmsOrder.shop_id == scene.shop_id, OmsOrder.code.in_(codes))
    told = scene.session.scalars(query).first()
    order = load_order(scene.session, scene.shop_id, told.order_id) if told else None
    if told is None or order is None:
        return report
    items = [(str(one.id), told.skus.get(str(one.id), one.sku), one.current_quantity) for one in order.lines]
    left = [item for item in items if item[2] > 0]
    return replace(report, units=explode_items(left, scene.settings.rms.default_return_reason))


def reconsider_linked(scene: Scene, return_code: str) -> int:
    """Let every exchange linked to a return look at its facts again. Returns how many moved."""
    moved = 0
    for order_id in find_linked_orders(scene.session, scene.shop_id, return_code):
        order = load_order(scene.session, scene.shop_id, order_id)
        exchange = find_exchange(scene.session, scene.shop_id, order_id)
        if order is not None and exchange is not None:
            moved += reconsider(scene, exchange, order)
    return moved
