"""What an answer's status leads to, and what is read from it."""

from __future__ import annotations

import pytest

from core.errors import AccessRefused, Ambiguous, Fault, Gone, Permanent, Throttled, Transient
from core.http import Answer, raise_for_answer, read_retry_after

FATES: dict[int, type[Fault] | None] = {
    **dict.fromkeys([200, 201, 202, 204, 299]),
    **dict.fromkeys([300, 301, 304, 400, 404, 405, 409, 413, 415, 422, 451, 499], Permanent),
    **dict.fromkeys([401, 403], AccessRefused),
    410: Gone,
    429: Throttled,
    425: Transient,
    **dict.fromkeys([408, 500, 501, 502, 503, 504, 507, 520, 599], Ambiguous),
}


@pytest.mark.parametrize("status", FATES)
def test_the_fate_of_a_status(status: int) -> None:
    fate = FATES[status]
    got = Answer(status, {}, b"its \x00 own words")
    if fate is None:
        raise_for_answer(got, "OMS")
        return
    with pytest.raises(fate) as raised:
        raise_for_answer(got, "OMS")
    assert type(raised.value) is fate
    assert f"OMS answered {status}" in str(raised.value)
    assert "\x00" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("5", 5.0),
        ("2.5", 2.5),
        ("-1", 0.0),
        ("1e9", 86400.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", 86400.0),
    ],
)
def test_retry_after(given: str, read: float | None) -> None:
    assert read_retry_after(Answer(429, {"Retry-After": given}, b"")) == read


def test_an_excerpt_is_short_and_printable() -> None:
    text = Answer(500, {}, b"\x1b[31m\x00\xff" + "é".encode() * 10_000).excerpt()
    assert len(text) <= 500
    assert text.isprintable()
