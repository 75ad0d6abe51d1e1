"""Budgets: OMS's calls a minute, never exceeded as OMS counts them, and Shopify's points, shared by all workers."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select, update

from core.config import Config
from core.db import Base, Database, db_now
from core.domain.effects import OMS_CANCEL_LINES, OMS_UNHOLD_ORDER, OMS_UPDATE_RETURN, SHOPIFY_TAG_ORDER
from core.errors import Throttled
from core.models import CallSlot, Endpoint, Shop
from core.registry import Done, Job
from core.relay import budget, endpoints
from core.relay.budget import LOOK_PRIORITY, count_allowed, spend_points
from core.relay.claiming import PRIORITIES, claim_effects
from core.relay.endpoints import OMS, SHOPIFY, Call, Errand, call_endpoint, on_errand
from core.relay.jobs import work
from tests.integration.relay_stage import RelayStage

URGENT, LEAST = OMS_CANCEL_LINES.priority, OMS_UPDATE_RETURN.priority
START = 1_790_000_000.0


class MovedDatabase(Database):
    """In memory, with a clock that the test moves: the database's own, which is all that the budget looks at."""

    def __init__(self) -> None:
        super().__init__("sqlite:///:memory:")
        self.now = START
        event.listen(self.engine, "connect", self._prepare)
        Base.metadata.create_all(self.engine)
        with self.write() as session:
            session.add(Shop(id=1, domain="s.myshopify.com", mode="live", created_at=db_now()))

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.create_function("julianday", 1, lambda _: self.now / 86_400 + 2_440_587.5)


@pytest.fixture(scope="module")
def moved() -> Iterator[MovedDatabase]:
    built = MovedDatabase()
    yield built
    built.dispose()


class Caller:
    """Calls that are begun, on their way for as long as it takes, ended, or never ended because their caller died."""

    def __init__(self, database: Database, limit: int):
        self.database, self.limit = database, limit
        self.open: list[Call] = []

    def begin(self, priority: int) -> Call | None:
        with on_errand(Errand(1, OMS, priority)), self.database.write() as session:
            begun = endpoints._begin(session, 1, OMS, self.limit, 0)
        if isinstance(begun, Throttled):
            return None
        self.open.append(begun)
        return begun

    def end(self, call: Call) -> None:
        self.open.remove(call)
        with self.database.write() as session:
            endpoints._end(session, call, None, quick=True)

    def end_all(self) -> None:
        while self.open:
            self.end(self.open[0])


@pytest.fixture
def caller(moved: MovedDatabase) -> Caller:
    with moved.write() as session:
        session.execute(delete(CallSlot))
    return Caller(moved, 10)


