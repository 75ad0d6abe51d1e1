"""The migrations lead from nothing to the models and back, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from core.db import Base, Database
from core.migrations import downgrade, find_differences, make_alembic_config, read_revision, upgrade
from tests.house.source import ROOT

FILE_NAME = re.compile(r"(\d{8}_\d{4})_[a-z][a-z0-9_]*\.py")


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    """A database without tables."""
    opened = Database(empty_database_url)
    yield opened
    opened.dispose()


def _read_scripts(database: Database) -> ScriptDirectory:
    return ScriptDirectory.from_config(make_alembic_config(database))


def _list_tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_there_is_one_head_and_one_base() -> None:
    scripts = _read_scripts(Database("sqlite:///:memory:"))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_files_are_named_by_their_minute() -> None:
    names = [path.name for path in (ROOT / "migrations" / "versions").glob("*.py")]
    assert names
    for name in names:
        found = FILE_NAME.fullmatch(name)
        assert found, name
        datetime.strptime(found[1] + " +0000", "%Y%m%d_%H%M %z")


def test_up_agrees_with_the_models_and_down_leaves_nothing(empty: Database) -> None:
    assert read_revision(empty) is None
    upgrade(empty)
    assert find_differences(empty) == []
    assert _list_tables(empty) == {*Base.metadata.tables, "alembic_version"}
    downgrade(empty, "base")
    assert _list_tables(empty) == {"alembic_version"}
    assert read_revision(empty) is None
    upgrade(empty)
    assert find_differences(empty) == []


def test_each_step_can_be_taken_back_and_again(empty: Database) -> None:
    steps = [script.revision for script in _read_scripts(empty).walk_revisions()]
    for revision in reversed(steps):
        before = read_revision(empty)
        upgrade(empty, revision)
        downgrade(empty, before or "base")
        upgrade(empty, revision)
        assert read_revision(empty) == revision


@pytest.mark.parametrize("statement", ["DROP TABLE attempts", "ALTER TABLE events ADD COLUMN planted INTEGER"])
def test_a_difference_would_be_found(empty: Database, statement: str) -> None:
    upgrade(empty)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert find_differences(empty)
