"""The published contract: OpenAPI 3.1 of every bridge endpoint that is registered, and a page to read it (DESIGN §5).

Fields, types and limits are made from the models that check the bodies; only `operations` is words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from secrets import token_urlsafe
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, render_template
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from core.runtime import Runtime
from rms_bridge.api_page import list_errors, list_sections, mark_up, mark_up_code
from rms_bridge.operations import BRIDGE, OPERATIONS, Operation
from rms_bridge.partners.contract import Loose
from rms_bridge.schemas import REF, Json, make_loose_schema, make_schemas

VERSION = "1.0.0"
PREFIXES = ("/rms/", "/oms/", "/hooks/")
OWN_PATHS = ("/rms/openapi.json", "/rms/docs")
INTRODUCTION = """\
How Increff RMS, Increff OMS and the returns partners call Returnbridge.

- Bodies are JSON objects in UTF-8, sent as `application/json`, of at most 10 MiB.
- An accepted call is answered 200 at once, mostly with an empty body, and worked on afterwards.
- A refused call changes nothing and is answered with `code`, `message` and `description`.
- Unknown fields are ignored, and `null` is the same as not given. NaN, infinity, NUL and half surrogate pairs are \
refused wherever they stand, and so is nesting deeper than 64. A whole number is written without a fraction.
- A body this document calls valid may still be refused with 400 by a rule the endpoint's description names.
- Repeat a call after a 408, a 429, any 5xx and after no answer; repeats do no harm. Never repeat a 400 unchanged.
"""


class Error(BaseModel):
    """Every refusal."""

    code: str = Field(description="One word for programs", examples=["BAD_DATA"])
    message: str = Field(description="A short sentence")
    description: str = Field(description="What exactly; of a body every fault with its path, joined by `; `")


class SellerAnswer(BaseModel):
    """Whether a seller cancellation was carried out."""

    model_config = ConfigDict(alias_generator=to_camel)

    has_error: bool = Field(description="False when the pieces are cancelled")
    error_message: str | None = Field(description="Why not; null when they are")


ERRORS = {
    400: ("BAD_DATA", "The body cannot be taken", "orderItems[2].channelSkuCode: required", "The body is refused."),
    401: (
        "UNAUTHORIZED",
        "Not authorised",
        "authUsername or authPassword is wrong or missing",
        "The credential is wrong or missing. Nothing of the body was looked at.",
    ),
    408: (
        "REQUEST_TIMEOUT",
        "The body did not come in time",
        "",
        "The body had not come in full after 30 seconds: repeat the call.",
    ),
    413: ("TOO_LARGE", "The body is too large", "at most 10485760 bytes are taken", "The body is over 10 MiB."),
    415: (
        "UNSUPPORTED_MEDIA_TYPE",
        "Unsupported media type",
        "send Content-Type: application/json",
        "The body is not declared as JSON.",
    ),
    429: ("TOO_MANY_REQUESTS", "Too many requests", "", "Slow down: wait as long as `Retry-After` says, then repeat."),
    500: ("INTERNAL_ERROR", "A fault of ours", "incident 5f0c2a91", "A fault of ours, with its number: repeat later."),
    503: (
        "SERVICE_UNAVAILABLE",
        "It cannot be taken now",
        "too much is being taken in at once: send it again",
        "It cannot be stored now: repeat later.",
    ),
}


def make_blueprint(runtime: Runtime, bodies: Mapping[str, type[BaseModel]]) -> Blueprint:
    """The two pages. `bodies` names, by path, the models of endpoints whose bridge this one does not know."""
    doors = Blueprint("openapi", __name__, url_prefix="/rms")

    @cache
    def build() -> Json:
        return build_document(current_app, runtime.config.app_url, bodies)

    @doors.get("/openapi.json")
    def show_document() -> Response:
        return jsonify(build())

    @doors.get("/docs")
    def show_page() -> Response:
        nonce = token_urlsafe(16)
        page = render_template(
            "api_docs.html",
            document=build(),
            sections=list_sections(build()),
            errors=list_errors(build()),
            mark_up=mark_up,
            mark_up_code=mark_up_code,
            nonce=nonce,
        )
        return Response(page, headers=_make_page_headers(nonce))

    return doors


def _make_page_headers(nonce: str) -> dict[str, str]:
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"
    return {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}


def build_document(app: Flask, base_url: str, bodies: Mapping[str, type[BaseModel]]) -> Json:
    """The contract of the routes this app has."""
    there = list_bridge_routes(app)
    operations = [one for one in OPERATIONS if one.path in there]
    models = {one.path: one.body or bodies[one.path] for one in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Returnbridge", "version": VERSION, "description": INTRODUCTION},
        "servers": [{"url": base_url.rstrip("/") or "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
        "paths": {one.path: _render_path(one, there[one.path], models[one.path]) for one in operations},
        "components": {
            "schemas": {**make_schemas(_list_strict(models)), **_make_answer_schemas()},
            "responses": _make_responses(),
            "securitySchemes": _make_security_schemes(operations),
        },
    }


def list_bridge_routes(app: Flask) -> dict[str, list[str]]:
    """Path, written as OpenAPI does, and methods of every registered bridge endpoint."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PREFIXES) and rule.rule not in OWN_PATHS:
            path = rule.rule.replace("<", "{").replace(">", "}")
            found.setdefault(path, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return {path: sorted(methods) for path, methods in found.items()}


def _list_strict(models: Mapping[str, type[BaseModel]]) -> list[type[BaseModel]]:
    return [model for model in models.values() if not issubclass(model, Loose)]


def _render_path(operation: Operation, methods: list[str], model: type[BaseModel]) -> Json:
    path: Json = {method.lower(): _render_operation(operation, method, model) for method in methods}
    if "{key}" in operation.path:
        words = "The secret of this address, which whoever runs the bridge makes and is shown once"
        key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "description": words}
        path["parameters"] = [key]
    return path


