"""While a migration runs, and after it, the previous release still works: it knows only the columns of its own time.

The previous release writes every column it knows and reads every column it knows. So each table is filled as the
revision before knew it, then migrated, then written and read again with the same columns, then taken back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, MetaData, Table, Text, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Float, Integer, LargeBinary, Numeric

from core.db import Base, Database
from core.migrations import downgrade, make_alembic_config, upgrade

_SCRIPTS = ScriptDirectory.from_config(make_alembic_config(Database("sqlite://")))
STEPS = [one.revision for one in _SCRIPTS.walk_revisions()]
PAIRS = list(zip(STEPS[:0:-1], STEPS[-2::-1], strict=True))  # (before, after), oldest first
_numbers = itertools.count(1)


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    opened = Database(empty_database_url)
    yield opened
    opened.dispose()


class PreviousRelease:
    """Knows the tables as they are now, whatever becomes of them later."""

    def __init__(self, database: Database):
        self._database = database
        known = MetaData()
        known.reflect(database.engine)
        self._tables = [table for table in known.sorted_tables if table.name != "alembic_version"]

    def write(self) -> dict[str, dict[str, Any]]:
        """One row into each table, every known column given."""
        written: dict[str, dict[str, Any]] = {}
        with self._database.engine.begin() as connection:
            for table in self._tables:
                written[table.name] = _write_row(connection, table, written)
        return written

    def check(self, written: dict[str, dict[str, Any]]) -> None:
        """The rows are as they were written."""
        with self._database.engine.begin() as connection:
            for table in self._tables:
                key = [column == written[table.name][column.name] for column in table.primary_key]
                row = connection.execute(select(table).where(*key)).mappings().one()
                assert dict(row) == written[table.name], table.name


def _write_row(connection: Connection, table: Table, written: dict[str, dict[str, Any]]) -> dict[str, Any]:
    row = {column.name: _choose_value(table, column, written) for column in table.columns}
    connection.execute(insert(table).values(row))
    return row


def _choose_value(table: Table, column: Any, written: dict[str, dict[str, Any]]) -> Any:
    for key in column.foreign_keys:
        target = key.column
        if target.table.name == table.name:
            return None
        return written[target.table.name][target.name]
    number = next(_numbers)
    if isinstance(column.type, LargeBinary):
        return b"%d" % number
    if isinstance(column.type, Integer | Numeric | Float):
        return number
    if column.type.python_type is bool:
        return False
    if isinstance(column.type, JSON):
        return {"number": number}
    return f"{number}" if isinstance(column.type, Text) else f"{number}"[: column.type.length]


def test_every_step_is_tried() -> None:
    assert len(PAIRS) == len(STEPS) - 1 >= 2


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_previous_release_works_on(empty: Database, before: str, after: str) -> None:
    upgrade(empty, before)
    previous = PreviousRelease(empty)
    early = previous.write()
    upgrade(empty, after)
    previous.check(early)
    late = previous.write()
    previous.check(late)
    downgrade(empty, before)
    previous.check(early)
    previous.check(late)


@pytest.mark.parametrize(
    "statement", ["ALTER TABLE shops RENAME COLUMN mode TO way", "ALTER TABLE events DROP COLUMN reason"]
)
def test_a_step_that_breaks_it_would_be_found(empty: Database, statement: str) -> None:
    upgrade(empty, STEPS[-1])
    previous = PreviousRelease(empty)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(DBAPIError):
        previous.write()


def test_all_tables_are_known_at_the_head(empty: Database) -> None:
    upgrade(empty)
    assert set(PreviousRelease(empty).write()) == set(Base.metadata.tables)
