"""What the stores do for the product's queries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from core.db import Database

MOST = {"sqlite": 1_500, "postgresql": 100}  # steps of its machine, and pages looked at, for one query
_ROOT = Path(__file__).parent.parent
_PRODUCT = tuple(str(_ROOT / name) for name in ("core", "shopify_app", "rms_bridge", "oms_bridge"))


@contextmanager
def listen(database: Database) -> Iterator[dict[str, Any]]:
    """The queries that the product makes meanwhile, each with what it was last given."""
    heard: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and _is_products():
            heard[" ".join(statement.split())] = given

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _is_products() -> bool:
    """True unless a test asks, to see where things are: the nearest line of ours that led here is the product's."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        place = frame.f_code.co_filename
        if place.startswith((*_PRODUCT, str(_ROOT / "tests"))):
            return place.startswith(_PRODUCT)
        frame = frame.f_back
    return False


def find_dear(database: Database, queries: dict[str, Any]) -> dict[str, int]:
    """Those for which the store does more than it should, and how much."""
    work = {query: _count(database, query, given) for query, given in queries.items()}
    return {query: done for query, done in work.items() if done > MOST[database.engine.dialect.name]}


def _count(database: Database, query: str, given: Any) -> int:
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
