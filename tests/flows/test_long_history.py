"""However long a shop's history is, a message makes the store look at a few rows."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert, select, text

from core.db import Base, Database
from tests.flows.stage import Stage

HERE = Path(__file__)
ROOT = HERE.parent.parent.parent
MANY = 2_000  # exchanges that are over
MOST = {"sqlite": 1_500, "postgresql": 100}  # steps of its machine, and pages looked at, for one statement
_TABLES = (
    "events", "orders", "oms_orders", "exchanges", "exchange_links", "exchange_history",
    "return_orders", "return_units", "verdicts", "effects", "attempts",
)  # fmt: skip
_OWN = {"name", "code", "forward_code", "return_code", "about", "aspect", "lane", "key", "delivery_id", "item_code"}
_NUMBERS = {"id", "order_id", "exchange_id", "return_id", "event_id", "effect_id", "full_event_id"}
_STEP = 10_000


def play(stage: Stage, code: str, forward: str) -> None:
    """An exchange from its order to its release, and news of its return afterwards."""
    order = stage.new_order([{"sku": "SKU-A", "quantity": 1}], code)
    stage.settle()
    stage.push_return({f"{code}-A": "SKU-A"}, code, forward)
    stage.settle()
    stage.judge({f"{code}-A": "PASS"}, code, forward)
    stage.settle()
    assert stage.state(order)[0] == "released"


def repeat_history(database: Database, times: int) -> None:
    """Each row there is, so many times, as if it had happened to others."""
    with database.write() as session:
        for name in _TABLES:
            table = Base.metadata.tables[name]
            rows = session.execute(select(table)).mappings().all()
            copies = [
                {column: _vary(column, value, number) for column, value in row.items()}
                for row in rows
                for number in range(1, times + 1)
            ]
            for start in range(0, len(copies), 1_000):
                session.execute(insert(table), copies[start : start + 1_000])
            if not database.is_sqlite and "id" in table.c:
                session.execute(text(f"SELECT setval('{name}_id_seq', (SELECT max(id) FROM {name}))"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _vary(column: str, value: Any, number: int) -> Any:
    if value is None or column not in _OWN | _NUMBERS:
        return value
    return value + number * _STEP if column in _NUMBERS else f"{number}:{value}"


@contextmanager
def listen(database: Database) -> Iterator[dict[str, Any]]:
    """The queries that are made meanwhile, each with what it was last given."""
    heard: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and not _is_tests_own():
            heard[" ".join(statement.split())] = given

    event.listen(database.engine, "before_cursor_execute", note)
    yield heard
    event.remove(database.engine, "before_cursor_execute", note)


def _is_tests_own() -> bool:
    """True when the stage asks, to see where things are: the last of our own lines that led here is the stage's."""
    places = [Path(frame.filename) for frame in traceback.extract_stack()]
    ours = [place for place in places if place.is_relative_to(ROOT) and ".venv" not in place.parts and place != HERE]
    return ours[-1].is_relative_to(ROOT / "tests")


def count_work(database: Database, query: str, given: Any) -> int:
    """What the store does for one query: pages looked at (PostgreSQL) or steps of its machine (SQLite)."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            plan: Any = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", given).scalar()
            top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
        steps: list[int] = []
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: steps.append(1), 10)
        connection.exec_driver_sql(query, given).all()
        raw.set_progress_handler(None, 0)
        return 10 * len(steps)


def test_what_an_exchange_looks_at_does_not_grow_with_those_before_it(stage: Stage) -> None:
    database = stage.runtime.database
    play(stage, "RET-1", "108")
    repeat_history(database, MANY)
    with listen(database) as queries:
        play(stage, "RET-2", "109")
    assert len(queries) > 40
    work = {query: count_work(database, query, given) for query, given in queries.items()}
    most = MOST[database.engine.dialect.name]
    assert not {query: done for query, done in work.items() if done > most}
