"""Push Notifications: return or forward parcel, pieces, times and places."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.domain.returns import ReturnReport, ReturnType, ReturnUnit
from core.domain.statuses import Status
from core.errors import BadInput
from core.settings import RmsSettings
from rms_bridge.parse import ForwardTracking, parse_notification

FIXTURES = Path(__file__).parents[1] / "fixtures/rms"
PICKED_UP = json.loads((FIXTURES / "notification__return_picked_up.json").read_text())
FORWARD = json.loads((FIXTURES / "notification__forward_delivered.json").read_text())
RTO = json.loads((FIXTURES / "notification__rto_without_code.json").read_text())
RMS = RmsSettings(warehouses={"WH1": "Wid234"}, default_return_reason="Returned")
HEARD = datetime(2023, 3, 16, 6, 57, 24, tzinfo=UTC)


def parse_return(body: dict[str, Any]) -> ReturnReport:
    report = parse_notification(body, RMS)
    assert isinstance(report, ReturnReport)
    return report


def with_info(**changes: Any) -> dict[str, Any]:
    return {**PICKED_UP, "returnOrderInfo": {**PICKED_UP["returnOrderInfo"], **changes}}


def with_items(*items: Any, name: str = "items") -> dict[str, Any]:
    return {**PICKED_UP, "items": None, name: list(items)}


def find_faults(body: dict[str, Any]) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        parse_notification(body, RMS)
    return refusal.value.faults


def test_the_page_s_return_sample() -> None:
    assert parse_notification(PICKED_UP, RMS) == ReturnReport(
        code="100078",
        forward_code="108",
        full=False,
        type=ReturnType.CUSTOMER_RETURN,
        status_text="PICKED_UP",
        status=Status.PICKED_UP,
        status_at=None,
        location_code=None,
        warehouse_code=None,
        awb="HYN402",
        transporter="transporter",
        ordered_at=datetime(2020, 10, 16, 14, 52, 28, tzinfo=UTC),
        units=(ReturnUnit("I10098", "10007345", "Returned"),),
    )


def test_an_rto_without_a_code() -> None:
    assert parse_notification(RTO, RMS) == ReturnReport(
        code="",
        forward_code="108",
        full=False,
        type=ReturnType.RETURN_TO_ORIGIN,
        status_text="RTO",
        status=Status.RTO,
        status_at=HEARD,
        location_code="Wid234",
        warehouse_code="WH1",
        awb=None,
        transporter="Delhivery",
        ordered_at=None,
        units=(
            ReturnUnit("L1-1", "10007345", "Returned"),
            ReturnUnit("L1-2", "10007345", "Returned"),
            ReturnUnit("10007346", "10007346", "Returned"),
        ),
    )


def test_a_forward_parcel() -> None:
    assert parse_notification(FORWARD, RMS) == ForwardTracking("108", "DELIVERED", HEARD)


@pytest.mark.parametrize("kind", ["DELIVERED", "PICKED_UP", "RETURN_PICKED_UP", "anything"])
def test_the_return_info_decides_and_never_the_name(kind: str) -> None:
    assert isinstance(parse_notification({**PICKED_UP, "notificationType": kind}, RMS), ReturnReport)
    assert isinstance(parse_notification(with_info() | {"returnOrderInfo": {}}, RMS), ReturnReport)
    for body in (
        {**PICKED_UP, "notificationType": kind, "returnOrderInfo": None},
        {**FORWARD, "notificationType": kind},
    ):
        assert parse_notification(body, RMS) == ForwardTracking("108", kind, HEARD if body["items"] is None else None)


@pytest.mark.parametrize("kind", ["RTO", "RTO_DELIVERED", "rto initiated", "RTO-IN-TRANSIT", "RTO_NEWS"])
def test_every_rto_name_is_a_return_to_origin(kind: str) -> None:
    assert parse_return({**PICKED_UP, "notificationType": kind}).type is ReturnType.RETURN_TO_ORIGIN


def test_an_unknown_status_is_kept_as_text() -> None:
    report = parse_return({**PICKED_UP, "notificationType": " Teleported "})
    assert (report.status_text, report.status) == (" Teleported ", None)


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (1678949844, HEARD),
        (1678949844000, HEARD),
        ("1678949844", HEARD),
        ("2023-03-16T06:57:24Z", HEARD),
        ("2023-03-16T12:27:24.000+05:30", HEARD),
        ("2023-03-16T06:57:24Z[UTC]", HEARD),
        ("1678949844.000000000", HEARD),
        (None, None),
    ],
)
def test_every_time_format(sent: object, moment: datetime | None) -> None:
    report = parse_return({**with_info(returnOrderTime=sent), "notificationUpdateTime": sent})
    assert (report.status_at, report.ordered_at) == (moment, moment)


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_blank_is_none(empty: str | None) -> None:
    report = parse_return(
        {**with_info(returnOrderId=empty, returnAwb=empty, transporter=empty), "warehouseCode": empty}
    )
    assert (report.code, report.awb, report.transporter) == ("", None, "SELF")
    assert (report.warehouse_code, report.location_code) == (None, None)
    assert parse_return({**with_info(transporter=empty), "courierName": empty}).transporter is None


def test_an_unmapped_warehouse_is_kept_without_a_location() -> None:
    report = parse_return({**PICKED_UP, "warehouseCode": "WH9"})
    assert (report.warehouse_code, report.location_code) == ("WH9", None)


@pytest.mark.parametrize("name", ["items", "lineItems"])
def test_pieces(name: str) -> None:
    items = [{"itemId": "A", "sku": "s", "quantity": 3}, {"sku": "t"}, {"itemId": " ", "sku": "u", "quantity": None}]
    units = parse_return(with_items(*items, name=name)).units
    assert [(unit.item_code, unit.sku) for unit in units] == [
        ("A-1", "s"),
        ("A-2", "s"),
        ("A-3", "s"),
        ("t", "t"),
        ("u", "u"),
    ]


def test_items_come_before_line_items_and_neither_is_needed() -> None:
    both = {**PICKED_UP, "lineItems": [{"sku": "other"}]}
    assert parse_return(both).units == parse_return(PICKED_UP).units
    assert parse_return({**both, "items": []}).units == (ReturnUnit("other", "other", "Returned"),)
    assert parse_return({**PICKED_UP, "items": None}).units == ()


def test_elements_with_one_id_and_sku_add_up() -> None:
    units = parse_return(with_items({"sku": "s"}, {"sku": "t"}, {"sku": "s"})).units
    assert [unit.item_code for unit in units] == ["s-1", "s-2", "t"]


def test_two_pieces_never_share_a_code() -> None:
    assert find_faults(with_items({"itemId": "A", "sku": "s"}, {"itemId": "A", "sku": "t"})) == [
        "items: 2 pieces would go by the code A"
    ]
    assert find_faults(with_items({"itemId": "A-1", "sku": "s"}, {"itemId": "A", "sku": "t", "quantity": 2})) == [
        "items: 2 pieces would go by the code A-1"
    ]


def test_pieces_are_bounded() -> None:
    assert len(parse_return(with_items(*[{"sku": str(n), "quantity": 1000} for n in range(10)])).units) == 10_000
    assert find_faults(with_items(*[{"sku": str(n), "quantity": 1000} for n in range(11)])) == [
        "items: more than 10000 pieces"
    ]
    assert find_faults(with_items({"sku": "x" * 255, "quantity": 2})) == [
        "items: a piece's code would be longer than 255 characters"
    ]
    assert len(parse_return(with_items({"sku": "x" * 255})).units) == 1


@pytest.mark.parametrize("quantity", [0, -1, 1001, 10**400])
def test_a_quantity_is_from_1_to_1000(quantity: int) -> None:
    for name in ("items", "lineItems"):
        body = with_items({"sku": "s", "quantity": quantity}, name=name)
        assert find_faults(body) == [f"{name}[0].quantity: must be from 1 to 1000"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("forwardOrderCode", "must be text"),
        ("forwardShipmentCode", "must be text"),
        ("forwardAwb", "must be text"),
        ("courierName", "must be text"),
        ("notificationType", "must be text"),
        ("notificationUpdateTime", "not a time"),
        ("returnOrderInfo", "must be an object"),
        ("returnOrderInfo.returnOrderId", "must be text"),
        ("returnOrderInfo.returnAwb", "must be text"),
        ("returnOrderInfo.transporter", "must be text"),
        ("returnOrderInfo.returnOrderTime", "not a time"),
        ("logisticAggregatorInfo", "must be an object"),
        ("logisticAggregatorInfo.logisticAggregatorName", "must be text"),
        ("logisticAggregatorInfo.logisticAggregatorMetaData", "must be an object"),
        ("warehouseCode", "must be text"),
        ("items", "must be an array"),
        ("lineItems", "must be an array"),
    ],
)
def test_a_wrong_type_is_the_only_fault(path: str, words: str) -> None:
    above, _, last = path.rpartition(".")
    body = {**PICKED_UP, above: {**PICKED_UP[above], last: True}} if above else {**PICKED_UP, last: True}
    assert find_faults(body) == [f"{path}: {words}"]


@pytest.mark.parametrize("name", ["itemId", "sku", "quantity"])
def test_a_wrong_type_in_an_item_is_the_only_fault(name: str) -> None:
    words = "must be a whole number" if name == "quantity" else "must be text"
    assert find_faults(with_items({"itemId": "A", "sku": "s", name: True})) == [f"items[0].{name}: {words}"]


def test_every_fault_at_once() -> None:
    body = {"notificationType": " ", "returnOrderInfo": {"returnAwb": "x" * 256}, "items": [{"quantity": 1.5}, None]}
    assert find_faults(body) == [
        "forwardOrderCode: required",
        "notificationType: must not be empty",
        "returnOrderInfo.returnAwb: longer than 255 characters",
        "items[0].quantity: must be a whole number",
        "items[1]: must be an object",
        "items[0].sku: required",
    ]


def test_the_aggregator_may_be_absent_and_a_forward_item_needs_no_sku() -> None:
    assert parse_return({**PICKED_UP, "logisticAggregatorInfo": None}).code == "100078"
    assert isinstance(parse_notification({**FORWARD, "items": [{"itemId": "A"}]}, RMS), ForwardTracking)
    for sku in (None, "", " "):
        (fault,) = find_faults(with_items({"itemId": "A", "sku": sku}))
        assert fault.startswith("items[0].sku: ")
