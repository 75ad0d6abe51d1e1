"""Clickpost's tracking webhook: every code and event, whose parcel it is, and what can be read in a bad body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.domain.returns import ReturnReport, ReturnType, ReturnUnit
from core.domain.statuses import Status
from core.errors import BadInput
from rms_bridge.partners.clickpost import CODES, EVENTS, parse_tracking
from rms_bridge.partners.contract import ForwardParcel, Tracking

FIXTURES = Path(__file__).parent.parent / "fixtures" / "partners"
RTO = "an RTO, which a return cannot be"

# Every code of https://docs.clickpost.ai/docs/tracking-status-codes and of the webhook pages.
RETURN_CODES: dict[int, Status | str] = {
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
    11: RTO,
    12: RTO,
    13: RTO,
    14: RTO,
    15: RTO,
    16: Status.LOST,
    17: Status.DAMAGED,
    18: Status.IN_TRANSIT,
    19: Status.IN_TRANSIT,
    20: Status.IN_TRANSIT,
    21: RTO,
    23: Status.CANCELLED,
    25: Status.OUT_FOR_PICKUP,
    26: RTO,
    27: RTO,
    28: Status.AWB_ASSIGNED,
    30: Status.HAND_EXCHANGE,
    31: Status.HAND_EXCHANGE,
    32: Status.HAND_EXCHANGE,
    101: Status.REQUESTED,
    102: Status.APPROVED,
    103: Status.REJECTED,
    1004: Status.IN_TRANSIT,
}
# Every event of https://docs.clickpost.ai/docs/notification-event.
RETURN_EVENTS: dict[int, Status | str | None] = {
    1: Status.OUT_FOR_PICKUP,
    2: Status.PICKED_UP,
    3: Status.OUT_FOR_DELIVERY,
    4: Status.DELIVERY_FAILED,
    5: Status.DELIVERED,
    6: RTO,
    9: Status.AWB_ASSIGNED,
    10: Status.CANCELLED,
    11: Status.REQUESTED,
    12: RTO,
    13: Status.IN_TRANSIT,
    14: Status.HAND_EXCHANGE,
    15: Status.HAND_EXCHANGE,
    16: Status.PICKUP_FAILED,
    17: None,
    18: None,
    19: Status.LOST,
    20: Status.DAMAGED,
    22: Status.APPROVED,
    23: Status.REJECTED,
    29: Status.APPROVED,
    30: Status.REQUESTED,
    31: Status.REJECTED,
    80: Status.CANCELLED,
}
FORWARD_RTO = {
    11: Status.RTO,
    12: Status.RTO,
    13: Status.RTO,
    14: Status.RTO_DELIVERED,
    15: Status.RTO,
    21: Status.RTO,
    26: Status.RTO,
    27: Status.RTO,
}
# What only a return can be told of, so that a wrong or absent `is_rvp` does not hide it.
ONLY_RETURNS = {30, 31, 32, 101, 102, 103}


def load(name: str) -> dict[str, Any]:
    """A recorded body."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return body


def read(body: dict[str, Any]) -> Tracking:
    """Parse a body that is about a return."""
    told = parse_tracking(body, "No reason")
    assert isinstance(told, Tracking)
    return told


def tell(code: object = None, event: object = None, **additional: object) -> dict[str, Any]:
    """A small webhook."""
    latest = {} if code is None else {"clickpost_status_code": code}
    return {
        "waybill": "A1",
        "return_reference_number": "R1",
        "additional": {"latest_status": latest, "notification_event_id": event, **additional},
    }


def check_meaning(told: Tracking, expected: Status | str | None) -> None:
    """The status, or quarantine."""
    if expected == RTO:
        assert told.report.status is None
        assert told.quarantine is not None
        assert "RTO" in told.quarantine
    else:
        assert told.quarantine is None
        assert told.report.status == expected


@pytest.mark.parametrize("code", RETURN_CODES)
@pytest.mark.parametrize("spell", [int, str, float])
def test_each_code_of_a_return(code: int, spell: type) -> None:
    check_meaning(read(tell(spell(code) if spell is not str else str(code), is_rvp=True)), RETURN_CODES[code])


@pytest.mark.parametrize("event", RETURN_EVENTS)
def test_each_event_of_a_return_that_has_no_code(event: int) -> None:
    told = read(tell(None, event, is_rvp=True))
    check_meaning(told, RETURN_EVENTS[event])
    assert told.reading.known


def test_the_tables_have_no_number_that_is_not_tested() -> None:
    assert set(CODES) == set(RETURN_CODES)
    assert set(EVENTS) == set(RETURN_EVENTS)


@pytest.mark.parametrize("code", set(RETURN_CODES) - ONLY_RETURNS)
def test_of_a_forward_parcel_only_an_rto_counts(code: int) -> None:
    told = parse_tracking(tell(code, is_rvp=False, order_id="108"), "No reason")
    if code not in FORWARD_RTO:
        assert isinstance(told, ForwardParcel)
        return
    assert isinstance(told, Tracking)
    assert told.quarantine is None
    assert (told.report.status, told.report.type) == (FORWARD_RTO[code], ReturnType.RETURN_TO_ORIGIN)
    assert (told.report.code, told.report.awb, told.report.forward_code) == ("", "A1", "108")


