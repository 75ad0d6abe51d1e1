"""One telephone number has many spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.phones import hide_number, holds_number, may_hold_number, read_number
from core.http import Answer
from core.masking import mask_answer

SAME = [
    ("+91 98765-43210", "919876543210"),
    ("+91 98765-43210", "09876543210"),
    ("+91 98765-43210", "98765 43210"),
    ("9876543210", "+91-98765-43210"),
    ("9876543210", "0091 (98765) 43210"),
    ("+919876543210", "call 98765.43210 after six"),
    ("+919876543210", "Asha 9876543210 9123456789"),
    ("+919876543210", "9123456789/9876543210"),
    ("+44 7700 900123", "07700 900123"),
    ("+44 7700 900123", "+44 (0)7700 900123"),
    ("+49 30 123456", "030/123456 or 030 123456"),
    ("+45 12 34 56 78", "12345678"),
    ("+354 555 1234", "555-1234"),
    ("+91 98765\u201343210", "९८७६५४३२१०"),
]
OTHER = [
    ("+91 98765-43210", "919876543211"),
    ("+91 98765-43210", "43210"),
    ("+91 98765-43210", "order 5987654 of 3210"),
    ("+91 98765-43210", "2026-11-22T12:30:00.000+05:30"),
    ("+354 555 1234", "5551235"),
    ("+919876543210", ""),
]


@pytest.mark.parametrize(("asked", "written"), SAME)
def test_a_number_is_found_however_it_is_written(asked: str, written: str) -> None:
    number = read_number(asked)
    assert number is not None
    assert may_hold_number(f'{{"a": "{written}"}}', number)
    assert holds_number(written, number)
    assert "***" in hide_number(written, number, "***")


@pytest.mark.parametrize(("asked", "written"), OTHER)
def test_another_number_is_not(asked: str, written: str) -> None:
    number = read_number(asked)
    assert number is not None
    assert not holds_number(written, number)
    assert hide_number(written, number, "***") == written


@pytest.mark.parametrize("text", ["", "asha@example.com", "12 Sample Street 1234567", "12345", "+", "12345678x"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text) is None


SEPARATORS = st.sampled_from(["", " ", "-", ".", " - ", ") "])


@given(
    st.text("0123456789", min_size=10, max_size=12).filter(lambda one: one[0] != "0"),
    st.sampled_from(["", "0", "00", "+"]),
    st.lists(SEPARATORS, min_size=12, max_size=12),
)
def test_separators_and_zeros_to_dial_change_nothing(digits: str, before: str, between: list[str]) -> None:
    written = before + "".join(one + gap for one, gap in zip(digits, between, strict=False))
    assert read_number(written.strip(" -.)")) == digits
    assert holds_number(written, digits)


def test_a_far_side_that_spells_a_number_anew_is_masked() -> None:
    sent = {"shippingAddress": {"phone": "+91 98765-43210"}}
    answer = Answer(400, {}, b"no customer 098765 43210 with order 1234567890")
    assert mask_answer(answer, sent).body == b"no customer *** with order 1234567890"
