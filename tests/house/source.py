"""The house's own source, as the checks of this folder read it."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BRIDGES = ("shopify_app", "rms_bridge", "oms_bridge")
PRODUCT = ("app.py", "core", *BRIDGES)
AROUND = ("migrations", "scripts")  # ours too, but not imported by the product
OWN = (*(name.removesuffix(".py") for name in PRODUCT), *AROUND)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def comments(self) -> Iterator[tuple[int, str]]:
        """Line number and text of each comment."""
        for token in tokenize.generate_tokens(StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and full dotted name of everything imported, at any depth; `from a import b` gives `a.b`."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, one.name) for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.lineno, f"{'.' * node.level}{node.module or ''}.{one.name}") for one in node.names]
        return found

    @cached_property
    def names(self) -> list[tuple[int, str]]:
        """Line and full dotted name of every name and attribute used, imports resolved: `time.monotonic`."""
        known = self._list_aliases()
        found = []
        for node in ast.walk(self.tree):
            name = _spell(node)
            if name:
                head, dot, rest = name.partition(".")
                found.append((node.lineno, known.get(head, head) + dot + rest))  # type: ignore[attr-defined] # a name
        return found

    def _list_aliases(self) -> dict[str, str]:
        aliases = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                aliases.update({one.asname: one.name for one in node.names if one.asname})
            elif isinstance(node, ast.ImportFrom):
                aliases.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
        return aliases


def _spell(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _spell(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def read_sources(*places: str) -> list[Source]:
    """Every Python file of these files and folders, new ones included."""
    paths = [path for place in places for path in _list_files(ROOT / place)]
    return [Source(str(path.relative_to(ROOT)), path.read_text()) for path in paths]


def _list_files(place: Path) -> Iterable[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def within(name: str, *packages: str) -> bool:
    """True when a dotted name is one of these modules or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
