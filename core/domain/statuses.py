"""Where a return parcel is, in one vocabulary for RMS, Clickpost and Shiprocket, and in which order that may change."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Canonical statuses of a return shipment (partners.md §5.1)."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    AWB_ASSIGNED = "awb_assigned"
    PICKUP_SCHEDULED = "pickup_scheduled"
    OUT_FOR_PICKUP = "out_for_pickup"
    PICKUP_FAILED = "pickup_failed"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    LOST = "lost"
    DAMAGED = "damaged"
    RTO = "rto"
    RTO_DELIVERED = "rto_delivered"
    HAND_EXCHANGE = "hand_exchange"


ENDED = frozenset({Status.REJECTED, Status.CANCELLED, Status.LOST})
ARRIVED = frozenset({Status.DELIVERED, Status.RTO_DELIVERED})

# How far along the road each status is. A failed pickup or delivery may be tried again, so it ranks with its try.
_RANK = {
    Status.REQUESTED: 0,
    Status.APPROVED: 1,
    Status.AWB_ASSIGNED: 2,
    Status.PICKUP_SCHEDULED: 3,
    Status.OUT_FOR_PICKUP: 4,
    Status.PICKUP_FAILED: 4,
    Status.PICKED_UP: 5,
    Status.HAND_EXCHANGE: 5,
    Status.IN_TRANSIT: 6,
    Status.RTO: 6,
    Status.OUT_FOR_DELIVERY: 7,
    Status.DELIVERY_FAILED: 7,
    Status.DELIVERED: 8,
    Status.RTO_DELIVERED: 8,
    Status.DAMAGED: 8,
    Status.REJECTED: 9,
    Status.CANCELLED: 9,
    Status.LOST: 9,
}


def may_follow(new: Status, current: Status | None) -> bool:
    """True when `new` is news after `current`: never backwards, and nothing follows an end."""
    if current is None:
        return True
    if current in ENDED or current in ARRIVED:
        return False
    return new != current and _RANK[new] >= _RANK[current]
