"""Hostile bodies at the partners' doors: never a fault of ours, neither at the door nor while thinking."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.stage import Stage
from tests.flows.test_partners_hooks import call, make_key, partners, push_return
from tests.unit.test_partners_properties import BODIES

RAW = (
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | BODIES.map(lambda body: json.dumps(body).encode())
)


@partners
def test_no_body_makes_a_fault_of_ours(stage: Stage, partner: str) -> None:
    key = make_key(stage, partner)
    push_return(stage)

    @settings(max_examples=80, deadline=None)
    @given(body=RAW)
    def knock(body: bytes) -> None:
        answer = call(stage, partner, key, body)
        assert answer.status_code in (200, 400), answer.data
        assert answer.status_code == 200 or answer.get_json()["code"] == "BAD_DATA"

    knock()
    stage.settle(60)
    ended = stage.events("tracking")
    assert {one.outcome for one in ended} <= {"handled", "ignored", "unknown", "parked"}
    assert [one.reason for one in ended if one.attempts] == []


@partners
@pytest.mark.parametrize("key", ["a", "%2e%2e", "a%0ab", "%ff%fe", "☃", "'--", "{key}"])
def test_no_address_makes_a_fault_of_ours(stage: Stage, partner: str, key: str) -> None:
    assert call(stage, partner, key, {"awb": "1"}).status_code in (401, 404)


@partners
def test_a_body_that_is_too_large_is_refused_with_words(stage: Stage, partner: str) -> None:
    answer = call(stage, partner, make_key(stage, partner), b'{"awb":"' + b"1" * (10 * 1024 * 1024) + b'"}')
    assert (answer.status_code, answer.get_json()["code"]) == (413, "TOO_LARGE")
