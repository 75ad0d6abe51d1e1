"""JSON Schemas of the published contract, made from the models and conditions that check the bodies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from rms_bridge.contract import CreateReturnOrder, Part, Time
from rms_bridge.contract_conditions import AWB_FIELDS, CLICKPOST_FIELDS, COURIER_FIELDS, FETCH_FIELDS
from rms_bridge.partners.contract import Loose

Json = dict[str, Any]
REF = "#/components/schemas/"
WHEN = "x-mandatory-when"  # our own keyword: the shop's settings under which a field is mandatory
_TIME = TypeAdapter(Time).json_schema()
_FETCHES = "`rms.awb_source` is `increff`"
_NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"  # what Python's strip leaves
_CONDITIONS = (
    (AWB_FIELDS, "`rms.awb_source` is `partner`"),
    (FETCH_FIELDS, _FETCHES),
    (CLICKPOST_FIELDS, f"{_FETCHES} and `rms.aggregator` is `CLICKPOST`"),
    (COURIER_FIELDS, f"{_FETCHES} and `rms.courier_fields` lists it"),
)


def make_schemas(models: Iterable[type[BaseModel]]) -> Json:
    """The schemas of these models and of all inside them, by name, and the one of times."""
    given = list(dict.fromkeys(models))
    parts = [model for model in given if issubclass(model, Part)]
    others = [model for model in given if not issubclass(model, Part)]
    schemas = {name: _make_nulls_welcome(_tidy(one)) for name, one in _generate(parts).items()}
    if CreateReturnOrder in parts:
        _note_conditions(schemas)
    return {**schemas, **{name: _tidy(one) for name, one in _generate(others).items()}, "Time": _TIME}


def _generate(models: Sequence[type[BaseModel]]) -> Json:
    made = models_json_schema([(model, "validation") for model in models], ref_template=REF + "{model}")[1]
    return dict(made.get("$defs", {}))


def _tidy(schema: Json) -> Json:
    """Without pydantic's titles and null defaults; times by their name; one level of alternatives."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "properties")}
    properties = {name: _tidy_field(one) for name, one in schema.get("properties", {}).items()}
    return {**kept, "properties": properties}


def _tidy_field(field: Json) -> Json:
    kept = {key: value for key, value in field.items() if key != "title" and (key, value) != ("default", None)}
    if "anyOf" in kept:
        kept["anyOf"] = [{"$ref": REF + "Time"} if one == _TIME else one for one in kept["anyOf"]]
    return kept


def _make_nulls_welcome(schema: Json) -> Json:
    """As `contract.Part` reads it: null is "not given", and mandatory text is not blank."""
    required = schema.get("required", ())
    properties = {name: _refuse_blank(one) for name, one in schema["properties"].items()}
    welcome = {name: one if name in required else _allow_null(one) for name, one in properties.items()}
    return {**schema, "properties": welcome}


def _refuse_blank(field: Json) -> Json:
    return {**field, "pattern": _NOT_BLANK} if field.get("type") == "string" and field.get("minLength") == 1 else field


def _allow_null(field: Json) -> Json:
    if {"type": "null"} in field.get("anyOf", ()):
        return field
    about: Json = {key: field[key] for key in ("description", "default") if key in field}
    return {"anyOf": [{key: field[key] for key in field if key not in about}, {"type": "null"}], **about}


def _note_conditions(schemas: Json) -> None:
    """Write into each field under which settings it is mandatory."""
    for paths, when in _CONDITIONS:
        for path in paths:
            field = _find_field(schemas, path.split("."))
            field[WHEN] = when
            field["description"] = f"{field['description']}. Mandatory when {when}"


def _find_field(schemas: Json, names: list[str]) -> Json:
    schema = schemas[CreateReturnOrder.__name__]
    for name in names[:-1]:
        schema = schemas[find_object(schema["properties"][name]) or ""]
    found: Json = schema["properties"][names[-1]]
    return found


def find_object(field: Json) -> str | None:
    """The name of the schema a field holds, alone or in a list; None for a field without fields of its own."""
    inner = [field, *field.get("anyOf", ())]
    refs = [place["$ref"] for one in inner for place in (one, one.get("items", {})) if "$ref" in place]
    names = [str(ref).removeprefix(REF) for ref in refs]
    return next((name for name in names if name != "Time"), None)


def make_loose_schema(model: type[Loose]) -> Json:
    """An object with these fields named and nothing refused, as `Loose` reads it."""
    return {"type": "object", **_list_loose(model)}


def _list_loose(model: type[Loose]) -> Json:
    return {"properties": {one.alias or name: _describe_loose(one) for name, one in model.model_fields.items()}}


def _describe_loose(field: FieldInfo) -> Json:
    """No type anywhere: a field of another type counts as not given."""
    parts = (field.annotation, *getattr(field.annotation, "__args__", ()))
    nested = next((one for one in parts if isinstance(one, type) and issubclass(one, Loose)), None)
    words = {"description": field.description}
    if nested is None:
        return words
    inner = _list_loose(nested)
    return {**words, **inner} if nested is field.annotation else {**words, "items": inner}
