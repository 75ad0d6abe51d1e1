"""No shop reaches another's rows: by the app's own queries, and with those blunted, by row-level security."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, select, text, true
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter
from sqlalchemy.sql.visitors import replacement_traverse

from core.db import Base, Database, keep_to_shop, only_shop
from core.isolation import is_bypassed, isolate, read_policies, render_policies
from core.migrations import downgrade, upgrade
from core.models import Event, Shop
from tests.security.two_shops import ONE, TWO, fill, list_rows

TABLES = sorted(Base.metadata.tables)
_numbers = itertools.count(1)


def make_owned_url(postgres: str) -> str:
    """A PostgreSQL database whose tables belong to the app's own role, which is no superuser."""
    name = f"isolated_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER PASSWORD 'x'")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    scheme, _, rest = postgres.partition("://")
    place = rest.partition("@")[2] if "@" in rest else rest
    return f"{scheme}://{name}:x@{place}".replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="module")
def walled(postgres: str) -> Iterator[Database]:
    """Two shops in such a one, with a row in every table."""
    opened = Database(make_owned_url(postgres))
    upgrade(opened)
    fill(opened)
    yield opened
    opened.dispose()


def shop_id(database: Database, domain: str = ONE) -> int:
    with database.read() as session:
        return session.scalars(select(Shop.id).where(Shop.domain == domain)).one()


def test_every_table_has_its_policy_and_the_owner_is_bound(walled: Database) -> None:
    assert sorted(render_policies()) == TABLES
    with walled.engine.connect() as connection:
        assert sorted(read_policies(connection)) == TABLES
        assert not is_bypassed(connection)
    assert isolate(walled) == []  # nothing to do a second time


@pytest.mark.parametrize("table", TABLES)
def test_a_scoped_transaction_sees_and_writes_one_shops_rows(walled: Database, table: str) -> None:
    """No query here names a shop: what holds is the second wall alone."""
    everything = list_rows(walled, ONE)[table] + list_rows(walled, TWO)[table]
    first = next(iter(Base.metadata.tables[table].primary_key.columns)).name
    mine = len(list_rows(walled, ONE)[table])
    assert mine < len(everything)
    with walled.engine.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == len(everything)  # unscoped: the claims' view
    with only_shop(shop_id(walled)), walled.engine.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == mine
        with connection.begin_nested() as undone:
            touched = (
                connection.execute(text(f"UPDATE {table} SET {first} = {first}")) if table != "audit_log" else None
            )
            assert touched is None or touched.rowcount == mine
            undone.rollback()


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("shops", "audit_log")])
def test_a_scoped_transaction_removes_and_adds_nothing_of_another_shop(walled: Database, table: str) -> None:
    theirs = list_rows(walled, TWO)[table]
    columns = [one.name for one in Base.metadata.tables[table].columns]
    with only_shop(shop_id(walled)):
        with walled.write() as session:
            session.execute(text(f"DELETE FROM {table}"))
            session.rollback()
        with walled.write() as session:
            session.execute(text(f"DELETE FROM {table}"))
            session.flush()
            with pytest.raises(ProgrammingError, match="row-level security"):
                session.execute(Base.metadata.tables[table].insert().values({one: theirs[0][one] for one in columns}))
            session.rollback()
    assert list_rows(walled, TWO)[table] == theirs


def test_a_transaction_may_be_scoped_once_it_knows_whose_it_is(walled: Database) -> None:
    with walled.write() as session:
        assert len(session.scalars(select(Shop.domain)).all()) == 2
        keep_to_shop(session, shop_id(walled))
        assert session.scalars(select(Shop.domain)).all() == [ONE]
    with walled.read() as session:  # the same connection, out of the pool
        assert len(session.scalars(select(Shop.domain)).all()) == 2


def test_a_scope_is_its_threads_own(walled: Database) -> None:
    seen: list[int] = []

    def look() -> None:
        with walled.read() as session:
            seen.append(len(session.scalars(select(Shop.domain)).all()))

    with only_shop(shop_id(walled)):
        other = threading.Thread(target=look)
        other.start()
        other.join()
        look()
    assert seen == [2, 1]


def test_up_and_down_and_up_again(postgres: str) -> None:
    name = f"isolated_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    opened = Database(postgres.replace("/postgres?", f"/{name}?"))
    for _ in range(2):
        upgrade(opened)
        with opened.engine.connect() as connection:
            assert sorted(read_policies(connection)) == TABLES
            assert is_bypassed(connection)  # the tests' own role is a superuser
        downgrade(opened, "base")
    opened.dispose()


def blunt(database: Database) -> Any:
    """Take the first wall away: conditions on a shop's id hold for every row."""

    def is_wall(element: Any) -> bool:
        if not isinstance(element, BinaryExpression) or element.operator is not operators.eq:
            return False
        names = {getattr(side, "name", None) for side in (element.left, element.right)}
        return "shop_id" in names and any(isinstance(side, BindParameter) for side in (element.left, element.right))

    def strip(connection: Any, statement: Any, multi: Any, params: Any, options: Any) -> Any:
        if hasattr(statement, "get_children"):
            statement = replacement_traverse(statement, {}, lambda one, **_: true() if is_wall(one) else None)
        return statement, multi, params

    event.listen(database.engine, "before_execute", strip, retval=True)
    return lambda: event.remove(database.engine, "before_execute", strip)


def test_without_its_first_wall_a_query_reaches_both_shops_unless_it_is_scoped(walled: Database) -> None:
    """What the next tests rest on: taking the conditions away works."""
    query, undo = select(Event).where(Event.shop_id == shop_id(walled)), blunt(walled)
    try:
        with walled.read() as session:
            assert len({one.shop_id for one in session.scalars(query)}) == 2
        with only_shop(shop_id(walled)), walled.read() as session:
            assert len({one.shop_id for one in session.scalars(query)}) == 1
    finally:
        undo()
