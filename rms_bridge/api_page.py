"""The published contract as a page: its document laid out for people to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from rms_bridge.schemas import REF, WHEN, Json, find_object

_SIMPLE = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}


Answer = tuple[str, str, str]  # status, words, example


@dataclass(frozen=True)
class Row:
    """One field of a body."""

    path: str
    type: str
    mandatory: str
    meaning: str

    @property
    def above(self) -> str:
        """The path of the object it lies in, with its dot."""
        return "".join(self.path.rpartition(".")[:2])

    @property
    def name(self) -> str:
        """The field's own name."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Section:
    """One endpoint with one or more methods that do the same."""

    anchor: str
    methods: tuple[str, ...]
    path: str
    operation: Json
    rows: tuple[Row, ...]
    examples: tuple[tuple[str, str], ...]
    answers: tuple[Answer, ...]
    errors: tuple[str, ...]  # statuses with the common error shape


def list_sections(document: Json) -> list[Section]:
    """Every endpoint of the document, in its order."""
    return [_make_section(document, path, item) for path, item in document["paths"].items()]


def _make_section(document: Json, path: str, item: Json) -> Section:
    operations = {method: one for method, one in item.items() if method != "parameters"}
    operation = next(iter(operations.values()))
    content = operation["requestBody"]["content"]["application/json"]
    answers = list(_list_answers(document["components"]["responses"], operation["responses"]))
    errors = {status for status, one in operation["responses"].items() if _is_common(one)}
    return Section(
        anchor=path.strip("/").replace("/", "-").replace("{", "").replace("}", ""),
        methods=tuple(method.upper() for method in operations),
        path=path,
        operation=operation,
        rows=tuple(_list_rows(document["components"]["schemas"], content["schema"])),
        examples=tuple((name, _dump(one["value"])) for name, one in content["examples"].items()),
        answers=tuple(one for one in answers if one[0] not in errors),
        errors=tuple(sorted(errors)),
    )


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _list_rows(schemas: Json, schema: Json, above: str = "") -> Iterator[Row]:
    """Fields depth first, each under the whole path to it."""
    schema = schemas[schema["$ref"].removeprefix(REF)] if "$ref" in schema else schema
    for name, field in schema["properties"].items():
        words = field.get("description", "")
        meaning = words.partition(". Mandatory when ")[0]
        yield Row(f"{above}{name}", _describe_type(field), _describe_need(field, name, schema, above), meaning)
        inner = find_object(field)
        loose = field if "properties" in field else field.get("items", {})
        below = {"$ref": REF + inner} if inner else loose if "properties" in loose else {"properties": {}}
        yield from _list_rows(schemas, below, f"{above}{name}.")


def _describe_need(field: Json, name: str, schema: Json, above: str) -> str:
    if name in schema.get("required", ()):
        return "inside" if above else "always"
    when = field.get(WHEN)
    default = field.get("default")
    return f"when {when}" if when else f"no; {default} when not given" if default is not None else "no"


def _describe_type(field: Json) -> str:
    kinds = [one for one in field.get("anyOf", [field]) if one != {"type": "null"}]
    return " or ".join(_describe_kind(one) for one in kinds) or "any"


def _describe_kind(kind: Json) -> str:
    if "enum" in kind:
        return " or ".join(f"`{one}`" for one in kind["enum"])
    if "$ref" in kind:
        return "time" if kind["$ref"] == f"{REF}Time" else "object"
    if kind.get("type") == "array":
        inner = "objects" if "$ref" in kind["items"] else "texts"
        return f"list of {inner}, {kind.get('minItems', 0)} to {kind['maxItems']:,}"
    name = str(kind.get("type", "any"))
    return _SIMPLE.get(name, name) + _describe_limits(kind)


def _describe_limits(kind: Json) -> str:
    if "maxLength" in kind:
        return f", at most {kind['maxLength']} characters"
    return f", {kind['minimum']:,} to {kind['maximum']:,}" if "maximum" in kind else ""


def list_errors(document: Json) -> list[Answer]:
    """What any endpoint may answer in the common error shape, by status."""
    responses = document["components"]["responses"]
    given = (one for path in document["paths"].values() for one in _list_given(path))
    return list(_list_answers(responses, dict(sorted(one for one in given if _is_common(one[1])))))


def _list_given(path: Json) -> Iterator[tuple[str, Json]]:
    for method, operation in path.items():
        if method != "parameters":
            yield from operation["responses"].items()


def _find_name(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _is_common(reference: Json) -> bool:
    """In the error shape that all endpoints share."""
    return _find_name(reference).isupper()


def _list_answers(responses: Json, given: Json) -> Iterator[Answer]:
    for status, one in given.items():
        answer = responses[_find_name(one)]
        content = answer.get("content", {}).get("application/json")
        yield status, answer["description"], _dump(content["example"]) if content else ""


def mark_up(text: str) -> Markup:
    """The little CommonMark our words use: paragraphs, lists of dashes, code in backticks."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return Markup("").join(_mark_up_block(block) for block in blocks)


def _mark_up_block(block: str) -> Markup:
    lines = block.splitlines()
    if all(line.startswith("- ") for line in lines):
        items = Markup("").join(Markup("<li>{}</li>").format(mark_up_code(line[2:])) for line in lines)
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(mark_up_code(block))


def mark_up_code(text: str) -> Markup:
    """Escaped, with what stands in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
