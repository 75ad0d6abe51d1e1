"""docs/proof.md names a test for each promise: those tests exist, and no chapter is without one over real sockets."""

from __future__ import annotations

import re

import pytest

from tests.house.pages import find_file, list_defined, read_page

PAGE = read_page("proof.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CHAPTERS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
OVER_SOCKETS = ("tests/flows/", "tests/contract/")


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(PAGE))))
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in list_defined(find_file(path))


def test_there_are_eleven_chapters_each_played_end_to_end() -> None:
    assert [one.split()[0] for one in CHAPTERS] == [str(number) for number in range(1, 12)]
    for chapter in CHAPTERS:
        assert any(path.startswith(OVER_SOCKETS) for path, _ in NAMED.findall(chapter)), chapter.splitlines()[0]


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []
