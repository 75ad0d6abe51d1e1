"""Shiprocket: its tracking webhook in, its QC report out, and what it demands of a callback address. Pure.

Rests on https://apidocs.shiprocket.in/ (webhooks) and on what public integrators see. One body carries two numberings:
20 in `current_status_id` and 18 in `shipment_status_id` are both "in transit", and 21 is "return pending" in the one,
"undelivered" in the other. They are read by two tables and never mixed. Times have no zone and are no order.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from core.domain.returns import ReturnReport, ReturnType
from core.domain.statuses import Status
from core.errors import BadInput
from rms_bridge.partners.contract import (
    RTO_STATUSES,
    ForwardParcel,
    Loose,
    LooseCode,
    LooseFlag,
    LooseNumber,
    LoosePhrase,
    Reading,
    Tracking,
    keep_objects,
    render_processing_update,
)
from rms_bridge.statuses import is_rto, read_status

render_qc = render_processing_update
REFUSED_IN_ADDRESS = ("shiprocket", "kartrocket", "sr", "kr")

# Order status: `current_status_id`. None names no place where a return is.
ORDER_STATUSES: dict[int, Status | None] = {
    6: Status.IN_TRANSIT,
    9: None,  # Returned
    10: None,  # Unmapped
    14: Status.PICKUP_FAILED,
    15: Status.RTO,
    16: Status.RTO_DELIVERED,
    17: Status.RTO_DELIVERED,  # acknowledged
    18: None,  # Cancellation Requested, of a forward order: a return has 29
    19: Status.IN_TRANSIT,
    20: Status.IN_TRANSIT,
    21: Status.REQUESTED,
    22: Status.APPROVED,
    23: Status.PICKUP_SCHEDULED,
    24: Status.PICKUP_FAILED,
    25: Status.IN_TRANSIT,
    26: Status.DELIVERED,
    27: Status.CANCELLED,
    28: Status.PICKUP_SCHEDULED,  # Return Pickup Generated
    29: Status.CANCELLED,  # Return Cancellation Requested
    30: Status.CANCELLED,  # Return Pickup Cancelled
    31: Status.PICKUP_SCHEDULED,
    32: Status.PICKED_UP,
    33: Status.LOST,
    34: Status.OUT_FOR_PICKUP,
    35: Status.PICKUP_FAILED,
    36: None,  # Undelivered, by others an RTO: sources disagree
    37: Status.IN_TRANSIT,
    38: None,  # Partial Delivered
    39: Status.DAMAGED,  # Destroyed
    40: Status.DAMAGED,
    42: None,  # Archived
    43: Status.IN_TRANSIT,
    44: Status.IN_TRANSIT,
    45: Status.RTO,
    46: Status.RTO,
    47: Status.OUT_FOR_PICKUP,
    48: Status.OUT_FOR_DELIVERY,
    49: Status.PICKUP_FAILED,
    50: Status.DELIVERY_FAILED,
    51: Status.PICKED_UP,
    53: Status.DAMAGED,  # Disposed Off
    54: Status.CANCELLED,  # before dispatch
    55: Status.RTO,
    57: Status.PICKUP_FAILED,  # QC Failed: the courier's, at the customer's door
    58: Status.DELIVERED,  # Reached Warehouse
    68: Status.DELIVERED,  # Return Acknowledged
    85: Status.RTO,
    87: Status.RTO,
    88: Status.LOST,  # Untraceable
    90: Status.RTO,  # back at the seller's city
}

# Shipment status: `shipment_status_id` and a scan's `sr-status`.
SHIPMENT_STATUSES: dict[int, Status | None] = {
    1: Status.AWB_ASSIGNED,
    2: Status.AWB_ASSIGNED,  # Label Generated
    3: Status.PICKUP_SCHEDULED,
    4: Status.PICKUP_SCHEDULED,  # Pickup Queued
    5: None,  # Manifest Generated
    6: Status.IN_TRANSIT,  # Shipped
    7: Status.DELIVERED,
    8: Status.CANCELLED,
    9: Status.RTO,
    10: Status.RTO_DELIVERED,
    12: Status.LOST,
    13: Status.PICKUP_FAILED,
    14: Status.RTO_DELIVERED,  # acknowledged
    15: Status.PICKUP_SCHEDULED,
    16: Status.CANCELLED,  # Cancellation Requested
    17: Status.OUT_FOR_DELIVERY,
    18: Status.IN_TRANSIT,
    19: Status.OUT_FOR_PICKUP,
    20: Status.PICKUP_FAILED,
    21: Status.DELIVERY_FAILED,
    22: Status.IN_TRANSIT,  # Delayed
    23: None,  # Partial Delivered
    24: Status.DAMAGED,  # Destroyed
    25: Status.DAMAGED,
    26: None,  # Fulfilled
    27: Status.PICKUP_SCHEDULED,  # Pickup Booked
    38: Status.IN_TRANSIT,  # Reached Destination Hub
    39: Status.IN_TRANSIT,  # Misrouted
    40: Status.RTO,
    41: Status.RTO,
    42: Status.PICKED_UP,
    43: None,  # Self Fulfilled
    44: Status.DAMAGED,  # Disposed Off
    45: Status.CANCELLED,  # before dispatch
    46: Status.RTO,
    47: Status.PICKUP_FAILED,  # QC Failed: the courier's, at the customer's door
    48: Status.DELIVERED,  # Reached Warehouse
    51: None,  # Handover
    52: None,  # Booked
    75: Status.RTO,
    76: Status.LOST,  # Untraceable
    77: None,  # Recipient issue
    78: Status.RTO,  # back at the seller's city
}
_RETURN_ONLY = frozenset({*range(21, 33), 47, 48, 49, 50, 68})  # order statuses whose names begin with "Return"

# Texts, read only when a body has no number at all; the rest is as in RMS's own list.
_TEXTS = {
    "PENDING": Status.REQUESTED,
    "INITIATED": Status.APPROVED,
    "PICKUP GENERATED": Status.PICKUP_SCHEDULED,
    "PICKUP ERROR": Status.PICKUP_FAILED,
    "PICKUP EXCEPTION": Status.PICKUP_FAILED,
    "UNDELIVERED": Status.DELIVERY_FAILED,
    "ACKNOWLEDGED": Status.DELIVERED,
    "REACHED WAREHOUSE": Status.DELIVERED,
}


class Scan(Loose):
    """An element of `scans`; `sr-status` is text there, sometimes "NA"."""

    sr_status: LooseNumber = Field(
        None, alias="sr-status", description="Number of the shipment status at this scan; `NA` is read as none"
    )
    date: LoosePhrase = Field(None, description="When it was scanned")


class Message(Loose):
    """The tracking webhook; what is said of people in it is not read."""

    awb: LooseCode = Field(None, description="AWB of the parcel")
    courier_name: LooseCode = Field(None, description="The courier that carries it")
    current_status: LoosePhrase = Field(None, description="The order status in words")
    current_status_id: LooseNumber = Field(
        None, description="Number of the order status; not of one space with the shipment status"
    )
    shipment_status: LoosePhrase = Field(None, description="The shipment status in words")
    shipment_status_id: LooseNumber = Field(None, description="Number of the shipment status")
    order_id: LooseCode = Field(None, description="The order or return order, as the shop named it to Shiprocket")
    sr_order_id: LooseCode = Field(None, description="Shiprocket's own number of the order")
    is_return: LooseFlag = Field(None, description="1 for a parcel that comes back")
    scans: Annotated[tuple[Scan, ...], BeforeValidator(keep_objects)] = Field((), description="Every scan so far")

    @property
    def text(self) -> str:
        """The status in Shiprocket's words."""
        named = (f"Shiprocket {name} {number}" for name, number, _ in self.numbers)
        return self.current_status or self.shipment_status or next(named, "no status")

    @property
    def about_return(self) -> bool:
        """True when the parcel is a return, by `is_return` or by a status that only a return has."""
        return self.is_return is True or self.current_status_id in _RETURN_ONLY

    @property
    def numbers(self) -> list[tuple[str, int, dict[int, Status | None]]]:
        """Each number the body gives, with the table it belongs to; the newest scan speaks last."""
        scan = max(self.scans, key=lambda one: one.date or "", default=None)
        given = (
            ("current_status_id", self.current_status_id, ORDER_STATUSES),
            ("shipment_status_id", self.shipment_status_id, SHIPMENT_STATUSES),
            ("sr-status", scan.sr_status if scan else None, SHIPMENT_STATUSES),
        )
        return [(name, number, table) for name, number, table in given if number is not None]

    @property
    def names(self) -> tuple[str, ...]:
        """Codes the return may be known by. The sample's `order_id` joins ours and theirs by an underscore."""
        left, _, right = (self.order_id or "").rpartition("_")
        return tuple(dict.fromkeys(name for name in (self.sr_order_id, self.order_id, left, right) if name))


