"""Which access scopes a token needs for what it asks, field by field."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from graphql import GraphQLError, GraphQLObjectType, GraphQLResolveInfo, get_named_type

from simulators.shopify.schema import API_VERSION, DATA

Info: TypeAlias = "GraphQLResolveInfo[Any]"

DEFAULT_SCOPES = ("write_orders", "write_order_edits", "write_returns", "write_merchant_managed_fulfillment_orders")
DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"

# The schema names no scope for these; the documentation does.
BY_DOCUMENTATION = {
    "Mutation.tagsAdd": ["write_orders"],
    "Mutation.tagsRemove": ["write_orders"],
    "Mutation.refundCreate": ["write_orders"],
}


@functools.cache
def _table() -> dict[str, list[str]]:
    text = (DATA / f"access_scopes_{API_VERSION}.json").read_text()
    return {**json.loads(text), **BY_DOCUMENTATION}


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """A write scope implies its read scope."""
    given = set(scopes)
    return frozenset(given | {"read_" + scope[6:] for scope in given if scope.startswith("write_")})


@functools.lru_cache(maxsize=4096)
def _needed(parent: str, field: str, answer: str) -> tuple[tuple[str, ...], ...]:
    """Each group must have one granted scope: the field itself, the type it is on, the type it answers."""
    table = _table()
    return tuple(tuple(table[key]) for key in (f"{parent}.{field}", parent, answer) if key in table)


def check_access(info: Info, scopes: frozenset[str]) -> None:
    """Refuse the field as the live API does: HTTP 200, this field null, ACCESS_DENIED in `errors`."""
    answer = get_named_type(info.return_type)
    # An interface is checked on the concrete type, when its fields are read.
    name = answer.name if isinstance(answer, GraphQLObjectType) else ""
    for group in _needed(info.parent_type.name, info.field_name, name):
        if scopes.isdisjoint(group):
            raise _denied(info.field_name, group)


def _denied(field: str, group: tuple[str, ...]) -> GraphQLError:
    required = " or ".join(f"`{scope}` access scope" for scope in group) + "."
    return GraphQLError(
        f"Access denied for {field} field. Required access: {required}",
        extensions={"code": "ACCESS_DENIED", "documentation": DOCUMENTATION, "requiredAccess": required},
    )