@pytest.mark.parametrize("code", ONLY_RETURNS)
def test_what_only_a_return_can_be_is_one_whatever_is_rvp_says(code: int) -> None:
    assert read(tell(code, is_rvp=False)).report.status == RETURN_CODES[code]


def test_event_30_and_code_30_are_two_things() -> None:
    assert read(tell(30, is_rvp=True)).report.status is Status.HAND_EXCHANGE
    assert read(tell(None, 30, is_rvp=True)).report.status is Status.REQUESTED


def test_a_code_goes_before_the_event_and_the_newest_before_the_outer() -> None:
    body = tell(8, 2, is_rvp=True) | {"clickpost_status_code": 25}
    assert read(body).report.status is Status.DELIVERED
    body = tell(None, 2, is_rvp=True) | {"clickpost_status_code": 25}
    assert read(body).report.status is Status.OUT_FOR_PICKUP


@pytest.mark.parametrize("event", [None, 5])
def test_an_unknown_code_is_kept_as_text_and_is_no_status(event: int | None) -> None:
    body = tell(777, event, is_rvp=True)
    body["additional"]["latest_status"]["clickpost_status_description"] = "Drone  Landed\n"
    told = read(body)
    assert (told.report.status, told.report.status_text) == (None, "Drone Landed")
    assert not told.reading.known
    assert told.reading.words == "unknown Clickpost code 777 (Drone Landed)"


@pytest.mark.parametrize("bucket", range(1, 10))
def test_buckets_are_never_read(bucket: int) -> None:
    body = tell(102, is_rvp=True)
    body["additional"]["latest_status"]["clickpost_status_bucket"] = bucket
    assert read(body).report.status is Status.APPROVED
    body = tell(None, is_rvp=True)
    body["additional"]["latest_status"]["clickpost_status_bucket"] = bucket
    assert read(body).report.status is None


def test_a_picked_up_return_in_full() -> None:
    told = read(load("clickpost__return_picked_up"))
    assert told.report == ReturnReport(
        code="RET-1",
        forward_code="108",
        full=False,
        status_text="PickedUp",
        status=Status.PICKED_UP,
        status_at=None,  # its zone is not known, so it must not order anything
        awb="RVP700100",
        units=(ReturnUnit("SHIRT-M", "SHIRT-M", "Different size"),),
    )


def test_a_placed_return_has_no_awb_and_one_unit_per_piece() -> None:
    report = read(load("clickpost__return_placed")).report
    assert (report.awb, report.status) == (None, Status.REQUESTED)
    assert report.units == (
        ReturnUnit("SHIRT-M-1", "SHIRT-M", "Too small"),
        ReturnUnit("SHIRT-M-2", "SHIRT-M", "Too small"),
        ReturnUnit("CAP", "CAP", "Faded"),
    )


def test_the_wrapper_of_the_approved_webhook_is_taken_off() -> None:
    report = read(load("clickpost__return_approved_wrapped")).report
    assert (report.code, report.status, len(report.units)) == ("RET-1", Status.APPROVED, 1)


def test_a_forward_parcel_is_named_as_one() -> None:
    told = parse_tracking(load("clickpost__forward_in_transit"), "No reason")
    assert told == ForwardParcel("Clickpost tells of a forward parcel: InTransit")


def test_pieces_of_one_sku_keep_their_own_reasons() -> None:
    items = [{"sku": "A", "quantity": 1, "return_reason": "Torn"}, {"sku": "A", "quantity": "2"}]
    units = read(tell(5, is_rvp=True) | {"item_info": items}).report.units
    assert [(one.item_code, one.reason) for one in units] == [
        ("A-1", "Torn"),
        ("A-2", "No reason"),
        ("A-3", "No reason"),
    ]


@pytest.mark.parametrize(
    "items",
    [
        None,
        "SHIRT",
        [1],
        [{"quantity": 1}],
        [{"sku": "A"}, {"sku": ""}],
        [{"sku": "A", "quantity": 0}],
        [{"sku": "A", "quantity": 10**6}],
        [{"sku": "A", "quantity": 2}, {"sku": "A-1"}],
        [{"sku": "A" * 300}],
        [{"sku": "A" * 254, "quantity": 2}],
    ],
)
def test_items_that_cannot_all_be_read_are_none(items: object) -> None:
    assert read(tell(5, is_rvp=True) | {"item_info": items}).report.units == ()


@pytest.mark.parametrize("flag", [True, 1, "1", "true", "True"])
def test_is_rvp_in_every_spelling(flag: object) -> None:
    assert read(tell(8, is_rvp=flag)).report.status is Status.DELIVERED


@pytest.mark.parametrize("body", [{"a": 1}, {"payload": {}}, {"waybill": "A1"}, {"additional": {"is_rvp": False}}])
def test_a_body_without_status_cannot_be_read(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_tracking(body, "No reason")


def test_the_forward_order_is_never_taken_for_the_return() -> None:
    body = tell(5, is_rvp=True, order_id="108") | {"forward_order_id": "108", "return_reference_number": None}
    assert read(body).names == ()
    body["additional"]["order_id"] = "RET-1"
    assert read(body).names == ("RET-1",)
