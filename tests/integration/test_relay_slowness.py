"""What is slow, or hangs, delays nobody else; what is stored is stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from core.db import Database
from core.domain.effects import OMS_UNHOLD_ORDER, PARTNER_FORWARD_RETURN
from core.models import Effect, Endpoint, Event, Finding
from core.registry import Done, Job, handled
from core.relay import endpoints
from core.relay.crew import HANDS
from core.relay.endpoints import call_endpoint
from core.relay.jobs import work
from core.watch import EndpointWatch
from tests.integration.relay_stage import RelayStage


@pytest.fixture
def hang(relay: RelayStage) -> Iterator[Callable[[], None]]:
    """Waits until the test is over, ten seconds at most; then the workers come to their end."""
    over, before = threading.Event(), set(threading.enumerate())
    yield lambda: over.wait(10) or None  # type: ignore[misc,func-returns-value]
    over.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(20)


def send_over(relay: RelayStage, by_name: dict[str, Callable[[], Any]]) -> None:
    def send(job: Job) -> Done:
        name = relay.effect(job.id).endpoint
        with call_endpoint(relay.runtime.database, job.shop_id, name):
            by_name.get(name, lambda: None)()
        return Done()

    relay.far.on_send = send


def run_until(relay: RelayStage, reached: Callable[[], bool]) -> bool:
    """Work in a thread until something is reached, or what hangs is through."""
    threading.Thread(target=lambda: work(relay.runtime, 9)).start()
    end = time.monotonic() + 8
    while time.monotonic() < end and not reached():
        time.sleep(0.02)
    return reached()


def test_a_black_hole_delays_no_healthy_partner(relay: RelayStage, hang: Callable[[], None]) -> None:
    """All effects of the one hang; all of the other are through before the first of those comes back."""
    send_over(relay, {"partner:hole": hang})
    for number in range(10):
        relay.want(f"hole {number}", kind=PARTNER_FORWARD_RETURN, params={"partner": "hole"})
    healthy = [
        relay.want(f"well {number}", kind=PARTNER_FORWARD_RETURN, params={"partner": "well"}) for number in range(10)
    ]
    assert run_until(relay, lambda: all(relay.effect(one).state == "done" for one in healthy))
    assert relay.states().count("done") == len(healthy)


def test_however_many_hang_who_answers_at_once_finds_free_hands(relay: RelayStage, hang: Callable[[], None]) -> None:
    """Three that were never called before could take all hands among them, four each."""
    holes = [f"partner:hole{number}" for number in range(3)]
    send_over(relay, dict.fromkeys(holes, hang))
    relay.want("met", kind=PARTNER_FORWARD_RETURN, params={"partner": "well"})
    assert work(relay.runtime, 9)
    for number in range(12):
        relay.want(f"{number}", kind=PARTNER_FORWARD_RETURN, params={"partner": f"hole{number % 3}"})
    late: list[int | None] = []

    def is_late_one_through() -> bool:
        if not late and relay.states().count("sending") >= HANDS // 2:
            late.append(relay.want("late", kind=PARTNER_FORWARD_RETURN, params={"partner": "well"}))
        return bool(late) and relay.effect(late[0]).state == "done"

    assert run_until(relay, is_late_one_through)
    assert relay.states().count("sending") == HANDS // 2


@pytest.mark.parametrize(("seconds", "quick"), [(0.0, True), (0.3, False)])
def test_who_takes_its_time_is_known_for_it_until_it_answers_at_once(
    relay: RelayStage, monkeypatch: pytest.MonkeyPatch, seconds: float, quick: bool
) -> None:
    monkeypatch.setattr(endpoints, "QUICK_SECONDS", 0.2)
    for pause in (0.3 - seconds, seconds):
        with call_endpoint(relay.runtime.database, relay.shop_id, "partner:it"):
            time.sleep(pause)
    with relay.runtime.database.read() as session:
        assert session.get_one(Endpoint, (relay.shop_id, "partner:it")).quick is quick


def test_a_far_side_that_hangs_delays_no_thinking_and_no_other_shop(
    relay: RelayStage, hang: Callable[[], None]
) -> None:
    send_over(relay, {"oms": hang})
    for number in range(10):
        relay.want(f"a{number}", kind=OMS_UNHOLD_ORDER)
    events = [relay.record(f"d{number}") for number in range(10)]
    assert run_until(relay, lambda: all(relay.event(one).outcome == "handled" for one in events))


def test_a_reading_that_hangs_delays_no_other_shops_thinking(relay: RelayStage, hang: Callable[[], None]) -> None:
    small = relay.add_shop("small.myshopify.com")

    def read(delivery: Any) -> None:
        if delivery.shop_id == relay.shop_id:
            hang()

    relay.handler.on_read = read
    relay.handler.on_apply = lambda session, delivery: handled("read")
    for number in range(10):
        relay.record(f"slow {number}")
    quick = [relay.record(f"quick {number}", shop_id=small) for number in range(10)]
    assert run_until(relay, lambda: all(relay.event(one).outcome == "handled" for one in quick))


def test_the_merchant_is_told_what_is_left_alone_and_when_it_works_again(relay: RelayStage) -> None:
    database, watch = relay.runtime.database, EndpointWatch(relay.runtime)
    with database.write() as session:
        endpoints.ensure_endpoint(session, relay.shop_id, "oms")
        endpoint = session.get_one(Endpoint, (relay.shop_id, "oms"))
        endpoint.state, endpoint.words = "refused", "OMS answered 401"
    watch.take_turn(relay.shop_id)
    with database.write() as session:
        (found,) = session.query(Finding).filter(Finding.cleared_at.is_(None))
        assert (found.kind, found.about, found.detail) == (
            "endpoint_refused",
            "oms",
            "its effects wait: OMS answered 401",
        )
        session.get_one(Endpoint, (relay.shop_id, "oms")).state = "working"
    watch.take_turn(relay.shop_id)
    with database.read() as session:
        assert session.query(Finding).filter(Finding.cleared_at.is_(None)).count() == 0


def test_a_store_keeps_what_it_said_it_stored(config: Any) -> None:
    """SQLite must write to the disk before it says so, let readers read meanwhile, and take the writer's place at the
    beginning of a transaction rather than in its middle."""
    database = Database(config.database)
    with database.write() as session:
        if not database.is_sqlite:
            assert session.scalars(text("SHOW transaction_isolation")).one() == "read committed"
            return
        told = {name: session.scalars(text(f"PRAGMA {name}")).one() for name in ("journal_mode", "synchronous")}
        assert told == {"journal_mode": "wal", "synchronous": 2}
        assert session.scalars(text("PRAGMA foreign_keys")).one() == 1
        assert session.scalars(text("PRAGMA busy_timeout")).one() >= 10_000
        with database.read() as reading:  # a reader does not wait for the writer
            assert reading.query(Event).count() == 0
            assert reading.query(Effect).count() == 0
    began: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: began.append(given[2]))
    with database.write():
        pass
    with database.write() as session:
        session.query(Effect).count()
    assert [one for one in began if one.startswith("BEGIN")] == ["BEGIN IMMEDIATE"]
    database.dispose()