moves = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from([*PRIORITIES, LOOK_PRIORITY])),
    st.tuples(st.just("end"), st.integers(0, 99)),
    st.tuples(st.just("die"), st.integers(0, 99)),
    st.tuples(st.just("pass"), st.sampled_from([0.001, 0.5, 7.0, 29.0, 59.9, 60.0])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(limit=st.integers(1, 7), played=st.lists(moves, min_size=20, max_size=120))
def test_no_minute_sees_more_calls_than_are_allowed(moved: MovedDatabase, limit: int, played: list[Any]) -> None:
    """Whatever the order in which calls begin, reach OMS and end: a call reaches OMS some time between its begin and
    its end, and one whose caller died, or froze, at most a minute after it began."""
    with moved.write() as session:
        session.execute(delete(CallSlot))
    caller = Caller(moved, limit)
    on_the_way: dict[int, tuple[Call, float]] = {}
    arrivals: list[float] = []
    for number, (move, value) in enumerate(played):
        if move == "begin" and (call := caller.begin(value)):
            on_the_way[number] = (call, moved.now)
        elif move in ("end", "die") and on_the_way:
            call, _ = on_the_way.pop(list(on_the_way)[value % len(on_the_way)])
            arrivals.append(moved.now)
            if move == "end":
                caller.end(call)
        elif move == "pass":
            for one, (_, began) in list(on_the_way.items()):
                if began + 60 < moved.now + value:  # it arrives at the last moment
                    arrivals.append(began + 60)
                    del on_the_way[one]
            moved.now += value
    arrivals += [moved.now] * len(on_the_way)
    for first in arrivals:
        assert len([one for one in arrivals if first <= one < first + 60]) <= limit


def test_the_least_urgent_leave_room_for_the_urgent(moved: MovedDatabase, caller: Caller) -> None:
    caller.limit = 200
    begun = dict.fromkeys((LOOK_PRIORITY, *reversed(PRIORITIES)), 0)
    for priority in begun:
        while caller.begin(priority):
            begun[priority] += 1
    assert list(begun.values()) == [160, 20, 10, 6, 4]
    caller.end_all()
    assert not caller.begin(URGENT)
    moved.now += 60.2
    assert caller.begin(LEAST)


def test_a_lowered_limit_holds_after_the_minute_and_a_raised_one_at_once(moved: MovedDatabase, caller: Caller) -> None:
    while caller.begin(URGENT):
        pass
    caller.limit = 12
    assert [bool(caller.begin(URGENT)) for _ in range(3)] == [True, True, False]
    caller.limit = 3
    caller.end_all()
    moved.now += 60.2
    assert [bool(caller.begin(URGENT)) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("limit", [1, 2, 3, 200, 1_000_000])
def test_every_priority_may_use_something(limit: int) -> None:
    allowed = [count_allowed(limit, priority) for priority in (*PRIORITIES, LOOK_PRIORITY)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[0] == limit
    assert allowed[-1] >= 1


def call_in_another_process(url: str, shop_id: int, limit: int, seconds: float, answers: Any) -> None:
    database, begun, end = Database(url), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with call_endpoint(database, shop_id, OMS, calls_per_minute=limit):
                begun += 1
        except Throttled:
            time.sleep(0.01)
    answers.put(begun)
    database.dispose()


def test_processes_share_one_budget(relay: RelayStage, config: Config) -> None:
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    given = (config.database, relay.shop_id, 25, 3.0, answers)
    processes = [spawn.Process(target=call_in_another_process, args=given) for _ in range(3)]
    for process in processes:
        process.start()
    begun = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(begun) == count_allowed(25, LOOK_PRIORITY)


def test_threads_share_one_budget(relay: RelayStage) -> None:
    begun, lock = [], threading.Lock()

    def call() -> None:
        for _ in range(8):
            try:
                with call_endpoint(relay.runtime.database, relay.shop_id, OMS, calls_per_minute=20), lock:
                    begun.append(1)
            except Throttled:
                continue

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == count_allowed(20, LOOK_PRIORITY)


def calls_out(relay: RelayStage, limit: int) -> None:
    """The deliverer calls OMS through the budget, as the bridge does."""

    def send(job: Job) -> Done:
        with call_endpoint(relay.runtime.database, job.shop_id, OMS, calls_per_minute=limit):
            return Done()

    relay.far.on_send = send


def test_a_flood_of_updates_goes_out_within_the_budget_and_a_cancel_at_once(relay: RelayStage) -> None:
    calls_out(relay, 40)
    for number in range(60):
        relay.want(f"update {number}", kind=OMS_UPDATE_RETURN)
    work(relay.runtime, 20)
    assert relay.states().count("done") == count_allowed(40, LEAST)
    throttled = [one for one in range(1, 61) if relay.attempts(one) not in ([], [("send", "done")])]
    assert len(throttled) <= 4  # what waits is not claimed over and over
    cancel = relay.want("cancel", kind=OMS_CANCEL_LINES)
    unhold = relay.want("unhold", kind=OMS_UNHOLD_ORDER)
    work(relay.runtime, 20)
    assert relay.effect(cancel).state == "done"
    assert relay.effect(unhold).state == "done"
    assert relay.effect(60).attempts == 0
    with relay.runtime.database.read() as session:
        assert not claim_effects(session, 10)


def test_a_slot_is_not_freed_by_a_holder_that_came_too_late(moved: MovedDatabase, caller: Caller) -> None:
    caller.limit = 1
    late = caller.begin(URGENT)
    moved.now += 121
    other = caller.begin(URGENT)
    assert late
    assert other
    caller.end(late)
    moved.now += 61  # the other's call is still under way
    assert not caller.begin(URGENT)
    caller.end(other)
    moved.now += 60.2
    assert caller.begin(URGENT)


def set_points(relay: RelayStage, left: float, most: float = 1000, per_second: float = 50) -> None:
    with call_endpoint(relay.runtime.database, relay.shop_id, SHOPIFY) as call:
        call.points = left, most, per_second


def test_points_are_spent_by_all_and_come_back_with_time(relay: RelayStage) -> None:
    set_points(relay, 300)
    with relay.runtime.database.write() as session:
        endpoint = session.get_one(Endpoint, (relay.shop_id, SHOPIFY))
        assert spend_points(session, endpoint, 200, urgent=True) == 0
        assert 2 < spend_points(session, endpoint, 250, urgent=True) <= 3
        endpoint.points_at = db_now(-10)
        session.flush()
        session.refresh(endpoint)
        assert spend_points(session, endpoint, 250, urgent=True) == 0


def test_an_effect_that_does_not_fit_waits_by_cost_with_all_that_come_after(relay: RelayStage) -> None:
    set_points(relay, 20)
    database = relay.runtime.database
    with on_errand(Errand(relay.shop_id, SHOPIFY, URGENT)), pytest.raises(Throttled) as told:
        call_endpoint(database, relay.shop_id, SHOPIFY, cost=120).__enter__()
    assert 1.5 < (told.value.retry_after or 0) <= 2
    relay.want("a", kind=SHOPIFY_TAG_ORDER)
    with database.write() as session:
        assert claim_effects(session, 10) == []
        session.execute(update(Endpoint).values(rests_until=db_now(-1), points_at=db_now(-10)))
    with database.write() as session:
        assert len(claim_effects(session, 10)) == 1


def test_thinking_leaves_points_to_what_is_to_be_done(relay: RelayStage) -> None:
    set_points(relay, 150)
    with pytest.raises(Throttled):
        call_endpoint(relay.runtime.database, relay.shop_id, SHOPIFY, cost=100).__enter__()
    with on_errand(Errand(relay.shop_id, SHOPIFY, URGENT)):
        call_endpoint(relay.runtime.database, relay.shop_id, SHOPIFY, cost=100).__enter__()


def test_slots_come_into_being_as_they_are_needed(relay: RelayStage) -> None:
    for _ in range(3):
        with call_endpoint(relay.runtime.database, relay.shop_id, OMS, calls_per_minute=1_000_000):
            pass
    with relay.runtime.database.read() as session:
        assert session.scalars(select(func.count()).select_from(CallSlot)).one() == 3
    assert budget.count_allowed(1_000_000, URGENT) == 1_000_000
