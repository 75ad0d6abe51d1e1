"""Every GraphQL document is valid in the real schema and within the scopes the app asks for (shopify.md §3.6)."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterable

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_object_type,
    parse,
    specified_rules,
    validate,
    visit,
)

from shopify_app import queries
from shopify_app.topics import API_VERSION
from shopify_app.topics import SCOPES as SCOPES_OF_CODE
from simulators.shopify.schema import DATA, admin_schema
from tests.flows.stage import SCOPES as SCOPES_OF_TESTS
from tests.house.source import PRODUCT, ROOT, read_sources

OPERATION = re.compile(r"^\s*(#[^\n]*\n\s*)*(query|mutation|subscription)\b[^.\n]*[({]")
TOML = tomllib.loads((ROOT / "shopify.app.toml").read_text())
SCOPES = frozenset(TOML["access_scopes"]["scopes"].split(","))
# "Type" or "Type.field" -> scopes of which one is needed. The schema names none for the tag mutations: the
# documentation says "the scope of the resource" (shopify.md §3.6).
ACCESS: dict[str, list[str]] = {
    **json.loads((DATA / f"access_scopes_{API_VERSION}.json").read_text()),
    "Mutation.tagsAdd": ["write_orders"],
    "Mutation.tagsRemove": ["write_orders"],
}
TOPIC_ACCESS = {
    "orders": {"read_orders"},
    "refunds": {"read_orders"},
    "returns": {"read_returns"},
    "fulfillment_orders": {"read_merchant_managed_fulfillment_orders"},
    "fulfillment_holds": {"read_merchant_managed_fulfillment_orders"},
    "bulk_operations": set(),
    "app": set(),
}
Group = frozenset[str]


class _Access(Visitor):
    """Collects what each field, the type it is on and the type it answers need."""

    def __init__(self, types: TypeInfo):
        super().__init__()
        self.types = types
        self.groups: dict[str, Group] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, answer = self.types.get_parent_type(), get_named_type(self.types.get_type())
        assert parent is not None
        # an interface is checked on the types its fragments name
        answered = answer.name if answer is not None and is_object_type(answer) else ""
        for key in (f"{parent.name}.{node.name.value}", parent.name, answered):
            if key in ACCESS:
                self.groups[key] = frozenset(ACCESS[key])


def find_access(document: DocumentNode) -> dict[str, Group]:
    """What a document needs: key -> scopes of which one must be granted."""
    types = TypeInfo(admin_schema())
    found = _Access(types)
    visit(document, TypeInfoVisitor(types, found))
    return found.groups


def grant(scopes: Iterable[str]) -> set[str]:
    """A write scope implies its read scope."""
    return {*scopes, *(re.sub("^write_", "read_", scope) for scope in scopes)}


def find_uncovered(scopes: Iterable[str]) -> set[str]:
    """What documents and topics need beyond these scopes."""
    granted = grant(scopes)
    documents = (find_access(parse(text)).items() for text in queries.DOCUMENTS.values())
    missing = {key for groups in documents for key, group in groups if not group & granted}
    topics = {topic for one in TOML["webhooks"]["subscriptions"] for topic in one.get("topics", [])}
    return missing | {topic for topic in topics if not TOPIC_ACCESS[topic.partition("/")[0]] <= granted}


@pytest.mark.parametrize("name", queries.DOCUMENTS)
def test_each_document_is_valid_and_holds_one_named_operation(name: str) -> None:
    document = parse(queries.DOCUMENTS[name])
    assert validate(admin_schema(), document, [*specified_rules, NoDeprecatedCustomRule]) == []
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    assert len(operations) == 1
    assert operations[0].name is not None
    assert operations[0].name.value.lower() == name.replace("_", "").lower()


@pytest.mark.parametrize(
    "planted",
    [
        "mutation A($id: ID!) { tagsAdd(id: $id, tag: []) { node { id } } }",
        "query A($id: ID!) { order(id: $id) { code } }",
        "query A($id: ID!) { order(id: $id) { id } shop { id } } query A { shop { name } }",
    ],
)
def test_a_made_up_field_would_be_found(planted: str) -> None:
    assert validate(admin_schema(), parse(planted))


def test_every_document_is_listed_under_its_own_name() -> None:
    written = {name: text for name, text in vars(queries).items() if isinstance(text, str) and OPERATION.match(text)}
    assert written == queries.DOCUMENTS


def test_documents_are_written_nowhere_else() -> None:
    elsewhere = [
        f"{source.path}:{node.lineno}"
        for source in read_sources(*PRODUCT)
        if source.path != "shopify_app/queries.py"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OPERATION.match(node.value)
    ]
    assert elsewhere == []


@pytest.mark.parametrize(
    "planted", ["query { shop { id } }", "\n# why\nmutation Add($id: ID!) {", "query Read {\n a }"]
)
def test_an_operation_is_known_by_its_first_words(planted: str) -> None:
    assert OPERATION.match(planted)
    assert not OPERATION.match("query the far side again")


def test_the_scopes_cover_every_document_and_topic() -> None:
    assert find_uncovered(SCOPES) == set()


def test_no_scope_is_wider_than_needed() -> None:
    assert {scope for scope in SCOPES if not find_uncovered((SCOPES - {scope}) | _narrow(scope))} == set()


def _narrow(scope: str) -> set[str]:
    return {scope.replace("write_", "read_")} if scope.startswith("write_") else set()


@pytest.mark.parametrize(
    ("planted", "needs"),
    [
        ("mutation A($id: ID!) { tagsAdd(id: $id, tags: []) { userErrors { field } } }", "write_orders"),
        ("query A($id: ID!) { order(id: $id) { customer { id } } }", "read_customers"),
        ("query A($id: ID!) { node(id: $id) { ... on Order { lineItems(first: 1) { nodes { variant { id } } } } } }",
         "read_products"),
    ],
)  # fmt: skip
def test_a_scope_that_is_missing_would_be_found(planted: str, needs: str) -> None:
    assert any(needs in group for group in find_access(parse(planted)).values())


def test_the_code_and_the_flow_tests_know_the_same_scopes() -> None:
    assert set(SCOPES_OF_TESTS) == set(SCOPES_OF_CODE) == SCOPES
