"""Many deliveries in one commit: each answered after it, none lost to another's fault."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from core.db import Database, db_now
from core.errors import Transient
from core.models import Shop
from core.relay.gathering import Gatherer
from core.runtime import Doorbell

SECONDS = 20


class Store:
    """Stores shops by name and remembers how many each commit had; may be held up."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.entered = threading.Event()

    def __call__(self, session: Session, names: Sequence[str]) -> None:
        self.entered.set()
        self.may_go.wait(SECONDS)
        self.sizes.append(len(names))
        session.add_all(Shop(domain=name, mode="observe", created_at=db_now()) for name in names)
        session.flush()


def count_shops(database: Database) -> int:
    with database.read() as session:
        return session.scalars(select(func.count(Shop.id))).one()


def record_while_held(database: Database, store: Store, names: list[str]) -> list[Future[None]]:
    store.may_go.clear()
    gatherer = Gatherer(database, store)
    futures = [gatherer.record(name) for name in names]
    store.may_go.set()
    return futures


def test_what_arrives_during_a_commit_makes_the_next_one(database: Database) -> None:
    store = Store()
    for future in record_while_held(database, store, [f"s{number}" for number in range(450)]):
        future.result(SECONDS)
    assert count_shops(database) == 450
    assert sum(store.sizes) == 450
    assert max(store.sizes) == 200, "a commit takes at most so many"
    assert len(store.sizes) <= 5


def test_an_answer_comes_after_the_commit(database: Database) -> None:
    gatherer = Gatherer(database, Store())
    for number in range(20):
        gatherer.record(f"s{number}").result(SECONDS)
        assert count_shops(database) == number + 1


def test_one_bad_item_takes_no_other_with_it(database: Database) -> None:
    names = ["first", *[f"s{number}" for number in range(30)], "s7", "last"]
    futures = record_while_held(database, Store(), names)
    told = [future.exception(SECONDS) for future in futures]
    assert [type(error) for error in told if error] == [Transient]
    assert count_shops(database) == 32


def test_a_database_that_is_away_is_told_to_everybody_and_heals(database: Database) -> None:
    def fail(session: Session, items: Sequence[Any]) -> None:
        if broken:
            session.execute(text("SELECT * FROM no_such_table"))
        Store()(session, items)

    broken = True
    gatherer = Gatherer(database, fail)
    errors = [gatherer.record(f"s{number}").exception(SECONDS) for number in range(3)]
    assert all(isinstance(error, Transient) for error in errors)
    broken = False
    gatherer.record("s").result(SECONDS)
    assert count_shops(database) == 1


def test_no_thread_outlives_the_work(database: Database) -> None:
    Gatherer(database, Store()).record("s").result(SECONDS)
    for thread in threading.enumerate():
        if thread.name == "gatherer":
            thread.join(SECONDS)
            assert not thread.is_alive()


def refuse_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The system has no thread for the first that asks, as when a limit of processes is reached for a moment."""
    start, refused = threading.Thread.start, []

    def refuse(thread: threading.Thread) -> None:
        if thread.name == name and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_thread_that_cannot_be_had_is_asked_for_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gatherer = Gatherer(database, Store())
    refuse_once(monkeypatch, "gatherer")
    assert isinstance(gatherer.record("s1").exception(SECONDS), Transient)
    gatherer.record("s2").result(SECONDS)
    assert count_shops(database) == 1


def test_what_nobody_waits_for_any_more_is_let_go(database: Database) -> None:
    store = Store()
    store.may_go.clear()
    gatherer = Gatherer(database, store)
    first = gatherer.record("s0")
    assert store.entered.wait(SECONDS)
    for number in range(1, 100):
        gatherer.record(f"s{number}").cancel()
    last = gatherer.record("last")
    assert len(gatherer._waiting) <= 2
    store.may_go.set()
    first.result(SECONDS)
    last.result(SECONDS)
    assert count_shops(database) == 2


def test_nor_is_the_bell_dumb_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bell, rung = Doorbell(lambda: "redis://nowhere"), threading.Event()
    monkeypatch.setattr(bell, "ring", rung.set)
    refuse_once(monkeypatch, "doorbell")
    bell.ring_soon()
    assert not rung.is_set()
    bell.ring_soon()
    assert rung.wait(SECONDS)


def test_a_fault_of_ours_while_ringing_or_storing_ends_neither_for_good(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell, rung, gatherer = Doorbell(lambda: "redis://nowhere"), threading.Event(), Gatherer(database, Store())
    for owner, name, act in ((bell, "ring", bell.ring_soon), (gatherer, "_commit", lambda: gatherer.record("s1"))):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *_: 1 / 0)
            act()
            join("doorbell", "gatherer")
    monkeypatch.setattr(bell, "ring", rung.set)
    bell.ring_soon()
    assert rung.wait(SECONDS)
    gatherer.record("s2").result(SECONDS)


def join(*names: str) -> None:
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(SECONDS)


@pytest.mark.parametrize("rings", [1, 50])
def test_ringing_soon_waits_for_nobody(monkeypatch: pytest.MonkeyPatch, rings: int) -> None:
    bell, held, rung = Doorbell(lambda: "redis://nowhere"), threading.Event(), []

    def hang() -> bool:
        rung.append(held.wait(SECONDS))
        return True

    monkeypatch.setattr(bell, "ring", hang)
    for _ in range(rings):
        bell.ring_soon()
    held.set()
    for thread in threading.enumerate():
        if thread.name == "doorbell":
            thread.join(SECONDS)
    assert rung == [True] * min(rings, 2), "a ring after the first one began is one more, however many asked"
