"""Shiprocket's tracking webhook: both numberings, and whose parcel it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.domain.returns import ReturnReport, ReturnType
from core.domain.statuses import Status
from core.errors import BadInput
from rms_bridge.partners.contract import ForwardParcel, Tracking
from rms_bridge.partners.shiprocket import ORDER_STATUSES, SHIPMENT_STATUSES, parse_tracking

FIXTURES = Path(__file__).parent.parent / "fixtures" / "partners"
RTO, RTO_END = "RTO", "RTO, delivered"

# `current_status_id` of a return: every number named on the pages read.
ORDER: dict[int, Status | str | None] = {
    6: Status.IN_TRANSIT,
    9: None,
    10: None,
    14: Status.PICKUP_FAILED,
    15: RTO,
    16: RTO_END,
    17: RTO_END,
    18: None,
    19: Status.IN_TRANSIT,
    20: Status.IN_TRANSIT,
    21: Status.REQUESTED,
    22: Status.APPROVED,
    23: Status.PICKUP_SCHEDULED,
    24: Status.PICKUP_FAILED,
    25: Status.IN_TRANSIT,
    26: Status.DELIVERED,
    27: Status.CANCELLED,
    28: Status.PICKUP_SCHEDULED,
    29: Status.CANCELLED,
    30: Status.CANCELLED,
    31: Status.PICKUP_SCHEDULED,
    32: Status.PICKED_UP,
    33: Status.LOST,
    34: Status.OUT_FOR_PICKUP,
    35: Status.PICKUP_FAILED,
    36: None,
    37: Status.IN_TRANSIT,
    38: None,
    39: Status.DAMAGED,
    40: Status.DAMAGED,
    42: None,
    43: Status.IN_TRANSIT,
    44: Status.IN_TRANSIT,
    45: RTO,
    46: RTO,
    47: Status.OUT_FOR_PICKUP,
    48: Status.OUT_FOR_DELIVERY,
    49: Status.PICKUP_FAILED,
    50: Status.DELIVERY_FAILED,
    51: Status.PICKED_UP,
    53: Status.DAMAGED,
    54: Status.CANCELLED,
    55: RTO,
    57: Status.PICKUP_FAILED,
    58: Status.DELIVERED,
    68: Status.DELIVERED,
    85: RTO,
    87: RTO,
    88: Status.LOST,
    90: RTO,
}
# `shipment_status_id` and a scan's `sr-status` of a return.
SHIPMENT: dict[int, Status | str | None] = {
    1: Status.AWB_ASSIGNED,
    2: Status.AWB_ASSIGNED,
    3: Status.PICKUP_SCHEDULED,
    4: Status.PICKUP_SCHEDULED,
    5: None,
    6: Status.IN_TRANSIT,
    7: Status.DELIVERED,
    8: Status.CANCELLED,
    9: RTO,
    10: RTO_END,
    12: Status.LOST,
    13: Status.PICKUP_FAILED,
    14: RTO_END,
    15: Status.PICKUP_SCHEDULED,
    16: Status.CANCELLED,
    17: Status.OUT_FOR_DELIVERY,
    18: Status.IN_TRANSIT,
    19: Status.OUT_FOR_PICKUP,
    20: Status.PICKUP_FAILED,
    21: Status.DELIVERY_FAILED,
    22: Status.IN_TRANSIT,
    23: None,
    24: Status.DAMAGED,
    25: Status.DAMAGED,
    26: None,
    27: Status.PICKUP_SCHEDULED,
    38: Status.IN_TRANSIT,
    39: Status.IN_TRANSIT,
    40: RTO,
    41: RTO,
    42: Status.PICKED_UP,
    43: None,
    44: Status.DAMAGED,
    45: Status.CANCELLED,
    46: RTO,
    47: Status.PICKUP_FAILED,
    48: Status.DELIVERED,
    51: None,
    52: None,
    75: RTO,
    76: Status.LOST,
    77: None,
    78: RTO,
}
# One number, two meanings: order status, shipment status.
TWO_MEANINGS: dict[int, tuple[Status | str | None, Status | str | None]] = {
    9: (None, RTO),
    10: (None, RTO_END),
    16: (RTO_END, Status.CANCELLED),
    18: (None, Status.IN_TRANSIT),
    20: (Status.IN_TRANSIT, Status.PICKUP_FAILED),
    21: (Status.REQUESTED, Status.DELIVERY_FAILED),
    26: (Status.DELIVERED, None),
    42: (None, Status.PICKED_UP),
    47: (Status.OUT_FOR_PICKUP, Status.PICKUP_FAILED),
}
ONLY_RETURNS = {*range(21, 33), 47, 48, 49, 50, 68}


def tell(**said: object) -> dict[str, Any]:
    """A small webhook about a return."""
    return {"awb": "A1", "is_return": 1, **said}


def read(body: dict[str, Any]) -> Tracking:
    """Parse a body that is about a return."""
    told = parse_tracking(body, "")
    assert isinstance(told, Tracking)
    return told


def check_meaning(body: dict[str, Any], expected: Status | str | None) -> None:
    """The status, or quarantine."""
    told = read(body)
    if expected in (RTO, RTO_END):
        assert told.report.status is None
        assert told.quarantine is not None
        assert "RTO" in told.quarantine
    else:
        assert told.quarantine is None
        assert told.report.status == expected
        assert told.reading.known


@pytest.mark.parametrize("number", ORDER)
@pytest.mark.parametrize("spell", [int, str])
def test_each_order_status_of_a_return(number: int, spell: type) -> None:
    check_meaning(tell(current_status_id=spell(number)), ORDER[number])


@pytest.mark.parametrize("number", SHIPMENT)
def test_each_shipment_status_of_a_return(number: int) -> None:
    check_meaning(tell(shipment_status_id=number), SHIPMENT[number])
    check_meaning(tell(scans=[{"sr-status": str(number), "date": "2026-11-20 10:00:00"}]), SHIPMENT[number])


def test_the_tables_have_no_number_that_is_not_tested() -> None:
    assert set(ORDER_STATUSES) == set(ORDER)
    assert set(SHIPMENT_STATUSES) == set(SHIPMENT)


@pytest.mark.parametrize("number", TWO_MEANINGS)
def test_the_two_numberings_are_never_mixed(number: int) -> None:
    of_order, of_shipment = TWO_MEANINGS[number]
    check_meaning(tell(current_status_id=number), of_order)
    check_meaning(tell(shipment_status_id=number), of_shipment)
    check_meaning(tell(scans=[{"sr-status": str(number)}]), of_shipment)


@pytest.mark.parametrize("number", set(ORDER) - ONLY_RETURNS)
def test_an_order_status_of_a_forward_parcel_counts_only_when_it_is_an_rto(number: int) -> None:
    told = parse_tracking(tell(current_status_id=number, is_return=0), "")
    if ORDER[number] not in (RTO, RTO_END):
        assert isinstance(told, ForwardParcel)
        return
    assert isinstance(told, Tracking)
    wanted = Status.RTO if ORDER[number] == RTO else Status.RTO_DELIVERED
    assert (told.report.status, told.report.type, told.names) == (wanted, ReturnType.RETURN_TO_ORIGIN, ())
    assert told.quarantine is None


@pytest.mark.parametrize("number", SHIPMENT)
def test_a_shipment_status_of_a_forward_parcel_counts_only_when_it_is_an_rto(number: int) -> None:
    told = parse_tracking(tell(shipment_status_id=number, is_return=0), "")
    if SHIPMENT[number] in (RTO, RTO_END):
        assert isinstance(told, Tracking)
        assert told.report.status == (Status.RTO if SHIPMENT[number] == RTO else Status.RTO_DELIVERED)
    else:
        assert isinstance(told, ForwardParcel)


@pytest.mark.parametrize("number", ONLY_RETURNS)
def test_a_status_only_a_return_has_makes_it_one_whatever_is_return_says(number: int) -> None:
    assert read(tell(current_status_id=number, is_return=None)).report.status == ORDER[number]
    assert read(tell(current_status_id=number, is_return=0)).report.status == ORDER[number]


def test_an_unknown_number_never_advances_not_even_by_its_text() -> None:
    told = read(tell(current_status_id=999, current_status="DELIVERED"))
    assert (told.report.status, told.report.status_text) == (None, "DELIVERED")
    assert not told.reading.known
    assert told.reading.words == "unknown Shiprocket current_status_id 999 (DELIVERED)"


def test_a_number_that_is_no_place_leaves_the_word_to_the_other_numbering() -> None:
    assert read(tell(current_status_id=42, shipment_status_id=42)).report.status is Status.PICKED_UP
    assert read(tell(current_status_id=20, shipment_status_id=18)).report.status is Status.IN_TRANSIT
    newest = [{"sr-status": "42", "date": "2026-11-20 10:00:00"}, {"sr-status": "3", "date": "2026-11-19 10:00:00"}]
    assert read(tell(scans=newest)).report.status is Status.PICKED_UP


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("RETURN PICKED UP", Status.PICKED_UP),
        ("PICKED UP", Status.PICKED_UP),
        ("RETURN IN TRANSIT", Status.IN_TRANSIT),
        ("IN TRANSIT", Status.IN_TRANSIT),
        ("RETURN OUT FOR PICKUP", Status.OUT_FOR_PICKUP),
        ("OUT FOR PICKUP", Status.OUT_FOR_PICKUP),
        ("RETURN OUT FOR DELIVERY", Status.OUT_FOR_DELIVERY),
        ("OUT FOR DELIVERY", Status.OUT_FOR_DELIVERY),
        ("RETURN DELIVERED", Status.DELIVERED),
        ("DELIVERED", Status.DELIVERED),
        ("RETURN PENDING", Status.REQUESTED),
        ("RETURN INITIATED", Status.APPROVED),
        ("RETURN PICKUP GENERATED", Status.PICKUP_SCHEDULED),
        ("RETURN PICKUP QUEUED", Status.PICKUP_SCHEDULED),
        ("RETURN PICKUP RESCHEDULED", Status.PICKUP_SCHEDULED),
        ("RETURN PICKUP CANCELLED", Status.CANCELLED),
        ("RETURN PICKUP ERROR", Status.PICKUP_FAILED),
        ("PICKUP EXCEPTION", Status.PICKUP_FAILED),
        ("RETURN UNDELIVERED", Status.DELIVERY_FAILED),
        ("RETURN CANCELLED", Status.CANCELLED),
        ("LOST", Status.LOST),
        ("DAMAGED", Status.DAMAGED),
        ("TELEPORTED", None),
    ],
)
def test_without_any_number_both_spellings_of_a_text_are_one(text: str, status: Status | None) -> None:
    told = read(tell(current_status=text))
    assert (told.report.status, told.report.status_text) == (status, text)
    assert told.reading.known is (status is not None)


@pytest.mark.parametrize("text", ["RTO INITIATED", "RTO OFD", "RTO DELIVERED"])
def test_an_rto_by_text_of_a_return_is_quarantined(text: str) -> None:
    check_meaning(tell(current_status=text), RTO)


def load(name: str) -> dict[str, Any]:
    """A recorded body."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return body


def test_a_picked_up_return_in_full() -> None:
    told = read(load("shiprocket__return_picked_up"))
    assert told.report == ReturnReport(
        code="",
        forward_code="",
        full=False,
        status_text="PICKED UP",
        status=Status.PICKED_UP,
        status_at=None,
        awb="RVP700100",
        transporter="Delhivery Surface",
    )
    assert told.names == ("150876814", "RET-1_150876814", "RET-1")


def test_a_forward_parcel_is_named_as_one() -> None:
    told = parse_tracking(load("shiprocket__forward_in_transit"), "")
    assert told == ForwardParcel("Shiprocket tells of a forward parcel: IN TRANSIT")


@pytest.mark.parametrize("body", [{"awb": "A1"}, {"scans": []}, {"current_status_id": "x"}])
def test_a_body_without_status_cannot_be_read(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_tracking(body, "")
