"""docs/security.md and docs/asvs.md name code and tests that are there, and leave no requirement out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.house.pages import find_missing, list_named, read_page

PAGES = ["security.md", "asvs.md", "proof.md"]
# OWASP ASVS 5.0.0: the numbers of levels 1 and 2; `2.1.2-3` is 2.1.2 and 2.1.3
LEVEL_1 = """1.2.1-5 1.3.1-2 1.5.1 2.1.1 2.2.1-2 2.3.1 3.2.1-2 3.3.1 3.4.1-2 3.5.1-3 4.1.1 4.4.1 5.2.1-2
5.3.1-2 6.1.1 6.2.1-8 6.3.1-2 6.4.1-2 7.2.1-4 7.4.1-2 8.1.1 8.2.1-2 8.3.1 9.1.1-3 9.2.1 10.4.1-5 11.3.1-2 11.4.1
12.1.1 12.2.1-2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1 15.3.1"""
LEVEL_2 = """1.1.1-2 1.2.6-9 1.3.3-11 1.4.1-3 1.5.2 2.1.2-3 2.2.3 2.3.2-4 2.4.1 3.3.2-4 3.4.3-6 3.5.4-5
3.7.1-2 4.1.2-3 4.2.1 4.3.1-2 4.4.2-4 5.1.1 5.2.3 5.4.1-3 6.1.2-3 6.2.9-12 6.3.3-4 6.4.3-4 6.5.1-5 6.6.1-3
6.8.1-4 7.1.1-3 7.3.1-2 7.4.3-5 7.5.1-2 7.6.1-2 8.1.2 8.2.3 8.4.1 9.2.2-4 10.1.1-2 10.2.1-2 10.3.1-4 10.4.6-11
10.5.1-5 10.6.1-2 10.7.1-3 11.1.1-2 11.2.1-3 11.3.3 11.4.2-4 11.5.1 11.6.1 12.1.2-3 12.3.1-4 13.1.1 13.2.1-5
13.3.1-2 13.4.2-5 14.1.1-2 14.2.2-4 14.3.2-3 15.1.2-3 15.2.2-3 15.3.2-7 16.1.1 16.2.1-5 16.3.1-4 16.4.1-3
16.5.1-3 17.1.1 17.2.1-4 17.3.1-2"""
STATES = ("yes", "partly", "no", "not applicable")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in read_page("asvs.md").splitlines()
    if line.startswith("| v5.0.0-")
]


def spell_out(ranges: str) -> Iterator[str]:
    for one in ranges.split():
        section, _, numbers = one.rpartition(".")
        first, _, last = numbers.partition("-")
        yield from (f"v5.0.0-{section}.{number}" for number in range(int(first), int(last or first) + 1))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    text = read_page(page)
    assert len(list_named(text)) > 20
    assert find_missing(text) == []


@pytest.mark.parametrize("named", ["core/nowhere.py", "test_nothing.py", "tests/house/pages.py::test_nothing"])
def test_what_is_not_there_would_be_found(named: str) -> None:
    assert find_missing(f"`core/http.py` and `{named}`") == [named]


def test_every_requirement_has_its_row_once_and_its_level() -> None:
    expected = {number: str(level) for level, text in ((1, LEVEL_1), (2, LEVEL_2)) for number in spell_out(text)}
    assert Counter(expected.values()) == {"1": 70, "2": 183}  # as many as the standard has
    assert [row[0] for row in ROWS if row[0] not in expected] == []
    assert Counter(row[0] for row in ROWS) == dict.fromkeys(expected, 1)
    assert [row[0] for row in ROWS if row[1] != expected[row[0]]] == []


def test_every_row_has_a_state_and_what_it_rests_on() -> None:
    assert [number for number, _, _, state, _, _ in ROWS if state not in STATES] == []
    assert [number for number, _, _, _, why, _ in ROWS if len(why.split()) < 2 and "`" not in why] == []
    assert [number for number, _, _, state, why, test in ROWS if state == "yes" and not list_named(why + test)] == []


def test_the_counts_are_those_of_the_rows() -> None:
    told = dict(re.findall(rf"^\| ({'|'.join(STATES)}) \| (\d+) \|$", read_page("asvs.md"), re.MULTILINE))
    assert {state: int(count) for state, count in told.items()} == Counter(row[3] for row in ROWS)
