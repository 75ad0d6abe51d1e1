"""The part of Shopify's search syntax that orders are looked for with. A term it does not know only warns."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from simulators.shopify.order_model import Order

TERM = re.compile(r"""(?P<not>-|NOT\s+)?(?P<field>\w+):(?P<op>>=|<=|>|<)?(?P<value>'[^']*'|"[^"]*"|[^\s()]+)""")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "": operator.eq,
}
FULFILLMENT = {"on_hold": "ON_HOLD", "fulfilled": "FULFILLED", "shipped": "FULFILLED", "partial": "PARTIALLY_FULFILLED"}

Test = Callable[[Order], bool]


def matcher(query: str | None) -> tuple[Test, list[dict[str, str]]]:
    """A test for orders, and warnings about what was not understood."""
    warnings: list[dict[str, str]] = []
    choices = [_all_of(part, warnings) for part in re.split(r"\s+OR\s+", query or "")]
    return (lambda order: any(choice(order) for choice in choices)), warnings


def _all_of(text: str, warnings: list[dict[str, str]]) -> Test:
    tests = [_term(found, warnings) for found in TERM.finditer(text)]
    words = [word for word in TERM.sub(" ", text).replace("(", " ").replace(")", " ").split() if word != "AND"]
    tests += [_bare_word(word.strip("'\"").casefold()) for word in words]
    return lambda order: all(test(order) for test in tests)


def _bare_word(word: str) -> Test:
    return lambda order: word in order.name.casefold() or any(word in tag.casefold() for tag in order.tags)


def _term(found: re.Match[str], warnings: list[dict[str, str]]) -> Test:
    field, op = found["field"], found["op"] or ""
    value = found["value"].strip("'\"")
    test = _known(field, op, value)
    if test is None:
        warnings.append({"field": field, "message": "Invalid search field for this query.", "code": "invalid_field"})
        return lambda order: True
    return (lambda order: not test(order)) if found["not"] else test


def _known(field: str, op: str, value: str) -> Test | None:
    low = value.casefold()
    simple: dict[str, Test] = {
        "tag": lambda order: low in {tag.casefold() for tag in order.tags},
        "tag_not": lambda order: low not in {tag.casefold() for tag in order.tags},
        "name": lambda order: order.name.casefold().lstrip("#") == low.lstrip("#"),
        "status": lambda order: low in ("any", _status(order)),
        "financial_status": lambda order: order.display_financial_status.casefold() == low,
        "fulfillment_status": lambda order: _fulfillment(order, low),
        "return_status": lambda order: order.return_status.casefold() == low,
    }
    if field == "id":
        return (lambda order: COMPARE[op](order.pk, int(value))) if value.isdigit() else None
    return _dated(field, op, value) if field in ("updated_at", "created_at", "processed_at") else simple.get(field)


def _dated(field: str, op: str, value: str) -> Test | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return lambda order: COMPARE[op](getattr(order, field), moment)


def _status(order: Order) -> str:
    return "cancelled" if order.cancelled_at else "closed" if order.closed else "open"


def _fulfillment(order: Order, wanted: str) -> bool:
    status = order.display_fulfillment_status
    if wanted in ("unfulfilled", "unshipped"):
        return status in ("UNFULFILLED", "ON_HOLD", "PARTIALLY_FULFILLED")
    return status == FULFILLMENT.get(wanted, wanted.upper())
