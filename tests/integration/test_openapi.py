"""The published contract as a document and as a page: whole, true to the app, and safe to show to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import BaseModel

from app import create_app
from core.config import Config
from core.reading import MAX_DEPTH
from core.settings import RmsSettings
from oms_bridge.parse import SellerCancellation, parse_seller_cancellation
from rms_bridge.contract import CreateReturnOrder, ReturnNotification, ReturnsProcessingUpdate
from rms_bridge.contract_conditions import list_required_fields
from rms_bridge.openapi import INTRODUCTION, OWN_PATHS, PREFIXES
from rms_bridge.parse import parse_notification, parse_processing_update, parse_return_order
from rms_bridge.schemas import REF, WHEN, find_object
from tests.integration.conftest import settings_of_tests

Json = dict[str, Any]
MODELS = (CreateReturnOrder, ReturnNotification, ReturnsProcessingUpdate, SellerCancellation)
READERS = {
    "/rms/return-orders": lambda body: parse_return_order(body, RmsSettings()),
    "/rms/notifications": lambda body: parse_notification(body, RmsSettings()),
    "/rms/returns-processing-updates": parse_processing_update,
    "/oms/return-acknowledgements": parse_processing_update,
    "/oms/seller-cancellations": parse_seller_cancellation,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Flask:
    """The app; these pages open no database."""
    folder = tmp_path_factory.mktemp("openapi")
    return create_app(Config(**settings_of_tests(f"sqlite:///{folder}/never.db", valkey, folder)))


@pytest.fixture(scope="module")
def document(built: Flask) -> Json:
    answer = built.test_client().get("/rms/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return dict(answer.get_json())


@pytest.fixture(scope="module")
def page(built: Flask) -> str:
    answer = built.test_client().get("/rms/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return answer.text


def list_operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        yield from ((path, method, one) for method, one in item.items() if method != "parameters")


def content_of(operation: Json) -> Json:
    return dict(operation["requestBody"]["content"]["application/json"])


def test_it_is_valid_openapi(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_bridge_route_is_in_it_and_nothing_else(built: Flask, document: Json) -> None:
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in built.url_map.iter_rules()
        if rule.rule.startswith(PREFIXES) and rule.rule not in OWN_PATHS
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in list_operations(document)} == routes


def test_a_route_that_is_not_registered_is_not_promised(tmp_path: Any, valkey: str, built: Flask) -> None:
    from rms_bridge.openapi import build_document

    app = Flask("part")
    app.add_url_rule("/rms/notifications", view_func=lambda: "", methods=["POST"])
    part = build_document(app, "https://bridge.example/", {})
    validate(part, cls=OpenAPIV31SpecValidator)
    assert [*part["paths"]] == ["/rms/notifications"]
    assert part["servers"] == [{"url": "https://bridge.example"}]
    assert "CreateReturnOrder" not in part["components"]["schemas"]


def list_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and all that its fields hold."""
    yield model
    for field in model.model_fields.values():
        yield from _list_inside(field.annotation)


def _list_inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from list_models(annotation)
    for one in getattr(annotation, "__args__", ()):
        yield from _list_inside(one)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
def test_every_field_of_every_model_is_in_it(document: Json, model: type[BaseModel]) -> None:
    for one in list_models(model):
        schema = document["components"]["schemas"][one.__name__]
        names = {field.alias or name: field for name, field in one.model_fields.items()}
        assert set(schema["properties"]) == set(names)
        assert set(schema.get("required", ())) == {name for name, field in names.items() if field.is_required()}
        assert all(field["description"] for field in schema["properties"].values())


@pytest.mark.parametrize("path", ["/hooks/clickpost/{key}", "/hooks/st/{key}"])
def test_every_field_that_is_read_of_a_partner_is_described(document: Json, path: str) -> None:
    def prove(schema: Json) -> None:
        for field in schema.get("properties", {}).values():
            assert field["description"]
            assert "type" not in field  # another type counts as not given
            prove(field)
            prove(field.get("items", {}))

    schema = content_of(document["paths"][path]["post"])["schema"]
    assert schema["properties"]
    prove(schema)


@pytest.mark.parametrize("aggregator", ["CLICKPOST", "SHIPROCKET"])
@pytest.mark.parametrize("source", ["partner", "increff"])
def test_what_a_shop_must_send_is_said_of_the_field(document: Json, source: str, aggregator: str) -> None:
    courier = ["brand", "subTaxItemData.rate"]
    rms = RmsSettings.model_validate({"awb_source": source, "aggregator": aggregator, "courier_fields": courier})
    for path in list_required_fields(rms):
        field = find_field(document, path.split("."))
        assert f"`{source}`" in field[WHEN]
        assert field[WHEN] in field["description"]


