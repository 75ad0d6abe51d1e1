"""The settings form: any document that may be saved comes back from it as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from core.settings import Settings, parse_settings
from shopify_app.forms import fill, read_form

TAG = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=","), min_size=1, max_size=20
)
CODE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
CODES = st.dictionaries(CODE, CODE, max_size=3)
PARTNER = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["returns_prime", "shiprocket", "generic"]),
        "url": st.just("https://8.8.8.8/in"),
        "headers": st.dictionaries(st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), st.just("kept"), max_size=3),
        "events": st.lists(st.sampled_from(["qc", "return", "tracking"]), unique=True),
    }
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents without a fault."""
    tags = draw(st.lists(TAG, min_size=4, max_size=6, unique_by=str.casefold))
    partners = draw(st.lists(PARTNER, max_size=3))
    return {
        "mode": draw(st.sampled_from(["live", "observe", "paused"])),
        "exchange": {
            "replacement_tag": tags[0],
            "hold_tag": tags[1],
            "release_tag": draw(st.sampled_from([tags[2], None])),
            "other_hold_tags": tags[4:],
            "apply_hold_tag": draw(st.booleans()),
        },
        "qc": {
            "reasons": draw(st.dictionaries(CODE, st.sampled_from(["pass", "fail", "review"]), max_size=3)),
            "verdict_deadline_days": draw(st.floats(0.01, 365)),
            "max_hold_days": draw(st.integers(1, 3650)),
        },
        "oms": {"locations": draw(CODES), "calls_per_minute": draw(st.integers(1, 10**9))},
        "rms": {"warehouses": draw(CODES), "courier_fields": draw(st.lists(CODE, max_size=3))},
        "partners": [{**one, "name": f"partner-{number}"} for number, one in enumerate(partners)],
    }


@given(documents())
@settings(max_examples=200, deadline=None)
def test_a_document_comes_back_from_its_form(document: dict[str, Any]) -> None:
    saved = parse_settings(document)
    shown = saved.model_dump(mode="json")
    shown["oms"]["auth_password"] = "not set"
    read = read_form(fill(shown), shown)
    assert read.faults == []
    for partner in read.document["partners"]:  # a secret is never in the form: None keeps the stored one
        assert set(partner["headers"].values()) <= {None}
        partner["headers"] = dict.fromkeys(partner["headers"], "kept")
    assert parse_settings(read.document) == saved


NAMES = sorted(fill(Settings().model_dump(mode="json")))


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=20)), min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_whatever_is_posted_is_read_and_every_fault_finds_its_field(typed: list[tuple[str, str]]) -> None:
    form: MultiDict[str, str] = MultiDict(typed)
    reading = read_form(form, Settings().model_dump(mode="json"))
    placed = reading.place([f"{name}: wrong" for name in form])
    assert placed
    assert "" not in placed
