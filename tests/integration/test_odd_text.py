"""Odd text, typed or sent to us, comes back as text on every page: nothing is run, nothing is lost."""

from __future__ import annotations

import pytest

from tests.integration.front import FormReader, Front


@pytest.mark.parametrize(
    "odd",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\u202eevil\u2066",
        "x" * 10_000,
        "a\x00b",
        "𐏿\ud7ff",
    ],
    ids=["script", "quote", "rtl", "long", "nul", "unicode"],
)
def test_odd_text_comes_back_as_text(front: Front, odd: str) -> None:
    form = front.settings_form(rms__default_return_reason=odd, exchange__replacement_tag=odd)
    form.setlist("qc.reasons.key", [odd, ""])
    answer = front.save(form)
    assert answer.status_code in (200, 422), odd
    shown = FormReader(answer.text, "settings")
    assert shown.values["exchange.replacement_tag"] == odd
    assert all(about.get("src") for about in shown.find("script"))
    assert shown.find("img") == []


def test_a_post_of_nonsense_is_refused_in_words(front: Front) -> None:
    assert front.post("/settings", {"action": "save"}).status_code == 422
    assert front.post("/settings", {"partners.999.name": "x", "version": "x" * 50}).status_code == 422
    assert front.app.test_client().post("/settings", data={"action": "save"}).status_code == 401