def parse_tracking(body: dict[str, Any], _default_reason: str) -> Tracking | ForwardParcel:
    """Read a tracking webhook. It names no return and no items: the return is found by AWB, else by the order's ids.

    Raises BadInput when it names no status either.
    """
    message = Message.model_validate(body)
    if not message.numbers and not (message.current_status or message.shipment_status):
        raise BadInput(["body: no status"])
    reading = _read_status(message)
    if not message.about_return and reading.status not in RTO_STATUSES:
        return ForwardParcel(f"Shiprocket tells of a forward parcel: {message.text}")
    strange = message.about_return and reading.status in RTO_STATUSES
    report = ReturnReport(
        code="",
        forward_code="",
        full=False,
        type=ReturnType.CUSTOMER_RETURN if message.about_return else ReturnType.RETURN_TO_ORIGIN,
        status_text=message.text,
        status=None if strange else reading.status,
        awb=message.awb,
        transporter=message.courier_name,
    )
    words = f"Shiprocket reports {message.text} (RTO) of a return, which only a forward parcel can be"
    names = message.names if message.about_return else ()
    return Tracking(report, reading, names, quarantine=words if strange else None)


def _read_status(message: Message) -> Reading:
    """The first number that is a place in its own table. An unknown number is not helped out by its text."""
    places = [table[number] for _, number, table in message.numbers if table.get(number)]
    if places:
        return Reading(places[0])
    if not message.numbers:
        return _read_text(message)
    strange = [f"{name} {number}" for name, number, table in message.numbers if number not in table]
    if strange:
        return Reading(None, f"unknown Shiprocket {', '.join(strange)} ({message.text})", known=False)
    return Reading(None, f"{message.text} says nothing of where the parcel is")


def _read_text(message: Message) -> Reading:
    """RETURN PICKED UP and PICKED UP are one: no page says which of the two a return's webhook carries."""
    text = (message.current_status or message.shipment_status or "").upper()
    short = text.removeprefix("RETURN ")
    if is_rto(text):
        return Reading(read_status(text, about_return=True) or Status.RTO)
    status = read_status(text, about_return=True) or read_status(short, about_return=True) or _TEXTS.get(short)
    return Reading(status, "" if status else f"unknown Shiprocket status {message.text}", known=status is not None)


def check_callback_url(url: str) -> list[str]:
    """What Shiprocket would refuse in a callback address, in words; empty when it takes it.

    Its rule names `shiprocket`, `kartrocket`, `sr` and `kr`. Whether it means whole words is not said, so any place
    counts, the host's name included.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ["the address cannot be read"]
    faults = [] if parts.scheme in ("https", "http") and host else ["the address must be http(s) and name a host"]
    places = {"host": host, "path": parts.path, "query": f"{parts.query}#{parts.fragment}"}
    return faults + [
        f"the {place} contains {word!r}"
        for place, text in places.items()
        for word in REFUSED_IN_ADDRESS
        if word in text.casefold()
    ]
