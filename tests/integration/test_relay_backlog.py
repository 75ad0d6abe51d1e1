"""However much waits, a claim looks at a few rows: also before the store has counted what it holds."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Select

from bench.claiming import fill
from core.db import Database
from core.relay import claiming, inbox
from core.statements import Values

MANY = 3_000
MOST = {"sqlite": 1_500, "postgresql": 100}  # steps of its machine, and pages looked at


def count_work(database: Database, given: tuple[Select[Any], Values]) -> int:
    """What the store does for one query: pages looked at (PostgreSQL) or steps of its machine (SQLite)."""
    query, values = given
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            compiled = query.compile(database.engine)
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}"
            plan: Any = connection.exec_driver_sql(explained, {**compiled.params, **values}).scalar_one()
            top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
        steps: list[int] = []
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: steps.append(1), 10)
        connection.execute(query, values).all()
        raw.set_progress_handler(None, 0)
        return 10 * len(steps)


def test_what_a_claim_looks_at_does_not_grow_with_what_waits(database: Database) -> None:
    fill(database, MANY)
    work = {
        "effects' turns": count_work(database, claiming._select_turns()),
        "events' turns": count_work(database, inbox._select_turns()),
        "due effects": count_work(database, claiming._select_due(1, "oms", 40, 4)),
        "waiting events": count_work(database, inbox._select_waiting(1, 20, 4)),
        "expired": count_work(database, claiming._select_expired()),
        "strays": count_work(database, claiming._select_strays()),
    }
    most = MOST[database.engine.dialect.name]
    assert not {name: done for name, done in work.items() if done > most}, work
