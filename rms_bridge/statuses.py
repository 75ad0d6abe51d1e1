"""RMS's `notificationType` in the house's own vocabulary.

Rests on Increff's page "Push Notifications: notification types" and on the names its other pages use in samples. The
list is open: a text in no table gives None, is kept as it came and moves nothing. So do SHIPMENT_STUCK and
SLA_BREACHED (a flag on a parcel, not a place where it is) and what only an order can be (INVOICED and the like).
"""

from __future__ import annotations

import re

from core.domain.statuses import Status

# What each name means when the parcel is a return, that is, when the body carries `returnOrderInfo`.
RETURN_NAMES: dict[Status, tuple[str, ...]] = {
    Status.REQUESTED: ("RETURN_ORDER_PLACED", "RETURN_CREATED", "RETURN_REQUESTED", "CREATED", "REQUESTED"),
    Status.APPROVED: ("RETURN_APPROVED", "RETURN_REQUEST_APPROVED", "APPROVED"),
    Status.REJECTED: ("RETURN_REJECTED", "RETURN_DECLINED", "REJECTED", "DECLINED"),
    Status.AWB_ASSIGNED: ("AWB_GENERATED", "AWB_ASSIGNED", "SHIPPING_LABEL_GENERATED", "READY_TO_SHIP"),
    Status.PICKUP_SCHEDULED: ("PICKUP_SCHEDULED", "PICKUP_QUEUE", "PICKUP_QUEUED", "PICKUP_RESCHEDULED"),
    Status.OUT_FOR_PICKUP: ("OUT_FOR_PICKUP",),
    Status.PICKUP_FAILED: ("PICKUP_FAILED",),
    Status.PICKED_UP: ("RETURN_PICKED_UP", "RETURN_PICKUP", "PICKED_UP"),
    Status.IN_TRANSIT: ("IN_TRANSIT", "RETURN_IN_TRANSIT", "SHIPPED"),
    Status.OUT_FOR_DELIVERY: ("OUT_FOR_DELIVERY",),
    Status.DELIVERY_FAILED: ("FAILED_DELIVERY", "DELIVERY_FAILED"),
    Status.DELIVERED: ("DELIVERED", "RETURN_DELIVERED"),
    Status.CANCELLED: ("CANCELLED", "CANCELED", "RETURN_CANCELLED", "PICKUP_CANCELLED", "PICKUP_CANCELED"),
    Status.LOST: ("LOST",),
    Status.DAMAGED: ("DAMAGED",),
    Status.RTO: ("RTO", "RTO_INITIATED", "RTO_IN_TRANSIT", "RTO_OUT_FOR_DELIVERY"),
    Status.RTO_DELIVERED: ("RTO_DELIVERED",),
    Status.HAND_EXCHANGE: ("EXCHANGE_PICKUP", "EXCHANGE_DELIVERED"),
}

# Names Increff lists that say nothing about where a return is: kept as text only.
NOT_A_STATE = ("SHIPMENT_STUCK", "SLA_BREACHED", "INVOICED", "PAYMENT_FAILED", "UNFULFILLABLE")


def _fold(text: str) -> str:
    """`Return picked-up` and `RETURN_PICKED_UP` are one name."""
    return re.sub(r"[\s_-]+", "", text).casefold()


_STATUS_OF = {_fold(name): status for status, names in RETURN_NAMES.items() for name in names}


def read_status(text: str, *, about_return: bool) -> Status | None:
    """The status a text stands for, or None when it is unknown or no state of a return.

    DELIVERED of a return is at the warehouse, of a forward parcel at the customer. So of a forward parcel only the RTO
    names are read: that parcel has turned round and is a return.
    """
    status = _STATUS_OF.get(_fold(text))
    if about_return or status in (Status.RTO, Status.RTO_DELIVERED):
        return status
    return None


def is_rto(text: str) -> bool:
    """True for every name that begins with RTO: the parcel was not delivered and goes back to its origin."""
    return _fold(text).startswith("rto")
