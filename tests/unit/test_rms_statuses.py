"""The table of RMS's notification types, name by name."""

from __future__ import annotations

import pytest

from core.domain.statuses import Status
from rms_bridge.statuses import NOT_A_STATE, RETURN_NAMES, is_rto, read_status

# Every name on Increff's page, and those its samples and prose use, with what it says of a return.
PAGE: dict[str, Status | None] = {
    "SHIPPING_LABEL_GENERATED": Status.AWB_ASSIGNED,
    "OUT_FOR_PICKUP": Status.OUT_FOR_PICKUP,
    "RETURN_PICKED_UP": Status.PICKED_UP,
    "OUT_FOR_DELIVERY": Status.OUT_FOR_DELIVERY,
    "FAILED_DELIVERY": Status.DELIVERY_FAILED,
    "DELIVERED": Status.DELIVERED,
    "RTO": Status.RTO,
    "RETURN_ORDER_PLACED": Status.REQUESTED,
    "AWB_GENERATED": Status.AWB_ASSIGNED,
    "CANCELLED": Status.CANCELLED,
    "RTO_DELIVERED": Status.RTO_DELIVERED,
    "EXCHANGE_PICKUP": Status.HAND_EXCHANGE,
    "EXCHANGE_DELIVERED": Status.HAND_EXCHANGE,
    "PICKUP_CANCELLED": Status.CANCELLED,
    "SHIPMENT_STUCK": None,
    "SLA_BREACHED": None,
    "LOST": Status.LOST,
    "DAMAGED": Status.DAMAGED,
    "INVOICED": None,
    "READY_TO_SHIP": Status.AWB_ASSIGNED,
    "PICKUP_SCHEDULED": Status.PICKUP_SCHEDULED,
    "SHIPPED": Status.IN_TRANSIT,
    "PAYMENT_FAILED": None,
    "UNFULFILLABLE": None,
    "PICKUP_QUEUE": Status.PICKUP_SCHEDULED,
    "PICKUP_RESCHEDULED": Status.PICKUP_SCHEDULED,
    "PICKED_UP": Status.PICKED_UP,
    "IN_TRANSIT": Status.IN_TRANSIT,
    "RETURN_PICKUP": Status.PICKED_UP,
    "RETURN_CREATED": Status.REQUESTED,
    "RETURN CREATED": Status.REQUESTED,
    "RETURN PICKED UP": Status.PICKED_UP,
    "IN TRANSIT": Status.IN_TRANSIT,
}


@pytest.mark.parametrize(("name", "status"), PAGE.items())
def test_each_listed_name_in_any_spelling(name: str, status: Status | None) -> None:
    spellings = (name, name.lower(), name.replace("_", " "), name.replace("_", "-"), f" {name.title()}\n")
    assert [read_status(one, about_return=True) for one in spellings] == [status] * len(spellings)


@pytest.mark.parametrize(("name", "status"), PAGE.items())
def test_of_a_forward_parcel_only_its_turning_round_is_a_return_s_status(name: str, status: Status | None) -> None:
    expected = status if name in ("RTO", "RTO_DELIVERED") else None
    assert read_status(name, about_return=False) is expected


@pytest.mark.parametrize("text", ["", " ", "_", "TELEPORTED", "DELIVERED!", "RETURN", "İ", *NOT_A_STATE])
def test_what_is_in_no_table_is_no_status(text: str) -> None:
    assert read_status(text, about_return=True) is None


def test_every_status_has_a_name_and_no_name_has_two() -> None:
    names = [name for names in RETURN_NAMES.values() for name in names]
    assert set(RETURN_NAMES) == set(Status)
    assert len(names) == len(set(names))
    assert all(read_status(name, about_return=True) is status for status, ns in RETURN_NAMES.items() for name in ns)


@pytest.mark.parametrize(
    ("text", "expected"), [("RTO", True), ("rto delivered", True), ("RTO_X", True), ("RETURN", False), ("", False)]
)
def test_rto_by_its_beginning(text: str, expected: bool) -> None:
    assert is_rto(text) is expected
