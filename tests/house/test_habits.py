"""The habits of DESIGN §4 that a reader should not have to watch over."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.house.source import AROUND, BRIDGES, PRODUCT, ROOT, Source, read_sources

MOST_LINES = 300
HOLLOW_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
MACHINE_PATHS = re.compile(r"(^|[^\w.])/(work|root|tmp|home|Users|var/tmp)/")
SILENCERS = (
    re.compile(r"#\s*type:\s*ignore(?P<codes>\[[^\]]+\])?(?P<reason>.*)"),
    re.compile(r"#\s*noqa(?P<codes>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?P<reason>.*)"),
)
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\d[A-Za-z0-9.!+]*")
Find = Callable[[Source], Iterable[tuple[int, str]]]


def find_length(source: Source) -> Iterator[tuple[int, str]]:
    """A file that is too long. A migration is one statement after another, and is read once."""
    if source.path.startswith("migrations/versions/"):
        return
    lines = len(source.text.splitlines())
    if lines > MOST_LINES:
        yield lines, "lines"


def find_hollow_name(source: Source) -> Iterator[tuple[int, str]]:
    """A file or folder whose name says nothing."""
    for part in source.path.removesuffix(".py").split("/"):
        if HOLLOW_NAMES & set(part.lower().split("_")):
            yield 1, part


def find_undescribed(source: Source) -> Iterator[tuple[int, str]]:
    """Public functions and classes, and public methods of public classes, without a docstring; and the file itself."""
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield 1, "the file"
    yield from _find_undescribed(source.tree.body)


def _find_undescribed(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef):
            yield from _find_undescribed(node.body)


def find_unexplained(source: Source) -> Iterator[tuple[int, str]]:
    """Silenced checks that name no code, or give no reason after it."""
    for line, comment in source.comments:
        for silencer in SILENCERS:
            found = silencer.search(comment)
            if found and not (found["codes"] and re.match(r"\s*[-#–:]?\s*(?!type:|noqa)\w", found["reason"])):
                yield line, comment


def find_bare_except(source: Source) -> Iterator[tuple[int, str]]:
    """`except:`, which swallows even the wish to stop."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "except:"


def find_print(source: Source) -> Iterator[tuple[int, str]]:
    """Calls of print."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "builtins.print"):
            yield node.lineno, "print"


def find_machine_path(source: Source) -> Iterator[tuple[int, str]]:
    """Texts that name a folder of one machine."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if MACHINE_PATHS.search(text):
                yield node.lineno, text[:80]


OURS = (*PRODUCT, *AROUND)
HOUSE = (*OURS, "simulators", "tests")
HABITS: dict[str, tuple[Find, tuple[str, ...], Source]] = {
    "length": (find_length, HOUSE, Source("a.py", "a = 1\n" * (MOST_LINES + 1))),
    "hollow_name": (find_hollow_name, HOUSE, Source("core/order_utils.py", "")),
    "undescribed": (find_undescribed, ("core", *BRIDGES), Source("a.py", '"""A."""\ndef find(): ...')),
    "unexplained": (find_unexplained, OURS, Source("a.py", "a = 1  # noqa: F401\n")),
    "bare_except": (find_bare_except, OURS, Source("a.py", "try:\n    a = 1\nexcept:\n    pass")),
    "print": (find_print, PRODUCT, Source("a.py", "print(1)")),
    "machine_path": (find_machine_path, OURS, Source("a.py", "a = f'/tmp/{b}'")),
}


@pytest.mark.parametrize("habit", HABITS)
def test_the_habit_is_kept(habit: str) -> None:
    find, places, _ = HABITS[habit]
    sources = read_sources(*places)
    assert len(sources) > 40
    found = [f"{one.path}:{line} {what}" for one in sources for line, what in find(one)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("habit", HABITS)
def test_each_habit_can_be_broken(habit: str) -> None:
    find, _, planted = HABITS[habit]
    assert list(find(planted))
    assert not list(find(Source("core/orders.py", '"""Orders."""\n\nFIRST = "/webhooks/shopify"\n')))


def test_a_method_needs_its_docstring_too() -> None:
    text = '"""A."""\nclass A:\n    """B."""\n    def find(self): ...\n    def _find(self): ...\nclass _B: ...\n'
    assert list(find_undescribed(Source("a.py", text))) == [(4, "find")]


@pytest.mark.parametrize(
    ("comment", "explained"),
    [
        ("# noqa", False),
        ("# noqa: BLE001", False),
        ("# noqa: BLE001, S110", False),
        ("# noqa - ours", False),
        ("# noqa: BLE001 - a fault of ours", True),
        ("# noqa: N801 reads as SQL", True),
        ("# type: ignore", False),
        ("# type: ignore[misc]", False),
        ("# type: ignore[misc]  # noqa: F401", False),
        ("# type: ignore[misc,name-defined] # it has no types", True),
    ],
)
def test_a_silencer_needs_its_code_and_its_reason(comment: str, explained: bool) -> None:
    assert (not list(find_unexplained(Source("a.py", f"a = 1  {comment}\n")))) is explained


def find_unpinned(text: str) -> list[str]:
    """Requirements that may change by themselves."""
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and line[0] != "#" and line[:3] != "-r " and not PINNED.fullmatch(line)]


def test_every_requirement_is_pinned() -> None:
    files = sorted(ROOT.glob("requirements*.txt"))
    assert len(files) >= 2
    assert {path.name: find_unpinned(path.read_text()) for path in files} == {path.name: [] for path in files}


@pytest.mark.parametrize("planted", ["flask", "flask>=3", "flask==3.*", "flask~=3.1.3", "git+https://x.example/y"])
def test_an_unpinned_requirement_would_be_found(planted: str) -> None:
    assert find_unpinned(planted) == [planted]
    assert find_unpinned("# why\n-r requirements.txt\npsycopg[binary]==3.3.9\ntypes-requests==2.33.0.20261030") == []
