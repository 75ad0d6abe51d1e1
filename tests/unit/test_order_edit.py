"""An order edit lowers the line that is meant, and no other (`shopify_app.edits`)."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import Permanent
from shopify_app.edits import _check_match

LINE: dict[str, Any] = {"id": "gid://shopify/LineItem/1", "sku": "NEW-A", "currentQuantity": 3}
CALCULATED: dict[str, Any] = {"sku": "NEW-A", "quantity": 3, "editableQuantity": 3}


def test_the_same_line_is_taken() -> None:
    _check_match(LINE, CALCULATED, 0)


@pytest.mark.parametrize(
    ("calculated", "keep", "words"),
    [
        (None, 0, "otherwise"),
        ({**CALCULATED, "sku": "NEW-B"}, 0, "otherwise"),
        ({**CALCULATED, "quantity": 2}, 0, "otherwise"),
        ({**CALCULATED, "editableQuantity": 1}, 1, "have been fulfilled"),
    ],
)
def test_any_other_line_is_left_alone(calculated: dict[str, Any] | None, keep: int, words: str) -> None:
    with pytest.raises(Permanent, match=words):
        _check_match(LINE, calculated, keep)
