"""Hiding people and secrets: in an answer before its words are kept, in a stored body before it is shown (law 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from core.domain.phones import hide_number, read_number
from core.http import Answer

_PERSONAL = re.compile(r"address|customer|consignee|phone|mobile|email", re.IGNORECASE)
_SHOWN = re.compile(
    r"(code|id|status|type|skus?|time|date|_at|awb|waybill|transporter|tags|reason|currency)$", re.IGNORECASE
)
_SHORTEST_MASKED = 3
_MOST_TEXT = 20_000


def mask_answer(answer: Answer, sent: Any, secrets: Iterable[str] = ()) -> Answer:
    """The answer with what it repeats of people in `sent` (a JSON value), or of `secrets`, replaced by `***`."""
    text = answer.body[:_MOST_TEXT].decode("utf-8", "replace")
    for one in sorted({*secrets, *_list_personal(sent)}, key=len, reverse=True):
        if len(one) >= _SHORTEST_MASKED:
            text = text.replace(one, "***")
            number = read_number(one)
            text = hide_number(text, number, "***") if number else text
    return replace(answer, body=text.encode())


def mask_body(value: Any, name: str = "", *, hidden: bool = False) -> Any:
    """A JSON value as it may be shown: codes, statuses, times and numbers stay, other text and people are `***`.

    `name` is what the value stands under: a key, or a path of keys.
    """
    if isinstance(value, dict):
        return {key: mask_body(one, key, hidden=hidden or bool(_PERSONAL.search(key))) for key, one in value.items()}
    if isinstance(value, list):
        return [mask_body(one, name, hidden=hidden) for one in value]
    if value is None or value == "" or isinstance(value, bool):
        return value
    hidden = hidden or bool(_PERSONAL.search(name))
    return "***" if hidden or (isinstance(value, str) and not _SHOWN.search(name)) else value


def _list_personal(value: Any, personal: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _list_personal(one, personal or bool(_PERSONAL.search(name)))
    elif isinstance(value, list):
        for one in value:
            yield from _list_personal(one, personal)
    elif personal and not isinstance(value, bool) and value is not None:
        yield str(value)
