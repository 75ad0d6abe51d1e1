"""Create Return Order bodies: what they become, and rules that concern more than one field."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.domain.returns import ReturnReport, ReturnType, ReturnUnit
from core.domain.statuses import Status
from core.errors import BadInput
from core.settings import RmsSettings
from rms_bridge.contract import CreateReturnOrder
from rms_bridge.parse import parse_return_order, read_known_facts

FIXTURES = Path(__file__).parents[1] / "fixtures/rms"
SAMPLE = json.loads((FIXTURES / "return_order__created.json").read_text())
SMALLEST = json.loads((FIXTURES / "return_order__smallest.json").read_text())
PARTNER = RmsSettings()
INCREFF = RmsSettings(awb_source="increff", aggregator="CLICKPOST")


def find_faults(body: dict[str, Any], rms: RmsSettings = PARTNER) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        parse_return_order(body, rms)
    return refusal.value.faults


def test_the_page_s_sample() -> None:
    assert parse_return_order(SAMPLE, PARTNER) == ReturnReport(
        code="100078",
        forward_code="108",
        full=True,
        type=ReturnType.CUSTOMER_RETURN,
        status_text="RETURN_CREATED",
        status=Status.REQUESTED,
        status_at=None,
        location_code="Wid234",
        warehouse_code=None,
        awb="HYN402",
        transporter="transporter",
        ordered_at=datetime(2020, 10, 16, 14, 52, 28, tzinfo=UTC),
        units=(ReturnUnit("I10098", "10007345", "Different Size"),),
    )


def test_the_smallest_body_takes_the_defaults() -> None:
    report = parse_return_order(SMALLEST, PARTNER)
    assert report.type is ReturnType.CUSTOMER_RETURN
    assert (report.status_text, report.status, report.ordered_at) == (None, Status.REQUESTED, None)
    assert report.units == (ReturnUnit("I1", "10007345", "Too small"), ReturnUnit("I2", "10007345", "Too small"))


@pytest.mark.parametrize(
    ("text", "status"),
    [("in transit", Status.IN_TRANSIT), ("PICKED_UP", Status.PICKED_UP), ("Packed ", None), ("", None)],
)
def test_the_status_is_kept_verbatim_and_read_when_known(text: str, status: Status | None) -> None:
    report = parse_return_order({**SMALLEST, "returnOrderStatus": text}, PARTNER)
    assert (report.status_text, report.status) == (text, status)


@pytest.mark.parametrize("kind", ReturnType)
def test_the_type_is_taken_over(kind: ReturnType) -> None:
    assert parse_return_order({**SMALLEST, "orderType": kind.value}, PARTNER).type is kind


def test_codes_stay_as_they_came_and_a_blank_awb_is_none() -> None:
    report = parse_return_order({**SAMPLE, "returnOrderCode": " #1 ", "awbNumber": " ", "transporter": ""}, INCREFF)
    assert (report.code, report.awb, report.transporter) == (" #1 ", None, None)


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2020-10-16T20:22:28.000+05:30", datetime(2020, 10, 16, 14, 52, 28, tzinfo=UTC)),
        ("2022-05-03T12:00:00.000+00:00", datetime(2022, 5, 3, 12, tzinfo=UTC)),
        ("2024-02-13T09:45:00Z", datetime(2024, 2, 13, 9, 45, tzinfo=UTC)),
        ("2024-04-03T15:12:10.719+05:30", datetime(2024, 4, 3, 9, 42, 10, 719000, tzinfo=UTC)),
        ("2020-10-16T20:22:28Z[UTC]", datetime(2020, 10, 16, 20, 22, 28, tzinfo=UTC)),
        (1678949844, datetime(2023, 3, 16, 6, 57, 24, tzinfo=UTC)),
        ("1678949844", datetime(2023, 3, 16, 6, 57, 24, tzinfo=UTC)),
        (1678949844.5, datetime(2023, 3, 16, 6, 57, 24, 500000, tzinfo=UTC)),
        ("1724311208.000000000", datetime(2024, 8, 22, 7, 20, 8, tzinfo=UTC)),
        (1678949844123, datetime(2023, 3, 16, 6, 57, 24, 123000, tzinfo=UTC)),
    ],
)
def test_every_time_format_in_every_time_field(sent: object, moment: datetime) -> None:
    details = {**SAMPLE["orderDetails"], "invoiceTime": sent}
    body = {**SAMPLE, "returnOrderTime": sent, "expectedDate": sent, "orderDetails": details}
    assert parse_return_order(body, INCREFF).ordered_at == moment
    order = CreateReturnOrder.model_validate(body)
    assert order.order_details is not None
    assert order.expected_date == order.order_details.invoice_time == moment


def test_a_time_without_its_offset_is_refused() -> None:
    body = {**SAMPLE, "returnOrderTime": "2020-10-16T20:22:28", "expectedDate": "16/10/2020"}
    assert find_faults(body) == [
        "returnOrderTime: a time needs its offset from UTC, e.g. +05:30",
        "expectedDate: not a time",
    ]


def test_every_fault_is_named_at_once_types_and_conditions_together() -> None:
    body = copy.deepcopy(SAMPLE)
    body["orderItems"].append({"itemCode": "I10098", "reason": 7, "price": "100"})
    body["orderItems"].append("x")
    body["orderDetails"].update(isCod=True, codValue=0, invoiceNumber=None)
    body["dropAddress"] = {"line1": "1 Road"}
    body.update(forwardOrderCode=108, regionType="MARS", currencyCode=None, sellerGstin=" ", expectedDate="soon")
    del body["returnOrderCode"]
    faults = find_faults(body, INCREFF)
    assert faults == [
        "forwardOrderCode: must be text",
        "returnOrderCode: required",
        "expectedDate: not a time",
        "orderItems[1].reason: must be text",
        "orderItems[1].channelSkuCode: required",
        "orderItems[1].price: must be a number",
        "orderItems[2]: must be an object",
        "regionType: must be one of INDIAN, INTERNATIONAL",
        *[f"dropAddress.{name}: required" for name in ("name", "city", "state", "zip", "country", "email", "phone")],
        "currencyCode: required",
        "orderItems[1].name: required",
        "orderItems[1].finalAmountPaid: required",
        "sellerGstin: must not be empty",
        "orderDetails.invoiceNumber: required",
        "orderItems[1].itemCode: the same as orderItems[0].itemCode",
        "orderDetails.codValue: must be more than 0 when isCod is true",
    ]
    assert find_faults(body, INCREFF) == faults


def test_an_empty_body_names_what_is_mandatory() -> None:
    always = [f"{name}: required" for name in ("forwardOrderCode", "returnOrderCode", "locationCode", "orderItems")]
    assert find_faults({}) == [*always, "awbNumber: required", "transporter: required"]
    assert len(find_faults({}, INCREFF)) == len(always) + 9


def test_nothing_is_said_about_the_inside_of_what_is_wrong_itself() -> None:
    assert find_faults({**SAMPLE, "orderItems": {"itemCode": "I1"}}, INCREFF) == ["orderItems: must be an array"]
    assert find_faults({**SAMPLE, "orderItems": []}, INCREFF) == ["orderItems: must not be empty"]


@pytest.mark.parametrize(
    ("details", "fine"),
    [
        ({"isCod": True, "codValue": 0.01}, True),
        ({"isCod": True, "codValue": 0}, False),
        ({"isCod": True, "codValue": -1.0}, False),
        ({"isCod": False, "codValue": 0}, True),
        ({"isCod": False, "codValue": 5}, True),
    ],
)
def test_cash_on_delivery_collects_something(details: dict[str, Any], fine: bool) -> None:
    body = {**SAMPLE, "orderDetails": {**SAMPLE["orderDetails"], **details}}
    if fine:
        parse_return_order(body, PARTNER)
    else:
        assert find_faults(body) == ["orderDetails.codValue: must be more than 0 when isCod is true"]


def test_one_code_on_three_items_names_the_second_and_the_third() -> None:
    items = [{**SAMPLE["orderItems"][0], "itemCode": code} for code in ("A", "B", "A", "a", "A")]
    assert find_faults({**SAMPLE, "orderItems": items}) == [
        "orderItems[2].itemCode: the same as orderItems[0].itemCode",
        "orderItems[4].itemCode: the same as orderItems[0].itemCode",
    ]


def test_the_aggregator_is_the_setting_s_whatever_the_body_says() -> None:
    body = {**SAMPLE, "sellerGstin": None, "logisticAggregatorType": "SHIPROCKET"}
    assert find_faults(body, INCREFF) == ["sellerGstin: required"]
    body["logisticAggregatorType"] = 7
    parse_return_order(body, RmsSettings(awb_source="increff"))


def test_a_mandatory_array_of_taxes_is_not_empty() -> None:
    rms = RmsSettings(awb_source="increff", courier_fields=["orderItems.subTaxItemData"])
    body = {**SAMPLE, "orderItems": [{**SAMPLE["orderItems"][0], "subTaxItemData": []}]}
    assert find_faults(body, rms) == ["orderItems[0].subTaxItemData: must not be empty"]
    assert parse_return_order(body, PARTNER).units


def test_arrays_are_bounded() -> None:
    item = SMALLEST["orderItems"][0]
    (fault,) = find_faults({**SMALLEST, "orderItems": [item] * 10_001})
    assert fault.startswith("orderItems: ")
    (fault,) = find_faults({**SMALLEST, "orderItems": [{**item, "subTaxItemData": [{}] * 101}]})
    assert fault.startswith("orderItems[0].subTaxItemData: ")
    items = [{"subTaxItemData": [1] * 100}] * 200
    assert find_faults({**SMALLEST, "orderItems": items}) == ["body: more than 10000 faults"]


def test_parcel_sizes_have_defaults_which_are_not_written_into_the_facts() -> None:
    body = {**SAMPLE, "shipmentDimension": {"height": 3}}
    dimension = CreateReturnOrder.model_validate(body).shipment_dimension
    assert dimension is not None
    assert (dimension.breadth, dimension.height, dimension.length, dimension.weight) == (1, 3, 1, 200)
    assert read_known_facts(body)["shipmentDimension"] == {"height": 3}


def test_the_facts_of_the_sample_are_the_sample_with_its_times_in_utc() -> None:
    expected = copy.deepcopy(SAMPLE)
    expected["returnOrderTime"] = expected["expectedDate"] = "2020-10-16T14:52:28.000+00:00"
    expected["orderDetails"]["invoiceTime"] = "2020-10-16T14:52:28.000+00:00"
    noisy = {**copy.deepcopy(SAMPLE), "extra": [1], "forward_order_code": "9"}
    noisy["orderItems"][0].update(extra=1, brand=None)
    del expected["orderItems"][0]["brand"]
    assert read_known_facts(noisy) == expected


def test_facts_of_a_broken_body_are_refused() -> None:
    with pytest.raises(BadInput):
        read_known_facts({**SAMPLE, "locationCode": 7})
