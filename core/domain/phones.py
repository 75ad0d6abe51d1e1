"""Telephone numbers as people write them: one number has many spellings, and a customer is to be found under each."""

from __future__ import annotations

import re

_RUN = re.compile(r"\d(?:[\s().\u2010-\u2015-]{0,3}\d){6,}")
_LEAST, _MOST = 7, 10  # digits that are compared, from the right: what stands before them is how one dials out
_OTHERS = bytes(one for one in range(256) if one not in b"0123456789")
_NUMBER = re.compile(r"[+(]?[\d\s().\u2010-\u2015-]+")


def read_number(text: str) -> str | None:
    """The digits of a text that is a telephone number and nothing else, without leading zeros; None for other texts."""
    digits = _read_digits(text) if _NUMBER.fullmatch(text.strip()) else ""
    return digits if len(digits) >= _LEAST else None


def may_hold_number(text: str, number: str) -> bool:
    """False when the number is nowhere in a text, however spelled: quick, and true more often than it is right."""
    return number[-_LEAST:] in _read_digits(text)


def holds_number(text: str, number: str) -> bool:
    """True when a text holds the number, with or without its country's code, zeros to dial first, and separators.

    In doubt it is true: two long runs of digits that end alike are taken for one number.
    """
    return any(_are_alike(_read_digits(run[0]), number) for run in _RUN.finditer(text))


def hide_number(text: str, number: str, mask: str) -> str:
    """The text with every spelling of the number replaced."""
    return _RUN.sub(lambda run: mask if _are_alike(_read_digits(run[0]), number) else run[0], text)


def _are_alike(digits: str, number: str) -> bool:
    compared = min(len(digits), len(number), _MOST)
    if compared < _LEAST:
        return False
    within = compared == _MOST and number[-_MOST:] in digits  # two numbers side by side make one run
    return within or digits[-compared:] == number[-compared:]


def _read_digits(text: str) -> str:
    if text.isascii():  # most are, and whole messages are searched
        return text.encode().translate(None, _OTHERS).decode().lstrip("0")
    return "".join(str(int(one)) for one in text if one.isdecimal()).lstrip("0")
