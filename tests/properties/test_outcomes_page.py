"""docs/outcomes.md names every outcome there is, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from core.domain.exchange import UNDERWAY, State
from core.flows import deadlines, decisions
from tests.properties.laws import ENDS, OUTCOMES

ROOT = Path(__file__).resolve().parents[2]
CODE_AT = {"Move": 1, "write_history": 3}  # which argument is the code
SOURCES = [ROOT / "core/domain/exchange.py", *sorted((ROOT / "core/flows").glob("*.py"))]


def find_codes(tree: ast.AST) -> Iterator[str]:
    """Every code that is written out where a move is made, history is written or an exchange begins."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        found = [one.value for one in node.keywords if one.arg == "code" and node.func.id in (*CODE_AT, "Exchange")]
        place = CODE_AT.get(node.func.id)
        if place is not None and len(node.args) > place:
            found.append(node.args[place])
        for one in found:
            yield from _read(one)


def _read(node: ast.expr) -> Iterator[str]:
    """A text; a constant's name; a code taken from elsewhere (`step.code`, `code`) stands there already."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.Name) and node.id.isupper():
        yield str(getattr(deadlines, node.id))
    else:
        assert ast.unparse(node) in ("step.code", "code"), ast.unparse(node)


def read_codes() -> set[str]:
    """All codes of the source."""
    found = {code for path in SOURCES for code in find_codes(ast.parse(path.read_text()))}
    return found | {code for _state, code in decisions._MOVES.values()}


def read_page(heading: str) -> dict[str, str]:
    """First column of a section's table -> its second one."""
    section = (ROOT / "docs/outcomes.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", section, re.MULTILINE))


def test_every_code_of_an_exchange_is_on_the_page_and_the_reverse() -> None:
    assert read_codes() == set(read_page("Exchanges"))
    assert set(UNDERWAY) <= read_codes()
    assert len(read_codes()) > 25


def test_the_page_names_states_that_there_are() -> None:
    words = {word for cell in read_page("Exchanges").values() for word in re.findall(r"[a-z]+_[a-z]+", cell)}
    assert words <= {state.value for state in State}
    named = " ".join(read_page("Exchanges").values())
    assert all(state.value in named for state in State)


def test_events_and_effects_end_as_the_page_says() -> None:
    assert set(read_page("Events")) == OUTCOMES
    assert set(read_page("Effects")) == ENDS | {"pending", "sending"}


def test_the_product_knows_no_other_end() -> None:
    registry = (ROOT / "core/registry.py").read_text()
    assert set(re.findall(r'return Outcome\("([a-z_]+)"', registry)) == OUTCOMES
    relay = "".join(path.read_text() for path in (ROOT / "core/relay").glob("*.py"))
    relay += (ROOT / "core/flows/cancellations.py").read_text()
    ends = set(re.findall(r'end_effect\(\s*effect, "([a-z_]+)"', relay))
    ends |= set(re.findall(r'state\s*=\s*"([a-z_]+)"', relay))
    assert ends - {"pending", "sending"} <= ENDS