def _render_operation(operation: Operation, method: str, model: type[BaseModel]) -> Json:
    loose = issubclass(model, Loose)
    schema = make_loose_schema(model) if issubclass(model, Loose) else {"$ref": REF + model.__name__}
    examples = {name: {"value": value} for name, value in operation.examples.items()}
    rules = "".join(f"\n- {rule}" for rule in operation.rules)
    return {
        "operationId": f"{method.lower()}{operation.title.title().replace(' ', '')}",
        "tags": [operation.tag],
        "summary": operation.title,
        "description": operation.words + (f"\n\nFurther rules, whose breach is a 400:\n{rules}" if rules else ""),
        "security": _render_security(operation),
        "requestBody": {
            "required": not loose,
            "content": {"application/json": {"schema": schema, "examples": examples}},
        },
        "responses": _list_responses(operation),
    }


def _render_security(operation: Operation) -> list[Json]:
    if operation.header != BRIDGE:
        return [{}, {operation.header: []}]
    pair: Json = {"authUsername": [], "authPassword": []}
    return [pair, {**pair, "authDomainName": []}]


def _list_responses(operation: Operation) -> Json:
    named = {"200": "Accepted", **{str(status): ERRORS[status][0] for status in operation.answers}, **operation.extra}
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in sorted(named.items())}


def _make_security_schemes(operations: list[Operation]) -> Json:
    domain = "Accepted, and only needed where the connection was set up with one"
    words = {
        "authUsername": "The user name of the bridge credential; it names the shop",
        "authPassword": "The password of the bridge credential",
        "authDomainName": domain,
        **{one.header: "The key repeated by the partner" for one in operations if one.header != BRIDGE},
    }
    return {name: {"type": "apiKey", "in": "header", "name": name, "description": text} for name, text in words.items()}


def _make_answer_schemas() -> Json:
    given = [(Error, "serialization"), (SellerAnswer, "serialization")]
    return dict(models_json_schema(given, ref_template=REF + "{model}")[1]["$defs"])  # type: ignore[arg-type] # as given


def _make_responses() -> Json:
    made = {code: _render_error(*texts) for texts in ERRORS.values() for code in texts[:1]}
    made["TOO_MANY_REQUESTS"]["headers"] = {
        "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}}
    }
    return {
        "Accepted": {"description": "Accepted; the body is empty."},
        "SellerAnswer": _render_answer(
            "Looked at: `hasError` tells how it ended.",
            {"$ref": f"{REF}SellerAnswer"},
            {"hasError": False, "errorMessage": None},
        ),
        "SellerNotFinished": _render_answer(
            "Not finished in 40 seconds, or too many of these calls are waiting: repeat it as it is. When it could not "
            "even be stored, the common error shape.",
            {"anyOf": [{"$ref": f"{REF}SellerAnswer"}, {"$ref": f"{REF}Error"}]},
            {"hasError": True, "errorMessage": "not finished yet: please repeat the call"},
        ),
        **made,
    }


def _render_error(code: str, message: str, description: str, words: str) -> Json:
    example = {"code": code, "message": message, "description": description}
    return _render_answer(words, {"$ref": f"{REF}Error"}, example)


def _render_answer(words: str, schema: Json, example: Any) -> Json:
    return {"description": words, "content": {"application/json": {"schema": schema, "example": example}}}
