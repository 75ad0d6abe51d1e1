"""Whatever a partner sends, reading it ends in a value or in BadInput."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.statuses import Status
from core.errors import BadInput
from rms_bridge.contract import MAX_CODE, MAX_UNITS
from rms_bridge.partners import clickpost, shiprocket
from rms_bridge.partners.contract import MAX_PHRASE, Tracking
from rms_bridge.partners.handlers import Parse

PARSERS = [clickpost.parse_tracking, shiprocket.parse_tracking]
FIELDS = [
    *("waybill", "clickpost_status_code", "clickpost_status_description", "notification_event_id", "additional"),
    *("payload", "latest_status", "is_rvp", "order_id", "reference_number", "forward_order_id", "item_info", "sku"),
    *("return_reference_number", "quantity", "return_reason", "awb", "courier_name", "current_status", "is_return"),
    *("current_status_id", "shipment_status", "shipment_status_id", "sr_order_id", "scans", "sr-status", "date"),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-5, 110),
    st.floats(),
    st.text(max_size=300),
    st.sampled_from(["", "NA", "4", "1004", "1", "true", "RETURN PICKED UP", "RTO", "9" * 400, "²"]),
)


def _nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=8)
    )


BODIES = st.dictionaries(st.sampled_from(FIELDS), st.recursive(LEAVES, _nest, max_leaves=25), max_size=12)


@pytest.mark.parametrize("parse", PARSERS)
@given(body=BODIES)
def test_any_body_can_be_read_or_is_refused(parse: Parse, body: dict[str, Any]) -> None:
    with contextlib.suppress(BadInput):
        told = parse(body, "No reason")
        if isinstance(told, Tracking):
            check_bounds(told)


def check_bounds(told: Tracking) -> None:
    """What goes on fits its columns, and no unknown code is a status."""
    report = told.report
    assert report.status is None or isinstance(report.status, Status)
    assert report.status is None or told.reading.known
    assert report.status_at is None
    codes = [report.code, report.forward_code, report.awb, report.transporter, *told.names]
    assert all(len(code) <= MAX_CODE for code in codes if code)
    assert report.status_text
    assert len(report.status_text) <= MAX_PHRASE + 40
    assert report.status_text.isprintable()
    assert len({unit.item_code for unit in report.units}) == len(report.units) <= MAX_UNITS


@pytest.mark.parametrize("parse", PARSERS)
@given(code=st.integers(105, 1000) | st.integers(1005, 10**6))
def test_a_number_in_no_table_never_is_a_status(parse: Parse, code: int) -> None:
    named = {"clickpost_status_code": code, "current_status_id": code, "shipment_status_id": code}
    told = parse({**named, "is_return": 1, "additional": {"is_rvp": True}}, "No reason")
    assert isinstance(told, Tracking)
    assert told.report.status is None
    assert not told.reading.known
