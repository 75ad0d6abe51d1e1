"""The database: engines for SQLite and PostgreSQL, one transaction per unit of work, and the database's own clock.

Moments are stored as whole milliseconds since 1970 UTC, so that both stores compare and add them alike; Python sees
aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    UniqueConstraint,
    bindparam,
    create_engine,
    event,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, TypeDecorator

from core.failpoints import hit
from core.statements import prepared, scalars

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY_MILLISECONDS = 30_000
_IDLE_MILLISECONDS = 30_000  # inside a transaction, which spans no call: a lease's length
_WAL_TRIES = 20
# a server whose host, or the way to it, vanishes without a word is given up after this, not after the system's hours;
# DATABASE_URL may say otherwise
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as milliseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """datetime -> milliseconds; a naive one is a fault of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Milliseconds -> datetime."""
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, optionally moved: `db_now(seconds=30)`. Leases and due times use nothing else."""

    type = Moment()
    inherit_cache = True  # the milliseconds are a parameter, so a statement is compiled once

    def __init__(self, seconds: float = 0):
        super().__init__(literal(round(seconds * 1000), BigInteger))


@compiles(db_now, "sqlite")
def _now_sqlite(element: db_now, compiler: Any, **options: Any) -> str:
    moved = compiler.process(element.clauses, **options)
    return f"(CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + {moved})"


@compiles(db_now, "postgresql")
def _now_postgresql(element: db_now, compiler: Any, **options: Any) -> str:
    # clock_timestamp, not now(): a transaction that waited for a lock must not lease from the past
    moved = compiler.process(element.clauses, **options)
    return f"(CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + {moved})"


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only an INTEGER key


class Base(DeclarativeBase):
    """The tables' common base. Constraints are named by rule, so that a later migration can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def index_where(name: str, where: str, *columns: str) -> Index:
    """An index of only those rows that anybody looks for: where most of a table is over and done with."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def insert_once(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless the table has it already; True when it is new."""
    insert = _make_insert(session, model).values(**values)
    # RETURNING rather than rowcount, which PostgreSQL's driver leaves at -1 here
    return session.execute(insert.returning(*model.__table__.primary_key)).first() is not None


def insert_all_once(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], **common: Any) -> None:
    """Insert rows in one statement, leaving out each one that the table has already."""
    session.execute(_make_insert(session, model).values(**common), rows)


def _make_insert(session: Session, model: type[Base]) -> Any:
    insert = (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(model)
    return insert.on_conflict_do_nothing(index_elements=_list_identity(model))


def _list_identity(model: type[Base]) -> list[str]:
    """The columns by which a row is known again: those of its unique constraint, else its primary key.

    No other key may pass for "we have it": a sequence that stands too low after a failover gives out numbers that are
    taken, and a message refused for that must not count as stored.
    """
    table = cast(Table, model.__table__)
    unique = next((one for one in table.constraints if isinstance(one, UniqueConstraint)), table.primary_key)
    return [column.name for column in unique.columns]


def lock_row(session: Session, key: InstrumentedAttribute[int], value: int) -> None:
    """Wait until no other transaction holds this row. SQLite has one writer anyway, so there it does nothing.

    NO KEY UPDATE: rows that refer to this one may still be inserted meanwhile.
    """
    session.execute(_select_locked(key), {"value": value})


@cache
def _select_locked(key: InstrumentedAttribute[int]) -> Select[int]:
    return select(key).where(key == bindparam("value")).with_for_update(key_share=True)


def read_clock(session: Session) -> datetime:
    """The database's now."""
    return scalars(session, _select_now()).one()


@prepared
def _select_now() -> Select[datetime]:
    return select(db_now())


SCOPE_SETTING = "returnbridge.shop_id"  # of a PostgreSQL transaction: see core.isolation
_scope: ContextVar[int | None] = ContextVar("shop", default=None)


@contextmanager
def only_shop(shop_id: int) -> Iterator[None]:
    """Within it, on PostgreSQL, every new transaction of this thread sees and writes this shop's rows only."""
    token = _scope.set(shop_id)
    try:
        yield
    finally:
        _scope.reset(token)


def keep_to_shop(session: Session, shop_id: int) -> None:
    """The same for the rest of the transaction under way, once it has learned whose it is."""
    if session.get_bind().dialect.name == "postgresql":
        _keep_to(session.connection(), shop_id)


class Database:
    """One database and the only two ways to open a session on it: to read, or to write. Neither spans HTTP."""

    def __init__(self, url: str, pool_size: int = 10):
        self.url = url
        self.engine = _create_engine(url, pool_size)
        self._reader = self.engine.execution_options(begin="BEGIN")

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, where one writer works at a time."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self, place: str = "") -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception.

        `place` names it for crash tests (core.failpoints).
        """
        if place:
            hit(f"{place}.before")
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            if place:
                hit(f"{place}.before_commit")
        if place:
            hit(f"{place}.after_commit")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking only; what is changed in it is thrown away."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def rehearse(self) -> Iterator[Session]:
        """A session that works like one for writing and is rolled back at its end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.rollback()

    def dispose(self) -> None:
        """Close the pool, e.g. after a fork or at the end."""
        self.engine.dispose()


def _create_engine(url: str, pool_size: int) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        patience = {name: most for name, most in _PATIENCE.items() if name not in make_url(url).query}
        engine = create_engine(
            url, connect_args=patience, pool_size=pool_size, max_overflow=10, pool_pre_ping=True, hide_parameters=True
        )
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _scope_postgresql)
        return engine
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_MILLISECONDS / 1000}, pool_size=pool_size, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """A process that is frozen in the middle of a transaction must not hold its locks for ever: the server ends it."""
    setting = ("idle_in_transaction_session_timeout", str(_IDLE_MILLISECONDS))
    connection.execute("SELECT set_config(%s, %s, false)", setting)
    connection.commit()


def _scope_postgresql(connection: Connection) -> None:
    shop_id = _scope.get()
    if shop_id is not None:
        _keep_to(connection, shop_id)


def _keep_to(connection: Connection, shop_id: int) -> None:
    connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (SCOPE_SETTING, str(shop_id)))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")  # nosemgrep: no-sql-from-strings - our own number
    for attempt in range(_WAL_TRIES):  # two processes that start together: "database is locked" despite busy_timeout
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            break
        except Exception:  # sqlite3.OperationalError; the driver's module is not imported here
            if attempt == _WAL_TRIES - 1:
                raise
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would otherwise fail when another wrote in between
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
