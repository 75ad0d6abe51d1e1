"""The settings document as a form: fields made from its model, what was typed read back, faults put at their field.

A form's values are a MultiDict from first to last: filled from the document in force, or as they were posted. So a page
with faults shows what was typed, however odd. Secrets never leave the server: an empty secret keeps the stored one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from core.errors import BadInput
from core.flows.tenants import KEEPS
from core.reading import read_object
from core.settings import PartnerSettings, Settings
from shopify_app.labels import CHOICES, LABELS, UNITS

Form = MultiDict[str, str]
_SECRET = "oms.auth_password"  # noqa: S105 - a path
_PARTNER = re.compile(r"partners\.([0-9]{1,3})\.")
_FAULT_INDEX = re.compile(r"partners\[([0-9]+)\]")
ON = "on"


@dataclass(frozen=True)
class Field:
    """One setting. `path` is its place in the form, `key` the same without a partner's number."""

    path: str
    key: str
    kind: str  # text | secret | number | switch | choice | flags | lines | pairs | secret_pairs
    optional: bool = False

    @property
    def label(self) -> str:
        """What a merchant calls it."""
        return LABELS[self.key][0]

    @property
    def help(self) -> str:
        """One sentence more."""
        return LABELS[self.key][1]

    @property
    def choices(self) -> dict[str, str]:
        """Value -> words, for what is chosen."""
        return CHOICES[self.key]

    @property
    def units(self) -> tuple[str, str]:
        """What the two sides of a pair are called."""
        return UNITS[self.key]


def list_fields(model: type[BaseModel], prefix: str, key: str) -> list[Field]:
    """The fields of one section, in the model's order."""
    made = []
    for name, about in model.model_fields.items():
        kind, optional = _find_kind(about.annotation)
        path = f"{prefix}.{name}"
        kind = {_SECRET: "secret", "partners.headers": "secret_pairs"}.get(f"{key}.{name}", kind)
        made.append(Field(path, f"{key}.{name}", kind, optional))
    return made


def _find_kind(annotation: Any) -> tuple[str, bool]:
    inside = [one for one in get_args(annotation) if one is not NoneType]
    if NoneType in get_args(annotation):
        return _find_kind(inside[0])[0], True
    origin = get_origin(annotation) or annotation
    if origin is list:
        return ("flags" if get_origin(inside[0]) is Literal else "lines"), False
    if hasattr(annotation, "__metadata__"):  # Annotated[X, …]
        return _find_kind(annotation.__origin__)
    kinds = {dict: "pairs", Literal: "choice", bool: "switch", int: "number", float: "number", str: "text"}
    return kinds[origin], False


SECTIONS: dict[str, list[Field]] = {
    name: list_fields(about.annotation, name, name)
    for name, about in Settings.model_fields.items()
    if isinstance(about.annotation, type) and issubclass(about.annotation, BaseModel)
}


def list_partner_fields(number: int) -> list[Field]:
    """The fields of the form's n-th partner."""
    return list_fields(PartnerSettings, f"partners.{number}", "partners")


def list_partners(form: Form) -> list[int]:
    """The numbers of the partners in a form."""
    return sorted({int(found[1]) for found in map(_PARTNER.match, form) if found})


def add_partner(form: Form) -> None:
    """Put an empty partner at the end, who would get everything."""
    fields = list_partner_fields(max(list_partners(form), default=-1) + 1)
    for field in fields:
        form.setlist(field.path, list(field.choices) if field.kind == "flags" else [""])


def fill(document: dict[str, Any]) -> Form:
    """The form of a document as `show_settings` gives it."""
    form: Form = MultiDict({"mode": document["mode"]})
    for name, fields in SECTIONS.items():
        _fill_fields(form, fields, document[name])
    for number, partner in enumerate(document["partners"]):
        _fill_fields(form, list_partner_fields(number), partner)
    return form


def _fill_fields(form: Form, fields: Iterable[Field], values: dict[str, Any]) -> None:
    for field in fields:
        value = values[field.path.rpartition(".")[2]]
        if field.kind in ("pairs", "secret_pairs"):  # PostgreSQL's JSON keeps no order: by key
            form.setlist(f"{field.path}.key", sorted(value))
            form.setlist(f"{field.path}.value", [value[key] for key in sorted(value) if field.kind == "pairs"])
        elif field.kind == "flags":
            form.setlist(field.path, value)
        elif field.kind == "switch":
            form.setlist(field.path, [ON] if value else [])
        elif field.kind != "secret":
            form[field.path] = "\n".join(value) if field.kind == "lines" else _show(value)


def _show(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)


