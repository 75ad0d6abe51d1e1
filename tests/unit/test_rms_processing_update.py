"""Returns Processing Update bodies: one verdict per piece, or every fault at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.domain.returns import UnitVerdict, Verdict, VerdictReport
from core.errors import BadInput
from rms_bridge.parse import parse_processing_update

FIXTURES = Path(__file__).parents[1] / "fixtures/rms"
FAIL = json.loads((FIXTURES / "returns_processing_update__fail.json").read_text())
MIXED = json.loads((FIXTURES / "returns_processing_update__mixed.json").read_text())
ITEM = FAIL["orderItems"][0]


def with_items(*changes: dict[str, Any]) -> dict[str, Any]:
    return {**FAIL, "orderItems": [{**ITEM, **change} for change in changes]}


def find_faults(body: dict[str, Any]) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        parse_processing_update(body)
    return refusal.value.faults


def test_the_page_s_sample() -> None:
    verdict = UnitVerdict("I10098", "10007345", Verdict.FAIL, "STAIN_DAMAGE", ("https://example.com/qc/1.jpg",))
    assert parse_processing_update(FAIL) == VerdictReport("100078", "108", "Wid234", (verdict,))


def test_passes_and_fails_mix() -> None:
    report = parse_processing_update(MIXED)
    photos = ("https://example.com/qc/1.jpg", "https://example.com/qc/2.jpg")
    assert report.location_code is None
    assert report.verdicts == (
        UnitVerdict("I10098", "10007345", Verdict.PASS, None, ()),
        UnitVerdict("I10099", "10007346", Verdict.FAIL, "DAMAGED", photos),
    )


def test_a_reason_may_be_any_text_of_any_length() -> None:
    assert parse_processing_update(with_items({"qcReason": "é" * 5000})).verdicts[0].reason == "é" * 5000


@pytest.mark.parametrize("value", ["pass", "Fail", "PASSED", "", " PASS"])
def test_the_status_is_pass_or_fail_to_the_letter(value: str) -> None:
    assert find_faults(with_items({"qcStatus": value})) == ["orderItems[0].qcStatus: must be one of PASS, FAIL"]


@pytest.mark.parametrize(
    ("name", "mandatory"),
    [("returnOrderCode", True), ("forwardOrderCode", True), ("locationCode", False), ("orderItems", True)],
)
def test_fields_of_the_body(name: str, mandatory: bool) -> None:
    words = "must be an array" if name == "orderItems" else "must be text"
    assert find_faults({**FAIL, name: 7}) == [f"{name}: {words}"]
    for body in ({**FAIL, name: None}, {key: one for key, one in FAIL.items() if key != name}):
        if mandatory:
            assert find_faults(body) == [f"{name}: required"]
        else:
            assert parse_processing_update(body).verdicts
    if name != "orderItems":
        assert find_faults({**FAIL, name: "x" * 256}) == [f"{name}: longer than 255 characters"]


@pytest.mark.parametrize(
    ("name", "mandatory"),
    [("itemCode", True), ("channelSkuCode", True), ("qcStatus", True), ("qcReason", False), ("imageUrls", False)],
)
def test_fields_of_an_item(name: str, mandatory: bool) -> None:
    words = "must be an array" if name == "imageUrls" else "must be text"
    assert find_faults(with_items({name: 7})) == [f"orderItems[0].{name}: {words}"]
    if mandatory:
        assert find_faults(with_items({name: None})) == [f"orderItems[0].{name}: required"]
    else:
        assert parse_processing_update(with_items({name: None})).verdicts


def test_every_fault_at_once() -> None:
    body = {**with_items({"qcStatus": "OK"}, {"imageUrls": [1, None]}), "returnOrderCode": ""}
    assert find_faults(body) == [
        "returnOrderCode: must not be empty",
        "orderItems[0].qcStatus: must be one of PASS, FAIL",
        "orderItems[1].imageUrls[0]: must be text",
        "orderItems[1].imageUrls[1]: must be text",
        "orderItems[1].qcStatus: contradicts orderItems[0].qcStatus, which has the same itemCode",
    ]
    assert find_faults({**FAIL, "orderItems": []}) == ["orderItems: must not be empty"]


def test_doubles_count_once_with_all_their_photos() -> None:
    body = with_items({"imageUrls": ["a"]}, {"imageUrls": ["b", "a"]}, {"itemCode": "I2"}, {"imageUrls": None})
    assert [(one.item_code, one.image_urls) for one in parse_processing_update(body).verdicts] == [
        ("I10098", ("a", "b")),
        ("I2", tuple(ITEM["imageUrls"])),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("qcStatus", "PASS"), ("qcReason", "NEEDS_IRONING"), ("qcReason", None), ("channelSkuCode", "x")],
)
def test_one_piece_with_two_outcomes_is_refused(name: str, value: str | None) -> None:
    assert find_faults(with_items({}, {"itemCode": "I2"}, {name: value})) == [
        f"orderItems[2].{name}: contradicts orderItems[0].{name}, which has the same itemCode"
    ]
