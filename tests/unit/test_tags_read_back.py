"""What Shopify answers to a change of tags is believed only when it is what was asked (`shopify_app.deliveries`)."""

from __future__ import annotations

import pytest

from core.errors import Permanent
from shopify_app.deliveries import _check_tags


@pytest.mark.parametrize(
    ("tags", "words"), [(["HOLD"], "missing \\['ok'\\]"), (["ok", "Hold"], "still there \\['hold'\\]")]
)
def test_tags_that_are_not_as_asked_are_a_fault(tags: list[str], words: str) -> None:
    with pytest.raises(Permanent, match=words):
        _check_tags(tags, ["ok"], ["hold"])


def test_another_case_and_tags_of_others_are_fine() -> None:
    _check_tags(["OK", "vip"], ["ok"], ["hold"])
