"""What OMS acknowledged about orders, written down; and whatever changed in the meantime, told at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from core.db import db_now, insert_once
from core.flows.orders import load_order, tell_oms
from core.flows.scene import Scene
from core.models import OmsOrder, Order


@dataclass(frozen=True)
class OmsCreated:
    """What OMS was told when it took an order."""

    code: str
    location_code: str
    on_hold: bool
    ordered: dict[str, int]
    cancelled: dict[str, int]
    members: dict[str, list[int]]
    skus: dict[str, str]
    address: dict[str, str] | None
    dispatch_by: datetime
    start_processing: datetime


def note_oms_created(scene: Scene, order_id: int, created: OmsCreated) -> None:
    """OMS took the order; what changed in the meantime is told at once."""
    insert_once(
        scene.session,
        OmsOrder,
        shop_id=scene.shop_id,
        order_id=order_id,
        **asdict(created),
        announced={},
        acknowledged_at=db_now(),
    )
    order = scene.session.get(Order, (scene.shop_id, order_id))
    if order is not None:
        order.address = created.address  # from here on its changes are watched
        order.version += 1  # so that a reading which did not ask for it is told from one that did
    _tell_rest(scene, order_id)


def note_oms_hold(scene: Scene, order_id: int, on_hold: bool) -> None:
    """OMS acknowledged a hold or an unhold."""
    row = scene.session.get_one(OmsOrder, (scene.shop_id, order_id))
    row.on_hold, row.acknowledged_at = on_hold, db_now()
    _tell_rest(scene, order_id)


def note_oms_cancelled(scene: Scene, order_id: int, totals: dict[str, int]) -> None:
    """OMS acknowledged cancelled quantities."""
    row = scene.session.get_one(OmsOrder, (scene.shop_id, order_id))
    row.cancelled, row.acknowledged_at = {**row.cancelled, **totals}, db_now()
    _tell_rest(scene, order_id)


def _tell_rest(scene: Scene, order_id: int) -> None:
    scene.session.flush()
    order = load_order(scene.session, scene.shop_id, order_id)
    if order is not None:
        tell_oms(scene, order)
