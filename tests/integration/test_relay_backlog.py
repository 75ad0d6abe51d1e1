"""However much waits, a claim looks at a few rows: also before the store has counted what it holds."""

from __future__ import annotations

from bench.claiming import fill
from core.db import Database
from core.relay.claiming import claim_effects
from core.relay.inbox import claim_events
from tests.store_work import find_dear, listen

MANY = 3_000


def test_what_a_claim_looks_at_does_not_grow_with_what_waits(database: Database) -> None:
    fill(database, MANY)
    with listen(database) as queries, database.rehearse() as session:
        assert claim_events(session, 8)
        assert claim_effects(session, 8)
    assert len(queries) >= 8
    assert not find_dear(database, queries)
