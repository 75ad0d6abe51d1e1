"""Reading JSON and times from strangers: a value or BadInput, nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import parse_time, render_time
from core.errors import BadInput
from core.reading import MAX_DEPTH, read_object

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_good_objects_are_read_whole(given_: dict[str, object]) -> None:
    assert read_object(json.dumps(given_).encode()) == given_


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything_is_an_object_or_bad_input(body: bytes) -> None:
    try:
        assert isinstance(read_object(body), dict)
    except BadInput as refusal:
        pytest.fail("refused without a word") if not refusal.faults else None


def test_the_depth_that_is_still_read() -> None:
    for depth, good in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        if good:
            read_object(body)
        else:
            with pytest.raises(BadInput, match="nested deeper"):
                read_object(body)


MOMENT = datetime(2020, 10, 16, 20, 22, 28, tzinfo=UTC)
FORMS = ["2020-10-16T20:22:28Z", "2020-10-16T20:22:28Z[UTC]", "2020-10-17T01:52:28.000+05:30", 1602879748]
FORMS += [1602879748.0, "1602879748", 1602879748000, "1602879748000", " 2020-10-16T20:22:28.000+00:00 "]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_time(form: object) -> None:
    assert parse_time(form) == MOMENT


NONE = ["", "2020-10-16", "2020-10-16T20:22:28", "soon", True, None, [], {}, float("nan"), float("inf"), 10**400, 1e300]
NONE += [
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "nan",
    "1e9",
    "2020-13-01T00:00:00Z",
]


@pytest.mark.parametrize("given_", NONE, ids=repr)
def test_what_is_no_time(given_: object) -> None:
    with pytest.raises((ValueError, OverflowError)) as raised:
        parse_time(given_)
    assert type(raised.value) is ValueError


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_rendered_time_reads_back_to_the_millisecond(moment: datetime) -> None:
    assert abs(parse_time(render_time(moment)) - moment) < timedelta(milliseconds=1)
