"""Hiding what an answer repeats of people or of secrets, before its words are kept and shown (law 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from core.http import Answer

_PERSONAL = re.compile(r"address|customer|consignee|phone|mobile|email", re.IGNORECASE)
_SHORTEST_MASKED = 3
_MOST_TEXT = 20_000


def mask_answer(answer: Answer, sent: Any, secrets: Iterable[str] = ()) -> Answer:
    """The answer with what it repeats of people in `sent` (a JSON value), or of `secrets`, replaced by `***`."""
    text = answer.body[:_MOST_TEXT].decode("utf-8", "replace")
    for one in sorted({*secrets, *_list_personal(sent)}, key=len, reverse=True):
        if len(one) >= _SHORTEST_MASKED:
            text = text.replace(one, "***")
    return replace(answer, body=text.encode())


def _list_personal(value: Any, personal: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _list_personal(one, personal or bool(_PERSONAL.search(name)))
    elif isinstance(value, list):
        for one in value:
            yield from _list_personal(one, personal)
    elif personal and not isinstance(value, bool) and value is not None:
        yield str(value)