@dataclass(frozen=True)
class Reading:
    """What a form says: the document, and the faults only the form can have. `partners` are their form numbers."""

    document: dict[str, Any]
    faults: list[str]
    partners: list[int]

    def place(self, faults: Iterable[str]) -> dict[str, list[str]]:
        """Field's path in the form -> what is wrong there. What belongs to no field is under "" ."""
        placed: dict[str, list[str]] = {}
        paths = [one.path for one in self._list_fields()] + ["mode"]
        for fault in faults:
            path, _, words = fault.partition(": ")
            at = _FAULT_INDEX.sub(lambda found: f"partners.{self._find_number(int(found[1]))}", path)
            owner = next((one for one in paths if at == one or at.startswith((f"{one}.", f"{one}["))), "")
            inside = at.removeprefix(owner).strip(".") if owner else path.removeprefix("body")
            placed.setdefault(owner, []).append(f"{inside}: {words}" if inside else words)
        return placed

    def _find_number(self, position: int) -> int:
        return self.partners[position] if position < len(self.partners) else position

    def _list_fields(self) -> Iterator[Field]:
        for fields in SECTIONS.values():
            yield from fields
        for number in self.partners:
            yield from list_partner_fields(number)


def read_form(form: Form, shown: dict[str, Any]) -> Reading:
    """What was typed, as a document; `shown` is the one in force. No document when some text fits no database."""
    faults: list[str] = []
    document: dict[str, Any] = {"mode": form.get("mode", "")}
    for name, fields in SECTIONS.items():
        document[name] = {field.path.rpartition(".")[2]: _read(field, form, faults, field.path) for field in fields}
    numbers = [number for number in list_partners(form) if not _is_left_out(form, number)]
    document["partners"] = [_read_partner(form, number, at, faults) for at, number in enumerate(numbers)]
    try:
        document = read_object(json.dumps(document).encode())
    except BadInput as error:
        return Reading({}, [*faults, *error.faults], numbers)
    return Reading(document, [*faults, *_find_lost_secrets(document, shown)], numbers)


def _read_partner(form: Form, number: int, position: int, faults: list[str]) -> dict[str, Any]:
    """Faults name the partner as the document's own would: by its position there."""
    return {
        (name := field.path.rpartition(".")[2]): _read(field, form, faults, f"partners[{position}].{name}")
        for field in list_partner_fields(number)
    }


def _is_left_out(form: Form, number: int) -> bool:
    """A partner ticked for removal, or the empty one at the end."""
    prefix = f"partners.{number}"
    texts = [form.get(f"{prefix}.{name}", "") for name in ("name", "url")]
    typed = [*texts, *form.getlist(f"{prefix}.headers.key"), *form.getlist(f"{prefix}.headers.value")]
    return f"{prefix}.remove" in form or not any(text.strip() for text in typed)


def _read(field: Field, form: Form, faults: list[str], named: str) -> Any:
    typed, text = form.getlist(field.path), form.get(field.path, "").strip()
    if field.kind in ("pairs", "secret_pairs"):
        return _read_pairs(field, form, faults, named)
    if field.kind in ("switch", "flags"):
        return bool(typed) if field.kind == "switch" else typed
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "secret":
        return _read_secret(form.get(field.path)) or ("" if f"{field.path}.clear" in form else None)
    if field.optional and not text:
        return None
    return _read_number(text) if field.kind == "number" else text


def _read_number(text: str) -> Any:
    """The number, or what was typed instead of one: the document's own check says what is wrong with it."""
    try:
        number = float(text)
        return int(text) if text.isdecimal() and text.isascii() else number
    except ValueError:
        return text


def _read_secret(typed: str | None) -> str | None:
    """None for what keeps the stored one, the words by which a document says so included."""
    return None if not typed or typed in KEEPS else typed


def _read_pairs(field: Field, form: Form, faults: list[str], named: str) -> dict[str, Any]:
    """Rows of two; an empty row is none. A secret left empty is None, which keeps the stored one."""
    secret = field.kind == "secret_pairs"
    keys, values = form.getlist(f"{field.path}.key"), form.getlist(f"{field.path}.value")
    pairs: dict[str, Any] = {}
    for typed, value in zip_longest(keys, values, fillvalue=""):
        key = typed.strip()
        if not key and (not value.strip() or field.key in CHOICES):
            continue
        if key in pairs:
            faults.append(f"{named}.{key[:60]}: given twice")
        pairs[key] = _read_secret(value) if secret else value.strip()
    return pairs


def _find_lost_secrets(document: dict[str, Any], shown: dict[str, Any]) -> Iterator[str]:
    """A kept secret goes only where it went before: whoever changes an address must know the secret."""
    was, now = shown["oms"], document["oms"]
    moved = _find_origin(was["base_url"]) != _find_origin(now["base_url"])
    if was["auth_password"] == "set" and now["auth_password"] is None and moved:  # noqa: S105 - a word, no secret
        yield f"{_SECRET}: type it again, because the address has changed"
    stored = {one["name"]: one for one in shown["partners"]}
    for at, partner in enumerate(document["partners"]):
        before = stored.get(partner["name"], {"url": None, "headers": {}})
        moved = _find_origin(before["url"]) != _find_origin(partner["url"])
        for header in (name for name, value in partner["headers"].items() if value is None):
            known = header in before["headers"]
            why = "type its value" + (" again, because the address has changed" if known else "")
            if moved or not known:
                yield f"partners[{at}].headers.{header}: {why}"


def _find_origin(url: Any) -> str:
    return "/".join(str(url or "").lower().split("/")[:3])
