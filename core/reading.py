"""Reading JSON from strangers: bounded, strict where leniency loses data, and with every fault named by its path."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic import ValidationError

from core.errors import BadInput

MAX_DEPTH = 64
MAX_FAULTS = 1000  # named in one answer
_MAX_KEY = 60  # characters of a key that a path shows
_TOO_DEEP = f"body: nested deeper than {MAX_DEPTH}"


def read_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises BadInput for not JSON, not an object, NaN, NUL in text, nesting beyond 64, or a key that stands twice with
    two values: another reader would take the other one.
    """
    if not body.strip():
        raise BadInput(["body: empty"])
    try:
        value = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_read_pairs)
    except BadInput:
        raise
    except RecursionError:
        raise BadInput([_TOO_DEEP]) from None
    except ValueError:
        raise BadInput(["body: not JSON"]) from None
    if not isinstance(value, dict):
        raise BadInput(["body: must be a JSON object"])
    faults = list(dict.fromkeys(islice(_find_bad_values(value, ()), MAX_FAULTS)))
    if faults:
        raise BadInput(faults)
    return value


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        torn = [key for key, one in pairs if repr(one) != repr(read[key])]  # repr: 1 and true are two values
        faults = [f"{render_path([key])}: stands twice, with two values" for key in dict.fromkeys(torn)]
        if faults:
            raise BadInput(faults[:MAX_FAULTS])
    return read


def _refuse_constant(name: str) -> None:
    raise BadInput([f"body: {name} is not JSON"])


def _find_bad_values(value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    """Faults no database column or other system survives: NUL, half a surrogate pair, infinity, endless nesting."""
    if len(path) > MAX_DEPTH:
        yield _TOO_DEEP
    elif isinstance(value, str):
        yield from _find_bad_text(value, path)
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        yield f"{render_path(path)}: number too large"
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _find_bad_text(key, (*path, "(a key)"))
            yield from _find_bad_values(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _find_bad_values(one, (*path, number))


def _find_bad_text(text: str, path: tuple[str | int, ...]) -> Iterator[str]:
    if "\x00" in text:
        yield f"{render_path(path)}: contains NUL"
    elif not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        yield f"{render_path(path)}: contains broken Unicode"


_WORDS = {
    "missing": "required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "extra_forbidden": "unknown key",
    "string_unicode": "must be Unicode text",
    "string_pattern_mismatch": "holds a character that is not allowed here",
}


def describe_faults(error: ValidationError) -> list[str]:
    """Each fault of a pydantic validation as `orderItems[2].channelSkuCode: required`."""
    return [f"{render_path(one['loc'])}: {_describe(one)}" for one in error.errors(include_url=False)]


def _describe(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "string_too_long":
        return f"longer than {fault['ctx']['max_length']} characters"
    if fault["type"] == "too_long":
        return f"more than {fault['ctx']['max_length']} elements"
    if fault["type"] == "literal_error":
        return f"must be one of {fault['ctx']['expected']}"
    if fault["type"] in ("string_too_short", "too_short"):
        return "must not be empty"
    text = str(fault["msg"])
    return _WORDS.get(fault["type"], text.removeprefix("Value error, "))


def render_path(location: Iterable[str | int]) -> str:
    """`("orderItems", 2, "sku")` -> `orderItems[2].sku`; keys are shortened and made printable."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = part if len(part) <= _MAX_KEY else part[:_MAX_KEY] + "…"
            shown = key if key.isascii() and key.isprintable() else ascii(key)[1:-1]
            path += f".{shown}" if path else shown
    return path or "body"
