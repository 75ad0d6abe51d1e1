"""Clickpost: its tracking webhook in, its QC report out. Pure.

Rests on docs.clickpost.ai (/docs/tracking-status-codes, /docs/notification-event, /docs/return-order-placed-webhook-1,
/reference/return-request-approved) and on the older github.com/zupta/slate. Its `clickpost_status_bucket` is never read
(bucket 8 means both "lost" and "return placed"), nor are its times, whose zone is told in two ways.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from core.domain.returns import ReturnReport, ReturnType, ReturnUnit
from core.domain.statuses import Status
from core.errors import BadInput
from rms_bridge.partners.contract import (
    RTO_STATUSES,
    ForwardParcel,
    Item,
    Loose,
    LooseCode,
    LooseFlag,
    LooseNumber,
    LoosePhrase,
    Reading,
    Tracking,
    keep_object,
    keep_objects,
    make_units,
    render_processing_update,
)

render_qc = render_processing_update  # `returnOrderCode` is Clickpost's return reference number

# `clickpost_status_code`: what it says of a return; None names no place where a parcel is.
CODES: dict[int, Status | None] = {
    1: Status.AWB_ASSIGNED,
    2: Status.PICKUP_SCHEDULED,
    3: Status.PICKUP_FAILED,
    4: Status.PICKED_UP,
    5: Status.IN_TRANSIT,
    6: Status.OUT_FOR_DELIVERY,
    7: Status.DELIVERY_FAILED,
    8: Status.DELIVERED,
    9: Status.DELIVERY_FAILED,
    10: Status.CANCELLED,
    11: Status.RTO,
    12: Status.RTO,
    13: Status.RTO,
    14: Status.RTO_DELIVERED,
    15: Status.RTO,
    16: Status.LOST,
    17: Status.DAMAGED,
    18: Status.IN_TRANSIT,  # delayed
    19: Status.IN_TRANSIT,  # "contact customer care"
    20: Status.IN_TRANSIT,  # held
    21: Status.RTO,
    23: Status.CANCELLED,  # expired: the shipper asked Clickpost to give the parcel up
    25: Status.OUT_FOR_PICKUP,
    26: Status.RTO,
    27: Status.RTO,
    28: Status.AWB_ASSIGNED,
    30: Status.HAND_EXCHANGE,
    31: Status.HAND_EXCHANGE,
    32: Status.HAND_EXCHANGE,
    101: Status.REQUESTED,
    102: Status.APPROVED,
    103: Status.REJECTED,
    1004: Status.IN_TRANSIT,  # reached the last hub
}

# `notification_event_id`, read only when there is no code at all. It shares numbers with CODES and means others.
EVENTS: dict[int, Status | None] = {
    1: Status.OUT_FOR_PICKUP,
    2: Status.PICKED_UP,  # "shipped" stands for 4, 5, 18, 19 and 20: the least of them
    3: Status.OUT_FOR_DELIVERY,
    4: Status.DELIVERY_FAILED,
    5: Status.DELIVERED,
    6: Status.RTO,
    9: Status.AWB_ASSIGNED,
    10: Status.CANCELLED,
    11: Status.REQUESTED,
    12: Status.RTO_DELIVERED,
    13: Status.IN_TRANSIT,
    14: Status.HAND_EXCHANGE,
    15: Status.HAND_EXCHANGE,
    16: Status.PICKUP_FAILED,  # called "Pickup Cancelled", but it is code 3
    17: None,  # stuck: a flag on a parcel
    18: None,  # late: a flag on a parcel
    19: Status.LOST,
    20: Status.DAMAGED,
    22: Status.APPROVED,
    23: Status.REJECTED,
    29: Status.APPROVED,
    30: Status.REQUESTED,
    31: Status.REJECTED,
    80: Status.CANCELLED,
}
_RETURN_ONLY_CODES = frozenset({30, 31, 32, 101, 102, 103})
_RETURN_ONLY_EVENTS = frozenset({11, 14, 15, 22, 23, 29, 30, 31})


class LatestStatus(Loose):
    """`additional.latest_status`: rides along because deliveries come in any order."""

    clickpost_status_code: LooseNumber = Field(
        None, description="Clickpost's number of the newest status; counts before the one at the top"
    )
    clickpost_status_description: LoosePhrase = Field(None, description="That status in words")
    reference_number: LooseCode = Field(None, description="Reference of the shipment")


class Additional(Loose):
    """`additional`."""

    latest_status: Annotated[LatestStatus, BeforeValidator(keep_object)] = Field(
        LatestStatus(), description="The newest status, whichever status this call is about"
    )
    is_rvp: LooseFlag = Field(None, description="True for a parcel that comes back")
    order_id: LooseCode = Field(None, description="The shop's order")
    notification_event_id: LooseNumber = Field(
        None, description="Clickpost's number of the event, where the account sends selected events"
    )


class ItemInfo(Loose):
    """An element of `item_info`."""

    sku: LooseCode = Field(None, description="SKU of the pieces")
    quantity: LooseNumber = Field(None, description="How many pieces; 1 when not given")
    return_reason: LoosePhrase = Field(None, description="The customer's reason")


class Message(Loose):
    """The tracking webhook; what is said of people in it is not read."""

    waybill: LooseCode = Field(None, description="AWB of the parcel; empty until there is one")
    clickpost_status_code: LooseNumber = Field(None, description="Clickpost's number of the status")
    clickpost_status_description: LoosePhrase = Field(None, description="The status in words")
    notification_event_id: LooseNumber = Field(None, description="Clickpost's number of the event")
    additional: Annotated[Additional, BeforeValidator(keep_object)] = Field(
        Additional(), description="What rides along with every status"
    )
    forward_order_id: LooseCode = Field(None, description="The order the goods were bought with")
    forward_reference_number: LooseCode = Field(None, description="Reference of the parcel the goods were sent in")
    return_reference_number: LooseCode = Field(None, description="The return order code, as RMS and OMS know it")
    item_info: Annotated[tuple[ItemInfo, ...], BeforeValidator(keep_objects)] = Field(
        (), description="The goods that come back"
    )

    @property
    def code(self) -> int | None:
        """The newest status code."""
        latest = self.additional.latest_status.clickpost_status_code
        return self.clickpost_status_code if latest is None else latest

    @property
    def event(self) -> int | None:
        """The event id, which some payloads carry at the top."""
        inner = self.additional.notification_event_id
        return self.notification_event_id if inner is None else inner

    @property
    def text(self) -> str:
        """The newest status in Clickpost's words, not the courier's: those may name people."""
        words = self.additional.latest_status.clickpost_status_description or self.clickpost_status_description
        numbers = {"code": self.code, "event": self.event}
        named = (f"Clickpost {name} {one}" for name, one in numbers.items() if one is not None)
        return words or next(named, "no status")

    @property
    def about_return(self) -> bool:
        """True when the parcel is a return, by `is_rvp` or by what only a return can be."""
        if self.code in _RETURN_ONLY_CODES or (self.code is None and self.event in _RETURN_ONLY_EVENTS):
            return True
        return self.return_reference_number is not None if self.additional.is_rvp is None else self.additional.is_rvp


def parse_tracking(body: dict[str, Any], default_reason: str) -> Tracking | ForwardParcel:
    """Read a tracking webhook, which may come wrapped as `{"payload": …, "internal": …}`.

    Raises BadInput when it names no status.
    """
    inner = body.get("payload")
    message = Message.model_validate(inner if isinstance(inner, dict) else body)
    reading = _read_status(message)
    if message.about_return:
        return _read_return(message, reading, default_reason)
    if message.code is None and message.event is None:
        raise BadInput(["body: neither a status code nor an event"])
    if reading.status in RTO_STATUSES:
        return _read_rto(message, reading)
    return ForwardParcel(f"Clickpost tells of a forward parcel: {message.text}")


def _read_status(message: Message) -> Reading:
    code, event = message.code, message.event
    if code is None and event is None:
        return Reading(None, "Clickpost names neither a status code nor an event", known=False)
    table, number, name = (EVENTS, event, "event") if code is None else (CODES, code, "code")
    if number not in table:
        return Reading(None, f"unknown Clickpost {name} {number} ({message.text})", known=False)
    return Reading(table[number], f"{message.text} says nothing of where the parcel is" if not table[number] else "")


def _read_return(message: Message, reading: Reading, default_reason: str) -> Tracking:
    named = (message.additional.order_id, message.additional.latest_status.reference_number)
    rto = reading.status in RTO_STATUSES
    return Tracking(
        ReturnReport(
            code=message.return_reference_number or "",
            forward_code=message.forward_order_id or message.forward_reference_number or "",
            full=False,
            status_text=message.text,
            status=None if rto else reading.status,
            awb=message.waybill,
            units=_read_units(message.item_info, default_reason),
        ),
        reading,
        names=tuple(name for name in named if name and name != message.forward_order_id),
        quarantine=f"Clickpost reports {message.text} (RTO) of a return, which only a forward parcel can be"
        if rto
        else None,
    )


def _read_rto(message: Message, reading: Reading) -> Tracking:
    return Tracking(
        ReturnReport(
            code="",
            forward_code=message.additional.order_id or "",
            full=False,
            type=ReturnType.RETURN_TO_ORIGIN,
            status_text=message.text,
            status=reading.status,
            awb=message.waybill,
        ),
        reading,
    )


def _read_units(told: tuple[ItemInfo, ...], default_reason: str) -> tuple[ReturnUnit, ...]:
    items = [Item(one.sku, 1 if one.quantity is None else one.quantity, one.return_reason) for one in told if one.sku]
    if len(items) < len(told) or any(item.quantity < 1 for item in items):
        return ()  # a part of the parcel would be passed off as the whole
    return make_units(items, default_reason)
