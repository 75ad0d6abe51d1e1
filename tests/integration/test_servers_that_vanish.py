"""What surrounds a process fails without a word: the database's host vanishes or comes back wrong, Redis hangs, the
system has no thread left. Nothing counts as stored that is not, and nobody waits for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from core.db import Database
from core.doors import record
from core.errors import NeedsSettings
from core.flows.installations import Pair, keep_pair, lease_tokens
from core.models import Event
from core.registry import Delivery
from core.relay import duties
from core.relay.inbox import Arrival, record_events
from tests.integration.relay_stage import RelayStage
from tests.integration.test_gathering import refuse_once
from tests.one_by_one import think

SECONDS = 20
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@on_postgresql
def test_a_database_that_vanishes_is_given_up(database_url: str) -> None:
    plain, own = Database(database_url), Database(database_url + "&tcp_user_timeout=7000")
    for opened, most in ((plain, "20000"), (own, "7000")):
        with opened.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            given = driver.info.get_parameters()
        assert given["tcp_user_timeout"] == most
        assert int(given["keepalives_idle"]) + int(given["keepalives_interval"]) * int(given["keepalives_count"]) <= 20
        opened.dispose()


def store_with_taken_number(relay: RelayStage, delivery_id: str) -> None:
    """As after a failover that did not bring the sequences along, or a restore of the rows alone."""
    arrival = Arrival(relay.shop_id, "shopify", "orders/updated", delivery_id, b"{}")
    with relay.runtime.database.write() as session:
        session.execute(text("SELECT setval('events_id_seq', (SELECT max(id) FROM events), false)"))
        record_events(session, relay.runtime.keyring, [arrival])


@on_postgresql
def test_what_a_number_given_out_twice_keeps_out_is_not_taken_for_stored(relay: RelayStage) -> None:
    relay.record("d1")
    with pytest.raises(IntegrityError):
        store_with_taken_number(relay, "another")
    assert relay.record("d1") == relay.record("d1"), "what is known by its own key is known"


@on_postgresql
def test_a_door_stores_while_a_shops_tokens_are_being_kept(relay: RelayStage) -> None:
    with relay.runtime.database.write() as session:
        lease = lease_tokens(session, relay.shop_id)
    assert lease is not None
    with relay.runtime.database.write() as session:
        assert keep_pair(session, relay.runtime.keyring, relay.shop_id, lease, Pair("new", "read_orders"), ())
        with relay.runtime.database.write() as another:
            another.execute(text("SET LOCAL lock_timeout = '2s'"))
            arrival = Arrival(relay.shop_id, "shopify", "orders/updated", "meanwhile", b"{}")
            record_events(another, relay.runtime.keyring, [arrival])
    with relay.runtime.database.read() as session:
        assert session.scalars(select(func.count(Event.id)).where(Event.delivery_id == "meanwhile")).one() == 1


def test_a_door_answers_while_redis_hangs(relay: RelayStage, monkeypatch: pytest.MonkeyPatch) -> None:
    held, rung = threading.Event(), threading.Event()

    def hang() -> bool:
        rung.set()
        return held.wait(SECONDS)

    monkeypatch.setattr(relay.runtime.bell, "ring", hang)
    record(relay.runtime, relay.shop_id, "rms", "fake", b"{}")
    assert rung.wait(SECONDS)
    assert not held.is_set(), "stored and answered before the bell had rung"
    held.set()


def test_duties_that_got_no_thread_are_done_at_the_next_sweep(
    relay: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(relay.runtime.registry, "duties", [object()])
    monkeypatch.setattr(duties, "run_due_duties", lambda _: done.set())
    for _ in range(5):
        refuse_once(monkeypatch, "duties")
        duties.start_duties(relay.runtime)
        monkeypatch.setattr(threading.Thread, "start", START)
    assert not done.is_set()
    duties.start_duties(relay.runtime)
    assert done.wait(SECONDS)


START = threading.Thread.start


def test_waiting_for_a_setting_uses_no_attempt_up(relay: RelayStage) -> None:
    def refuse(delivery: Delivery) -> None:
        raise NeedsSettings("no token")

    event = relay.record("d1")
    relay.handler.on_read = refuse
    for _ in range(60):
        relay.change(Event, event, due_at=relay.event(event).received_at)
        think(relay.runtime)
    assert (relay.event(event).outcome, relay.event(event).attempts) == (None, 0)
