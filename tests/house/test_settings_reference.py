"""`docs/settings.md` lists every key of a shop's settings document: what it takes, its default and what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from core.settings import Settings
from shopify_app.labels import CHOICES, LABELS
from tests.house.source import ROOT

PAGE = (ROOT / "docs/settings.md").read_text()
SCHEMA = Settings.model_json_schema()
KINDS = {"string": "text", "boolean": "`true`, `false`", "integer": "a whole number", "number": "a number"}


def find_named(field: dict[str, Any]) -> Any:
    """The schema a field refers to by name, itself or as the items of its list; None when it has none."""
    name = field.get("$ref") or field.get("items", {}).get("$ref")
    return SCHEMA["$defs"][name.rpartition("/")[2]] if name else None


def list_fields(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with its schema, `section.key`; of a list of sections too."""
    for name, field in schema["properties"].items():
        inner = find_named(field)
        if inner:
            yield from list_fields(inner, f"{name}.")
        else:
            yield above + name, field


def describe(field: dict[str, Any]) -> str:
    """What it takes, in words."""
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    (kind,) = kinds
    words = ", ".join(f"`{one}`" for one in kind["enum"]) if "enum" in kind else KINDS.get(kind["type"], "")
    if kind["type"] == "array":
        words = f"a list of {describe(kind['items'])}"
    elif kind["type"] == "object":
        (value,) = kind.get("patternProperties", {"": kind.get("additionalProperties")}).values()
        words = f"an object: name to {describe(value)}"
    least = f"above {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else ""
    least = f"{kind['minimum']:g} and more" if "minimum" in kind else least
    most = f"to {kind['maximum']:g}" if "maximum" in kind else ""
    return ", ".join(one for one in (words, least, most) if one)


def render(key: str, field: dict[str, Any]) -> str:
    """Its row."""
    label, help_ = LABELS[key]
    default = f"`{json.dumps(field['default'])}`" if "default" in field else "must be given"
    words = "; ".join(f"`{one}`: {said}" for one, said in CHOICES.get(key, {}).items() if said.lower() != one)
    return f"| `{key}` | {describe(field)} | {default} | {'. '.join(filter(None, (label, help_.rstrip('.'), words)))} |"


def test_every_key_has_its_row() -> None:
    rows = [render(key, field) for key, field in list_fields(SCHEMA)]
    assert len(rows) == len(LABELS)
    shown = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert "\n".join(shown) == "\n".join(rows)
