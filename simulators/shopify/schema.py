"""The real Admin schema, and refusals worded as the live API words them."""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_client_schema, parse, validate

API_VERSION = "2026-10"
DATA = Path(__file__).parent / "data"

# graphql-core's words -> (Shopify's words, extensions.code, names of the extension keys)
WORDINGS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        r"Cannot query field '(\w+)' on type '(\w+)'",
        "Field '{0}' doesn't exist on type '{1}'",
        "undefinedField",
        ("fieldName", "typeName"),
    ),
    (
        r"Unknown argument '(\w+)' on field '\w+\.(\w+)'",
        "Field '{1}' doesn't accept argument '{0}'",
        "argumentNotAccepted",
        ("argumentName", "name"),
    ),
    (
        r"Argument '\w+\.(\w+)\(.*?(\w+):\)' of type",
        "Field '{0}' is missing required arguments: {1}",
        "missingRequiredArguments",
        ("name", "arguments"),
    ),
    (
        r"Field '(\w+)' argument '(\w+)' of type",
        "Field '{0}' is missing required arguments: {1}",
        "missingRequiredArguments",
        ("name", "arguments"),
    ),
    (
        r"Variable '\$(\w+)' of type '(.+?)' used in position expecting type '(.+?)'",
        "Type mismatch on variable ${0} and argument ({1} / {2})",
        "variableMismatch",
        ("variableName", "typeName", "argumentTypeName"),
    ),
    (
        r"Variable '\$(\w+)' is never used",
        "Variable ${0} is declared by the operation but not used",
        "variableNotUsed",
        ("variableName",),
    ),
    (
        r"Variable '\$(\w+)' is not defined",
        "Variable ${0} is used but not declared",
        "variableNotDefined",
        ("variableName",),
    ),
    (
        r"Field '(\w+)' of type '(.+?)' must have a selection of subfields",
        "Field must have selections (field '{0}' returns {1} but has no selections)",
        "selectionMismatch",
        ("nodeName", "typeName"),
    ),
)


@functools.cache
def admin_schema() -> GraphQLSchema:
    """Built once per process (0.4 s). The published schema breaks a GraphQL rule, hence assume_valid."""
    with gzip.open(DATA / f"admin_{API_VERSION}.json.gz") as packed:
        return build_client_schema(json.load(packed), assume_valid=True)


@functools.lru_cache(maxsize=512)
def checked(text: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    """The parsed document, or what is wrong with it; the same texts come again and again."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(admin_schema(), document))


def live_error(error: GraphQLError) -> dict[str, Any]:
    """One refused document as the live API shows it."""
    told: dict[str, Any] = error.formatted  # type: ignore[assignment]
    for pattern, words, code, keys in WORDINGS:
        found = re.match(pattern, error.message.replace('"', "'"))
        if found:
            extensions = {"code": code, **dict(zip(keys, found.groups(), strict=False))}
            return {**told, "message": words.format(*found.groups()), "extensions": extensions}
    return told


def variable_error(error: GraphQLError) -> dict[str, Any]:
    """A variable of the wrong type or a missing one."""
    found = re.search(r"[Vv]ariable '\$(\w+)'(?: of (?:required |non-null )?type '(.+?)')?", error.message)
    name, kind = (found.group(1), found.group(2)) if found else ("?", None)
    of_type = f" of type {kind}" if kind else ""
    problem = {"path": [], "explanation": error.message}
    return {
        "message": f"Variable ${name}{of_type} was provided invalid value",
        "locations": error.formatted.get("locations", []),
        "extensions": {"code": "INVALID_VARIABLE", "problems": [problem]},
    }