def find_field(document: Json, names: list[str]) -> Json:
    schema = document["components"]["schemas"]["CreateReturnOrder"]
    for name in names[:-1]:
        schema = document["components"]["schemas"][find_object(schema["properties"][name])]
    return dict(schema["properties"][names[-1]])


def test_every_example_is_what_its_door_reads(document: Json) -> None:
    for path, _, operation in list_operations(document):
        examples = content_of(operation)["examples"]
        assert examples
        for one in examples.values():
            READERS.get(path, lambda body: body)(one["value"])


def test_every_answer_of_the_design_is_in_it(document: Json) -> None:
    for path, _, operation in list_operations(document):
        wanted = {"200", "400", "401", "408", "413", "429", "500", "503"}
        wanted |= {"415"} if "/hooks/" not in path else set()
        assert set(operation["responses"]) == wanted


def test_every_error_has_the_shape_of_the_design(document: Json) -> None:
    responses = document["components"]["responses"]
    errors = {name: one for name, one in responses.items() if name.isupper()}
    assert len(errors) == 8
    for code, answer in errors.items():
        content = answer["content"]["application/json"]
        assert content["schema"] == {"$ref": f"{REF}Error"}
        assert set(content["example"]) == {"code", "message", "description"}
        assert content["example"]["code"] == code
    assert "Retry-After" in responses["TOO_MANY_REQUESTS"]["headers"]


def test_credentials_are_header_schemes(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {"authUsername", "authPassword", "authDomainName"} <= set(schemes)
    assert all((one["type"], one["in"], one["name"]) == ("apiKey", "header", name) for name, one in schemes.items())
    for path, _, operation in list_operations(document):
        needed = [set(one) for one in operation["security"]]
        if "/hooks/" not in path:
            assert {"authUsername", "authPassword"} in needed
            assert all({"authUsername", "authPassword"} <= one for one in needed)


def test_what_is_said_of_nesting_is_true() -> None:
    assert f"deeper than {MAX_DEPTH}" in INTRODUCTION


def test_operation_ids_differ(document: Json) -> None:
    ids = [operation["operationId"] for _, _, operation in list_operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z]+", one) for one in ids)


class Outline(HTMLParser):
    """What a page asks a browser to fetch or run, and whether its tags close."""

    VOID = frozenset({"meta", "link", "br", "wbr", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}>"


def test_the_page_names_every_endpoint_field_and_error(document: Json, page: str) -> None:
    text = re.sub(r"<[^>]+>", "", page)
    for path, method, operation in list_operations(document):
        assert path in text
        assert method.upper() in text
        assert operation["summary"] in text
    for model in MODELS:
        assert all((field.alias or name) in text for name, field in model.model_fields.items())
    assert all(code in text for code in document["components"]["responses"] if code.isupper())
    assert "Not finished in 40 seconds" in text  # beside the 503 that every endpoint has
    assert all(name in text for name in document["components"]["securitySchemes"])


def test_the_page_is_well_formed_and_every_anchor_is_there(page: str) -> None:
    outline = Outline(page)
    assert not outline.open
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    links = [str(attributes["href"]) for tag, attributes in outline.tags if tag == "a"]
    assert len(set(ids)) == len(ids)
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(ids)
    assert [link for link in links if not link.startswith("#")] == ["openapi.json"]


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    tags = Outline(page).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for _, attributes in tags for name in attributes if name in ("src", "style") or name[:2] == "on"]
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_forbids_everything_but_its_own_style(built: Flask) -> None:
    seen = set()
    for _ in range(2):
        answer = built.test_client().get("/rms/docs")
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        nonce = policy.pop("style-src").removeprefix("'nonce-").removesuffix("'")
        assert policy == dict.fromkeys(
            ("default-src", "object-src", "base-uri", "form-action", "frame-ancestors"), "'none'"
        )
        assert answer.text.count(f'<style nonce="{nonce}">') == 1
        seen.add(nonce)
    assert len(seen) == 2
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/rms/openapi.json", "/rms/docs"])
def test_they_are_read_only(built: Flask, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert built.test_client().open(path, method=method).status_code == 405
