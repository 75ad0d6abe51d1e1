"""Which return order a partner's webhook is about. Reads only."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Permanent
from core.flows.returns import find_return
from core.models import ReturnOrder
from rms_bridge.partners.contract import Tracking


def find_tracked_return(session: Session, shop_id: int, told: Tracking) -> ReturnOrder | None:
    """By the return's code, then by AWB; one whose code is not given, then by each other name.

    Raises Permanent when an AWB fits several.
    """
    if told.report.code and (found := find_return(session, shop_id, told.report.code)):
        return found
    if told.report.awb and (carried := _find_by_awb(session, shop_id, told.report.awb)):
        return carried
    for name in told.names if not told.report.code else ():
        if found := find_return(session, shop_id, name):
            return found
    return None


def _find_by_awb(session: Session, shop_id: int, awb: str) -> ReturnOrder | None:
    query = select(ReturnOrder).where(ReturnOrder.shop_id == shop_id, ReturnOrder.awb == awb)
    found = list(session.scalars(query.order_by(ReturnOrder.id).limit(5)))
    if len(found) > 1:
        codes = ", ".join(one.code for one in found)
        raise Permanent(f"AWB {awb} belongs to several returns ({codes}): set each one's status by hand")
    return found[0] if found else None
