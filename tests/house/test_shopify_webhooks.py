"""`shopify.app.toml`, the handlers, the parser and the fixtures agree about every webhook topic (shopify.md §2)."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from core.domain.orders import OrderSnapshot
from core.errors import BadInput
from core.registry import Registry
from core.settings import ExchangeSettings
from shopify_app import parse
from shopify_app.hints import find_reference
from shopify_app.topics import API_VERSION, COMPLIANCE_TOPICS, ORDER_TOPICS, SOURCE
from tests.house.source import ROOT, on_sqlite
from tests.house.test_shopify_documents import TOML

FIXTURES = sorted((ROOT / "tests" / "fixtures" / "shopify").glob("*.json"))
ORDER_FIXTURES = [path for path in FIXTURES if path.name.startswith("orders_")]
SHOP_FIXTURES = [path for path in FIXTURES if path.name.startswith(("app_", "customers_", "shop_"))]
HINT_FIXTURES = [path for path in FIXTURES if path not in (*ORDER_FIXTURES, *SHOP_FIXTURES)]
SUBSCRIPTIONS: list[dict[str, Any]] = TOML["webhooks"]["subscriptions"]
DECLARED = [topic for one in SUBSCRIPTIONS for topic in (*one.get("topics", []), *one.get("compliance_topics", []))]
ORDERS = next(one for one in SUBSCRIPTIONS if one.get("name") == "orders")
FIELDS: list[str] = ORDERS["include_fields"]
PERSONAL = ("customer", "email", "phone", "address", "browser", "client", "ip", "note", "token", "user", "company")
RULES = ExchangeSettings()


def read_topic(name: str) -> str:
    """`orders_create__on_hold.json` -> `orders/create`; an undeclared topic stays as it is written."""
    stem = name.partition("__")[0]
    return next((topic for topic in DECLARED if topic.replace("/", "_") == stem), stem)


def reduce(body: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """The payload as Shopify sends it with `include_fields`."""
    kept = {name: value for name, value in body.items() if name in fields}
    for path in (field for field in fields if "." in field):
        name, _, part = path.partition(".")
        rows = kept.setdefault(name, [{} for _ in body[name]])
        for row, whole in zip(rows, body[name], strict=True):
            row.update({part: whole[part]} if part in whole else {})
    return kept


def read_snapshot(body: dict[str, Any]) -> OrderSnapshot | None:
    """What our parser makes of it; None when it refuses."""
    try:
        return parse.parse_order_webhook(body, RULES)
    except BadInput:
        return None


def list_fields(model: type[BaseModel], prefix: str = "") -> set[str]:
    """The paths a payload model reads; lists of names and values are taken whole."""
    found = set()
    for name, about in model.model_fields.items():
        inner = next((one for one in get_args(about.annotation) if _is_model(one)), None)
        found |= list_fields(inner, f"{prefix}{name}.") if inner else {prefix + name}
    return found


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not parse._Named


def _load(path: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text())
    return body


def test_the_version_is_the_one_we_speak() -> None:
    assert TOML["webhooks"]["api_version"] == API_VERSION == "2026-10"


def test_the_app_is_embedded_and_all_its_addresses_are_under_one() -> None:
    assert TOML["application_url"] == "https://app.example.com"
    assert TOML["embedded"] is True
    assert all(url.startswith(TOML["application_url"] + "/") for url in TOML["auth"]["redirect_urls"])
    assert {one["uri"] for one in SUBSCRIPTIONS} == {"/webhooks/shopify"}


@on_sqlite
def test_every_declared_topic_has_a_handler_and_the_reverse(registry: Registry) -> None:
    assert len(set(DECLARED)) == len(DECLARED)
    assert set(DECLARED) == {topic for source, topic in registry.handlers if source == SOURCE}


def test_the_privacy_topics_are_declared_as_such() -> None:
    declared = [topic for one in SUBSCRIPTIONS for topic in one.get("compliance_topics", [])]
    assert (
        sorted(declared) == sorted(COMPLIANCE_TOPICS) == ["customers/data_request", "customers/redact", "shop/redact"]
    )


def test_the_order_topics_come_in_one_subscription_without_a_filter() -> None:
    assert sorted(ORDERS["topics"]) == sorted(ORDER_TOPICS)
    assert "filter" not in ORDERS  # one on tags would hold back the delivery that says a tag is gone


def test_every_declared_topic_has_a_fixture_and_the_reverse() -> None:
    assert {read_topic(path.name) for path in FIXTURES} == set(DECLARED)
    assert all("__" in path.stem for path in FIXTURES)


def test_every_fixture_names_its_source() -> None:
    told = (ROOT / "tests" / "fixtures" / "shopify" / "SOURCES.md").read_text()
    for path in FIXTURES:
        assert any(f"`{path.name}`" in line and "MIT" in line for line in told.splitlines()), path.name


@pytest.mark.parametrize("path", HINT_FIXTURES, ids=lambda path: path.stem)
def test_a_hint_names_an_order_or_something_that_has_one(path: Any) -> None:
    assert find_reference(_load(path)) is not None


@pytest.mark.parametrize("path", ORDER_FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_is_a_whole_payload(path: Any) -> None:
    body = _load(path)
    assert {"customer", "company", "current_shipping_price_set", "returns"} <= set(body)
    assert read_snapshot(body) is not None


@pytest.mark.parametrize("path", ORDER_FIXTURES, ids=lambda path: path.stem)
def test_a_reduced_delivery_says_the_same_as_a_whole_one(path: Any) -> None:
    body = _load(path)
    reduced = reduce(body, FIELDS)
    assert set(reduced) == {field.partition(".")[0] for field in FIELDS}
    assert len(json.dumps(reduced)) < len(json.dumps(body)) / 3
    whole = read_snapshot(body)
    assert whole is not None
    assert read_snapshot(reduced) == whole


def test_the_included_fields_are_exactly_those_the_parser_reads() -> None:
    assert sorted(FIELDS) == sorted({*list_fields(parse._OrderPayload), "admin_graphql_api_id"})


@pytest.mark.parametrize("field", sorted(set(FIELDS) - {"admin_graphql_api_id"}))
def test_no_field_is_asked_for_in_vain(field: str) -> None:
    bodies = [_load(path) for path in ORDER_FIXTURES]
    fewer = [one for one in FIELDS if one != field]
    assert any(read_snapshot(reduce(body, fewer)) != read_snapshot(body) for body in bodies)


def test_deliveries_are_never_taken_for_repeats() -> None:
    assert "updated_at" in FIELDS


def test_nothing_about_the_customer_is_asked_for() -> None:
    words = {word for field in FIELDS if field != "note_attributes" for word in field.replace(".", "_").split("_")}
    assert words & set(PERSONAL) == set()
