"""Checks a JSON body against a list of fields and names every fault, as Increff's 400 does (reference §6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Faults = list[str]
Check = Callable[[Any, str], Faults]

# Reference §6: strings are at most 255 characters everywhere.
LONGEST = 255
# Reference §6: `yyyy-MM-ddTHH:mm:ss.SSS±hh:mm`, never without an offset.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", re.ASCII)


@dataclass(frozen=True)
class Field:
    name: str
    check: Check
    required: bool = False


def need(name: str, check: Check) -> Field:
    return Field(name, check, required=True)


def may(name: str, check: Check) -> Field:
    return Field(name, check)


def is_missing(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def check_fields(body: dict[str, Any], fields: Sequence[Field], path: str = "") -> Faults:
    """Every fault of the known fields. Unknown ones are not looked at."""
    faults: Faults = []
    for field in fields:
        value = body.get(field.name)
        if not is_missing(value):
            faults += field.check(value, path + field.name)
        elif field.required:
            faults.append(f"{path}{field.name}: may not be null")
    return faults


def text(value: Any, path: str) -> Faults:
    if not isinstance(value, str):
        return [f"{path}: must be a string"]
    return [f"{path}: must be at most {LONGEST} characters"] if len(value) > LONGEST else []


def number(value: Any, path: str) -> Faults:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if good else [f"{path}: must be a number"]


def whole(value: Any, path: str) -> Faults:
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"{path}: must be an integer"]
    return [f"{path}: must not be negative"] if value < 0 else []


def positive(value: Any, path: str) -> Faults:
    return whole(value, path) or ([f"{path}: must be greater than 0"] if value == 0 else [])


def flag(value: Any, path: str) -> Faults:
    return [] if isinstance(value, bool) else [f"{path}: must be true or false"]


def moment(value: Any, path: str) -> Faults:
    fault = [f"{path}: must have the format yyyy-MM-dd'T'HH:mm:ss.SSSXXX"]
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return fault
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return fault
    return []


def one_of(*choices: str) -> Check:
    def check(value: Any, path: str) -> Faults:
        return [] if value in choices else [f"{path}: must be one of {', '.join(choices)}"]

    return check


def free(value: Any, path: str) -> Faults:
    """Anything, but no string in it may be too long."""
    if isinstance(value, dict):
        return [fault for key, inner in value.items() for fault in free(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [fault for index, inner in enumerate(value) for fault in free(inner, f"{path}[{index}]")]
    return text(value, path) if isinstance(value, str) else []


def shape(*fields: Field) -> Check:
    """An object with these fields."""

    def check(value: Any, path: str) -> Faults:
        return check_fields(value, fields, f"{path}.") if isinstance(value, dict) else [f"{path}: must be an object"]

    return check


def each(*fields: Field, most: int | None = None) -> Check:
    """A list of objects with these fields."""
    one = shape(*fields)

    def check(value: Any, path: str) -> Faults:
        if not isinstance(value, list):
            return [f"{path}: must be a list"]
        if most is not None and len(value) > most:
            return [f"{path}: must have at most {most} elements"]
        return [fault for index, inner in enumerate(value) for fault in one(inner, f"{path}[{index}]")]

    return check


def repeated(values: Iterable[str]) -> list[str]:
    """The values that occur more than once, in order of first occurrence."""
    return [value for value, times in Counter(values).items() if times > 1]
