"""A push about a return: register it, then let every exchange that may wait for it look again."""

from __future__ import annotations

from core.domain.returns import ReturnReport
from core.flows.exchanges import find_exchange, reconsider
from core.flows.linking import find_linked_orders, link_waiting
from core.flows.orders import load_order
from core.flows.returns import register_return
from core.flows.scene import Scene
from core.registry import Outcome


def take_return(scene: Scene, report: ReturnReport, event_id: int, content: str | None) -> Outcome:
    """Register what a push says of a return, whoever sent it; `content` digests a full body's facts, else None."""
    outcome = register_return(scene, report, event_id, content)
    link_waiting(scene, report.forward_code)
    reconsider_linked(scene, report.code)
    return outcome


def reconsider_linked(scene: Scene, return_code: str) -> int:
    """Let every exchange linked to a return look at its facts again. Returns how many moved."""
    moved = 0
    for order_id in find_linked_orders(scene.session, scene.shop_id, return_code):
        order = load_order(scene.session, scene.shop_id, order_id)
        exchange = find_exchange(scene.session, scene.shop_id, order_id)
        if order is not None and exchange is not None:
            moved += reconsider(scene, exchange, order)
    return moved
