"""Failpoints: each is somewhere in the product, and nothing in the product can arm one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from core.failpoints import NAMES, TRANSACTIONS
from tests.house.source import PRODUCT, read_sources, within

STEPS = ("before", "before_commit", "after_commit")


def list_named(method: str) -> Iterator[str]:
    """The literal first argument of every call of a function or method of this name in the product."""
    for source in read_sources(*PRODUCT):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name == method and isinstance(node.args[0].value, str):
                    yield node.args[0].value


def test_every_failpoint_is_in_the_product_and_the_other_way_round() -> None:
    written = set(list_named("write"))
    assert written == set(TRANSACTIONS)
    steps = {name for name in NAMES if name.rpartition(".")[0] in TRANSACTIONS and name.rpartition(".")[2] in STEPS}
    assert set(list_named("hit")) == NAMES - steps


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 25


def test_nothing_in_the_product_arms_them() -> None:
    for source in read_sources(*PRODUCT):
        if source.path != "core/failpoints.py":
            used = [name for _, name in (*source.names, *source.imports)]
            assert not [name for name in used if within(name, "core.failpoints.arm", "core.failpoints._hooks")]
