"""Laws of reading RMS: whatever arrives is understood or refused by name, and nothing known is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import render_time
from core.errors import BadInput
from core.settings import RmsSettings
from rms_bridge.contract import CreateReturnOrder, ReturnNotification, ReturnsProcessingUpdate
from rms_bridge.parse import parse_notification, parse_processing_update, parse_return_order, read_known_facts

FIXTURES = Path(__file__).parents[1] / "fixtures/rms"
BODIES = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json"))]
MODELS = (CreateReturnOrder, ReturnNotification, ReturnsProcessingUpdate)


def list_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for one in schema.values():
            yield from list_names(one)


NAMES = sorted({name for model in MODELS for name in list_names(model.model_json_schema())})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["PASS", "RTO", "2020-10-16T20:22:28Z", "\ud800", "\x00", "9" * 14, "x" * 256])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4),
    max_leaves=25,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=8)
RMS = st.builds(
    RmsSettings,
    awb_source=st.sampled_from(["partner", "increff"]),
    aggregator=st.sampled_from(["CLICKPOST", "SHIPROCKET", "NONE"]),
    courier_fields=st.lists(st.sampled_from(["brand", "orderItems.subTaxItemData", "rate", "nothing"]), max_size=3),
)


@st.composite
def bent_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A good body with a few places overwritten by anything."""
    body: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 4))):
        part: Any = body
        while True:
            key = draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
            if not (isinstance(part[key], dict | list) and part[key] and draw(st.booleans())):
                break
            part = part[key]
        part[key] = draw(JSON)
    return body


def find_faults(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except BadInput as refusal:
        return refusal.faults or ["refused without a word"]
    return []


def read_all(body: dict[str, Any], rms: RmsSettings) -> None:
    """Each reader understands the body or refuses it with named faults, and leaves it as it was."""
    before = copy.deepcopy(body)
    readers = (
        lambda: parse_return_order(body, rms),
        lambda: parse_notification(body, rms),
        lambda: parse_processing_update(body),
        lambda: read_known_facts(body),
    )
    for read in readers:
        faults = find_faults(read)
        assert len(set(faults)) == len(faults)
        assert all(": " in fault for fault in faults)
    assert repr(body) == repr(before)


@given(OBJECTS, RMS)
@settings(deadline=None, max_examples=60)
def test_any_object_is_understood_or_refused(body: dict[str, Any], rms: RmsSettings) -> None:
    read_all(body, rms)


@given(bent_bodies(), RMS)
@settings(deadline=None, max_examples=200)
def test_any_bent_body_is_understood_or_refused(body: dict[str, Any], rms: RmsSettings) -> None:
    read_all(body, rms)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=10)
CODE = TEXT.filter(lambda text: bool(text.strip()))
NUMBER = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENT = st.builds(
    lambda milliseconds, zone: datetime.fromtimestamp(0, zone) + timedelta(milliseconds=milliseconds),
    st.integers(10**11, 4 * 10**12),
    ZONES,
)


def optional(**fields: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: st.none() | strategy for name, strategy in fields.items()}


def texts(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return optional(**dict.fromkeys(names, TEXT))


def numbers(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return optional(**dict.fromkeys(names, NUMBER))


def codes(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, CODE)


def part(mandatory: dict[str, Any], more: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of its optional fields (null sometimes) and sometimes a field nobody knows."""
    return st.fixed_dictionaries(mandatory, optional={**more, "somethingNew": TEXT})


TAX = part({}, texts("type") | numbers("rate", "taxPerUnit", "taxTotal"))
ITEM = part(
    codes("itemCode", "reason", "channelSkuCode"),
    texts("name", "brand", "color", "category", "subCategory", "serialNumber", "imageUrl")
    | numbers("price", "finalAmountPaid", "storeCreditsUsed")
    | optional(subTaxItemData=st.lists(TAX, max_size=2)),
)
PLACE = part(codes("name", "line1", "city", "state", "zip", "country", "email", "phone"), texts("line2", "line3"))
DETAILS = part(
    {"codValue": st.integers(1, 9), "invoiceValue": NUMBER, "isCod": st.booleans()},
    texts("invoiceNumber", "forwardShipmentNumber") | optional(invoiceTime=MOMENT),
)
MANDATORY = codes("forwardOrderCode", "returnOrderCode", "locationCode", "awbNumber", "transporter")
FULL = part(
    {**MANDATORY, "orderItems": st.lists(ITEM, min_size=1, max_size=3, unique_by=lambda item: item["itemCode"])},
    texts("returnOrderStatus", "currencyCode", "sellerGstin", "consigneeGstin", "returnReason")
    | optional(
        returnOrderTime=MOMENT,
        expectedDate=MOMENT,
        orderType=st.sampled_from(["SELF_SHIP", "CUSTOMER_RETURN", "RETURN_TO_ORIGIN"]),
        regionType=st.sampled_from(["INDIAN", "INTERNATIONAL"]),
        shipmentDimension=part({}, numbers("breadth", "height", "length", "weight")),
        dropAddress=PLACE,
        pickupAddress=PLACE,
        orderDetails=DETAILS,
    ),
)


def expect(value: Any) -> Any:
    """What must remain of a value: all but nulls and unknown fields, moments in the one form we send."""
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if one is not None and name != "somethingNew"}
        return {name: expect(one) for name, one in kept.items()}
    if isinstance(value, list):
        return [expect(one) for one in value]
    return render_time(value) if isinstance(value, datetime) else value


def write(value: Any) -> Any:
    """The value as a sender writes it, moments in their own zone."""
    return json.loads(json.dumps(value, default=datetime.isoformat))


@given(FULL)
@settings(deadline=None)
def test_known_facts_lose_nothing(order: dict[str, Any]) -> None:
    body = write(order)
    facts = read_known_facts(body)
    assert repr(facts) == repr(expect_in_order(facts, expect(order)))  # repr: 1 and 1.0 differ
    assert read_known_facts(facts) == facts
    assert parse_return_order(facts, RmsSettings()) == parse_return_order(body, RmsSettings())


def expect_in_order(facts: Any, expected: Any) -> Any:
    """The expected value with its keys in the order of the facts, so that both can be compared as text."""
    if isinstance(expected, dict):
        assert set(facts) == set(expected)
        return {name: expect_in_order(facts[name], expected[name]) for name in facts}
    if isinstance(expected, list):
        assert len(facts) == len(expected)
        return [expect_in_order(one, other) for one, other in zip(facts, expected, strict=True)]
    return expected


@given(FULL)
@settings(deadline=None)
def test_a_return_order_keeps_its_codes_and_pieces(order: dict[str, Any]) -> None:
    report = parse_return_order(write(order), RmsSettings())
    assert (report.code, report.forward_code) == (order["returnOrderCode"], order["forwardOrderCode"])
    assert (report.awb, report.transporter) == (order["awbNumber"], order["transporter"])
    placed = order.get("returnOrderTime")
    assert report.ordered_at == (placed.astimezone(UTC) if placed else None)
    pieces = [(unit.item_code, unit.sku, unit.reason) for unit in report.units]
    assert pieces == [(one["itemCode"], one["channelSkuCode"], one["reason"]) for one in order["orderItems"]]
