"""However long a shop's history is, a message makes the store look at a few rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, text

from core.db import Base, Database
from tests.flows.stage import Stage
from tests.store_work import find_dear, listen

MANY = 2_000  # exchanges that are over
_TABLES = (
    "events", "orders", "oms_orders", "exchanges", "exchange_links", "exchange_history",
    "return_orders", "return_units", "verdicts", "effects", "attempts",
)  # fmt: skip
_OWN = {"name", "code", "forward_code", "return_code", "about", "aspect", "lane", "key", "delivery_id", "item_code"}
_NUMBERS = {"id", "order_id", "exchange_id", "return_id", "event_id", "effect_id", "full_event_id"}
_STEP = 10_000


def play(stage: Stage, code: str, forward: str) -> None:
    """An exchange from its order to its release."""
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


def test_what_an_exchange_looks_at_does_not_grow_with_those_before_it(stage: Stage) -> None:
    database = stage.runtime.database
    play(stage, "RET-1", "108")
    repeat_history(database, MANY)
    with listen(database) as queries:
        play(stage, "RET-2", "109")
    assert len(queries) > 40
    assert not find_dear(database, queries)
