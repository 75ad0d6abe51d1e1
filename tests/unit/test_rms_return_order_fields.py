"""Every field of Increff's Create Return Order page, one row each: type, when mandatory, how long."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.settings import RmsSettings
from rms_bridge.contract_conditions import COURIER_FIELDS
from rms_bridge.parse import parse_return_order

ROOT = Path(__file__).parents[2]
SAMPLE = json.loads((ROOT / "tests/fixtures/rms/return_order__created.json").read_text())

# Who gives the courier's number, and which aggregator and courier fetch it.
MODES = {
    "partner": RmsSettings(),
    "shiprocket": RmsSettings(awb_source="increff", aggregator="SHIPROCKET"),
    "clickpost": RmsSettings(awb_source="increff", aggregator="CLICKPOST"),
    "none": RmsSettings(awb_source="increff", aggregator="NONE"),
    "courier": RmsSettings(awb_source="increff", courier_fields=list(COURIER_FIELDS)),
}
ALWAYS = frozenset(MODES)
PARTNER = frozenset({"partner"})
FETCH = ALWAYS - PARTNER
CLICKPOST = frozenset({"clickpost"})
COURIER = frozenset({"courier"})
NEVER: frozenset[str] = frozenset()

# path, kind, the modes in which it is mandatory. Inside an address and orderDetails ALWAYS means: once that is given.
ADDRESS = [
    *[(name, "text", ALWAYS) for name in ("name", "line1", "city", "state", "zip", "country", "email", "phone")],
    *[(name, "text", NEVER) for name in ("line2", "line3")],
]
FIELDS: list[tuple[str, str, frozenset[str]]] = [
    ("forwardOrderCode", "code", ALWAYS),
    ("returnOrderCode", "code", ALWAYS),
    ("locationCode", "code", ALWAYS),
    ("returnOrderTime", "time", NEVER),
    ("returnOrderStatus", "text", NEVER),
    ("expectedDate", "time", NEVER),
    ("orderItems", "array", ALWAYS),
    ("orderItems.itemCode", "code", ALWAYS),
    ("orderItems.reason", "text", ALWAYS),
    ("orderItems.channelSkuCode", "code", ALWAYS),
    ("orderItems.name", "text", FETCH),
    ("orderItems.brand", "text", COURIER),
    ("orderItems.color", "text", COURIER),
    ("orderItems.category", "text", COURIER),
    ("orderItems.subCategory", "text", COURIER),
    ("orderItems.serialNumber", "code", COURIER),
    ("orderItems.price", "number", FETCH),
    ("orderItems.finalAmountPaid", "number", FETCH),
    ("orderItems.imageUrl", "text", NEVER),
    ("orderItems.storeCreditsUsed", "number", NEVER),
    ("orderItems.subTaxItemData", "array", COURIER),
    ("orderItems.subTaxItemData.type", "text", COURIER),
    ("orderItems.subTaxItemData.rate", "number", COURIER),
    ("orderItems.subTaxItemData.taxPerUnit", "number", COURIER),
    ("orderItems.subTaxItemData.taxTotal", "number", COURIER),
    ("orderType", "choice", FETCH),
    ("awbNumber", "code", PARTNER),
    ("transporter", "code", PARTNER),
    ("currencyCode", "code", FETCH),
    ("regionType", "choice", FETCH),
    ("sellerGstin", "code", CLICKPOST),
    ("consigneeGstin", "code", COURIER),
    ("returnReason", "text", FETCH),
    ("shipmentDimension", "object", FETCH),
    ("shipmentDimension.breadth", "number", NEVER),
    ("shipmentDimension.height", "number", NEVER),
    ("shipmentDimension.length", "number", NEVER),
    ("shipmentDimension.weight", "number", NEVER),
    ("dropAddress", "object", FETCH),
    *[(f"dropAddress.{name}", kind, modes) for name, kind, modes in ADDRESS],
    ("pickupAddress", "object", FETCH),
    *[(f"pickupAddress.{name}", kind, modes) for name, kind, modes in ADDRESS],
    ("orderDetails", "object", FETCH),
    ("orderDetails.codValue", "number", ALWAYS),
    ("orderDetails.invoiceNumber", "code", CLICKPOST),
    ("orderDetails.invoiceTime", "time", CLICKPOST),
    ("orderDetails.invoiceValue", "number", ALWAYS),
    ("orderDetails.isCod", "boolean", ALWAYS),
    ("orderDetails.forwardShipmentNumber", "code", NEVER),
]
WRONG: dict[str, tuple[str, list[Any]]] = {
    "code": ("must be text", [7, 7.5, True, [], {}]),
    "text": ("must be text", [7, 7.5, False, ["x"], {}]),
    "choice": ("must be text", [7, True, [], {}]),
    "number": ("must be a number", ["7", "", True, False, [], {}]),
    "boolean": ("must be true or false", ["true", 1, 0, 1.0, [], {}]),
    "time": ("not a time", ["yesterday", "", True, [], {}, "2020-13-16T20:22:28+05:30", 1e300, 10**400]),
    "object": ("must be an object", ["x", 7, True, []]),
    "array": ("must be an array", ["x", 7, True, {}]),
}
NAMES = [path for path, _, _ in FIELDS]


def on_the_wire(path: str) -> str:
    """`orderItems.brand` as the sample body has it: `orderItems[0].brand`."""
    return re.sub(r"(orderItems|subTaxItemData)\.", r"\1[0].", path)


def change(path: str, value: Any, body: dict[str, Any] = SAMPLE) -> dict[str, Any]:
    """A copy of the body with another value at the path; `...` takes the field away."""
    body = copy.deepcopy(body)
    part: Any = body
    *above, last = path.split(".")
    for name in above:
        part = part[name][0] if isinstance(part[name], list) else part[name]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return body


def find_faults(body: dict[str, Any], rms: RmsSettings) -> list[str]:
    try:
        parse_return_order(body, rms)
    except BadInput as refusal:
        return refusal.faults
    return []


def list_paths(value: Any, at: str = "") -> set[str]:
    if isinstance(value, list):
        return {path for one in value for path in list_paths(one, at)}
    if not isinstance(value, dict):
        return {at}
    inside = {path for name, one in value.items() for path in list_paths(one, f"{at}.{name}" if at else name)}
    return inside | ({at} if at else set()) | {path.rpartition(".")[0] for path in inside if "." in path}


def test_the_table_has_every_field_of_the_page_s_sample() -> None:
    assert set(NAMES) == list_paths(SAMPLE)
    assert len(NAMES) == len(set(NAMES)) == 67


@pytest.mark.parametrize("mode", MODES)
def test_the_page_s_sample_is_accepted_in_every_mode(mode: str) -> None:
    assert find_faults(SAMPLE, MODES[mode]) == []


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for path, kind, _ in FIELDS])
def test_a_wrong_type_is_the_only_fault(path: str, kind: str) -> None:
    words, values = WRONG[kind]
    for value in values:
        for rms in MODES.values():
            assert find_faults(change(path, value), rms) == [f"{on_the_wire(path)}: {words}"], value


@pytest.mark.parametrize(("path", "modes"), [(path, modes) for path, _, modes in FIELDS])
def test_absent_and_null_are_faults_exactly_where_the_field_is_mandatory(path: str, modes: frozenset[str]) -> None:
    for mode, rms in MODES.items():
        expected = [f"{on_the_wire(path)}: required"] if mode in modes else []
        assert find_faults(change(path, ...), rms) == expected, mode
        assert find_faults(change(path, None), rms) == expected, mode


@pytest.mark.parametrize(("path", "modes"), [(path, modes) for path, kind, modes in FIELDS if kind in ("code", "text")])
def test_blank_text_is_no_value_where_the_field_is_mandatory(path: str, modes: frozenset[str]) -> None:
    for mode, rms in MODES.items():
        expected = [f"{on_the_wire(path)}: must not be empty"] if mode in modes else []
        assert find_faults(change(path, ""), rms) == expected, mode
        assert find_faults(change(path, " \t"), rms) == expected, mode


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for path, kind, _ in FIELDS if kind in ("code", "text")])
def test_codes_have_255_characters_and_other_text_any_number(path: str, kind: str) -> None:
    too_long = [f"{on_the_wire(path)}: longer than 255 characters"] if kind == "code" else []
    for rms in MODES.values():
        assert find_faults(change(path, "é" * 255), rms) == []
        assert find_faults(change(path, "é" * 256), rms) == too_long


@pytest.mark.parametrize("path", [path for path, kind, _ in FIELDS if kind == "number"])
def test_a_number_may_be_whole_or_not_and_must_be_finite(path: str) -> None:
    for number in (1, 0.5, 10**17 + 1):
        assert find_faults(change(path, number), MODES["courier"]) == []
    for number in (float("nan"), float("inf"), 10**400):
        assert find_faults(change(path, number), MODES["courier"]) == [f"{on_the_wire(path)}: number too large"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("orderType", ["SELF_SHIP", "CUSTOMER_RETURN", "RETURN_TO_ORIGIN"]), ("regionType", ["INDIAN", "INTERNATIONAL"])],
)
def test_a_choice_takes_its_values_and_no_other(path: str, allowed: list[str]) -> None:
    for value in allowed:
        assert find_faults(change(path, value), MODES["partner"]) == []
    for value in ("", "OTHER", allowed[0].lower(), f"{allowed[0]} "):
        assert find_faults(change(path, value), MODES["partner"]) == [f"{path}: must be one of {', '.join(allowed)}"]


@pytest.mark.parametrize("path", COURIER_FIELDS)
def test_a_courier_field_is_asked_for_alone_by_path_or_last_name(path: str) -> None:
    for name in (path, path.rpartition(".")[2]):
        rms = RmsSettings(awb_source="increff", courier_fields=[name])
        for other in COURIER_FIELDS:
            expected = [f"{on_the_wire(path)}: required"] if other == path else []
            if path.startswith(f"{other}."):  # nothing can be in what is not there
                expected = [f"{on_the_wire(other)}: required"]
            assert find_faults(change(other, ...), rms) == expected
        assert find_faults(change(path, ...), RmsSettings(courier_fields=[name])) == []


def test_only_a_whole_name_asks_for_a_courier_field() -> None:
    rms = RmsSettings(
        awb_source="increff", courier_fields=["rand", "Gstin", "Items.brand", "BRAND", "imageUrl", "name"]
    )
    for path in COURIER_FIELDS:
        assert find_faults(change(path, None), rms) == []


def test_the_courier_fields_are_those_of_the_table() -> None:
    assert set(COURIER_FIELDS) == {path for path, _, modes in FIELDS if modes == COURIER}


RULES = {ALWAYS: "always", PARTNER: "partner", FETCH: "fetch", CLICKPOST: "Clickpost", COURIER: "courier", NEVER: "no"}


def word_rule(path: str, modes: frozenset[str]) -> str:
    """The documented table's word for when a field is mandatory."""
    inside = modes == ALWAYS and path.startswith(("dropAddress.", "pickupAddress.", "orderDetails."))
    return "inside" if inside else RULES[modes]


def test_the_documented_table_names_every_field_with_its_rule() -> None:
    page = (ROOT / "docs/create-return-order.md").read_text()
    rows = re.findall(r"^\| `([A-Za-z0-9.]+)` \| (\w+) \| (\w+) \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(
        (path, "text" if kind == "choice" else kind, word_rule(path, modes)) for path, kind, modes in FIELDS
    )
