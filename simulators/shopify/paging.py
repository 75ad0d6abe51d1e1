"""Cursor paging that stays right while things are added or move, because a cursor holds values, not a position."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

LARGEST_PAGE = 250


def page(
    items: Sequence[Any],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
    key: Callable[[Any], list[Any]] | None = None,
    **_other: Any,
) -> dict[str, Any]:
    """A connection. Without a key, items are in the order of their ids."""
    key = key or (lambda item: [getattr(item, "pk", 0)])
    _check_size(first, last)
    rows = sorted(((key(item), item) for item in items), key=lambda row: row[0], reverse=reverse)
    start = _after(rows, after, reverse) if after else 0
    end = _before(rows, before, reverse) if before else len(rows)
    if last is not None and first is None:
        low, high = max(start, end - last), end
    else:
        low, high = start, min(end, start + (first or 0))
    return _connection(rows[low:high], low > 0, high < len(rows))


def _check_size(first: int | None, last: int | None) -> None:
    if first is None and last is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    for name, value in (("first", first), ("last", last)):
        if value is not None and not 0 < value <= LARGEST_PAGE:
            raise GraphQLError(f"{name} must be between 1 and {LARGEST_PAGE}", extensions={"code": "BAD_REQUEST"})


def _connection(rows: list[tuple[list[Any], Any]], more_before: bool, more_after: bool) -> dict[str, Any]:
    edges = [{"cursor": _cursor(key), "node": item} for key, item in rows]
    info = {
        "hasNextPage": more_after,
        "hasPreviousPage": more_before,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "nodes": [item for _, item in rows], "pageInfo": info}


def _cursor(key: list[Any]) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def _read(cursor: str) -> list[Any]:
    try:
        key = json.loads(base64.b64decode(cursor, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, list):
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"})
    return key


def _passed(row: list[Any], cursor: list[Any], reverse: bool) -> bool:
    try:
        return row < cursor if reverse else row > cursor
    except TypeError as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error


def _after(rows: list[tuple[list[Any], Any]], cursor: str, reverse: bool) -> int:
    key = _read(cursor)
    return next((n for n, row in enumerate(rows) if _passed(row[0], key, reverse)), len(rows))


def _before(rows: list[tuple[list[Any], Any]], cursor: str, reverse: bool) -> int:
    key = _read(cursor)
    return next((n for n, row in enumerate(rows) if row[0] == key or _passed(row[0], key, reverse)), len(rows))
