"""Pages of docs/ as the checks of this folder read them: the code and the tests they name are to be there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.house.source import ROOT

_NAMED = re.compile(r"`((?!/)[\w./-]*[\w-]\.(?:py|html|js|css|toml|txt|yaml|json|md|example))(?:::(\w+))?`")


def read_page(name: str) -> str:
    """The text of a page of docs/."""
    return (ROOT / "docs" / name).read_text()


def list_named(page: str) -> list[tuple[str, str]]:
    """Every file in backticks, and after `::` what it defines, or an empty text."""
    return sorted(set(_NAMED.findall(page)))


def find_file(named: str) -> Path:
    """Where a named file is, or should be. A test named without its folder may be in any."""
    bare = (ROOT / "tests").rglob(named) if named.startswith("test_") else ()
    return next(iter(bare), ROOT / named)


@cache
def list_defined(path: Path) -> set[str]:
    """What a Python file defines at its top: functions and classes."""
    body = ast.parse(path.read_text()).body
    return {one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def find_missing(page: str) -> list[str]:
    """What a page names and is not there."""
    missing = []
    for named, inside in list_named(page):
        path = find_file(named)
        if not path.is_file() or (inside and inside not in list_defined(path)):
            missing.append(f"{named}::{inside}" if inside else named)
    return missing
