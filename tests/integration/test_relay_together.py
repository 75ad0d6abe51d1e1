"""Many workers at once, and Redis away: no row twice, nothing lost."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from core.config import Config
from core.domain.effects import OMS_UNHOLD_ORDER
from core.embedded import EmbeddedServer, EmbeddedServerFault
from core.limiting import REDIS_SECONDS
from core.models import Effect, Event
from core.registry import Done, Job, handled
from core.relay import claiming, crew, inbox
from core.relay.claiming import claim_effects
from core.relay.inbox import Claim, claim_events
from core.relay.jobs import drain, sweep, work
from core.relay.outbox import Wanted, want, withdraw
from core.runtime import QUEUE_NAME, Doorbell, Runtime, set_current
from tests.integration.relay_stage import RelayStage

THREADS = 6


def run_together(*tasks: Any) -> list[Any]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(task) for task in tasks]]


def fill(relay: RelayStage, events: int = 60, lanes: int = 15, depth: int = 4) -> None:
    for number in range(events):
        relay.record(f"d{number}")
    for number in range(lanes * depth):
        relay.want(f"a{number}", lane=f"lane {number % lanes}")


def test_two_claims_at_once_never_share_a_row(relay: RelayStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "IN_FLIGHT", 100)
    monkeypatch.setattr(claiming, "IN_FLIGHT", 100)
    fill(relay)

    def claim() -> list[tuple[str, int]]:
        mine: list[tuple[str, int]] = []
        for _ in range(12):
            with relay.runtime.database.write() as session:
                mine += [("event", one.id) for one in claim_events(session, 3)]
                mine += [("effect", one.id) for one in claim_effects(session, 2)]
        return mine

    claimed = Counter(one for mine in run_together(*[claim] * THREADS) for one in mine)
    assert set(claimed.values()) == {1}
    assert len([one for one in claimed if one[0] == "event"]) == 60
    assert len([one for one in claimed if one[0] == "effect"]) == 15  # one of each lane


def test_workers_side_by_side_do_everything_once_and_in_order(relay: RelayStage) -> None:
    fill(relay)

    def send(job: Any) -> Done:
        time.sleep(0.002)
        return Done()

    relay.far.on_send = send
    end = time.monotonic() + 25

    def worker() -> None:
        while time.monotonic() < end and (
            "pending" in relay.states() or "sending" in relay.states() or None in outcomes(relay)
        ):
            work(relay.runtime, 1)
            time.sleep(0.01)

    run_together(*[worker] * 3)
    assert set(relay.states()) == {"done"}
    assert set(outcomes(relay)) == {"handled"}
    assert set(Counter(job.id for job in relay.far.sent).values()) == {1}
    assert set(Counter(relay.handler.applied).values()) == {1}
    with relay.runtime.database.read() as session:
        lanes = {effect.id: effect.lane for effect in session.scalars(select(Effect))}
    for lane in set(lanes.values()):
        sent = [job.id for job in relay.far.sent if lanes[job.id] == lane]
        assert sent == sorted(sent)


def outcomes(relay: RelayStage) -> list[str | None]:
    with relay.runtime.database.read() as session:
        return list(session.scalars(select(Event.outcome)))


def test_one_wanted_by_many_events_at_once_is_one_row(relay: RelayStage) -> None:
    """Each event is thought about under its shop's lock, so that two cannot both find nothing wanted yet."""

    def apply(session: Any, delivery: Any) -> Any:
        made = want(session, delivery.shop_id, Wanted(OMS_UNHOLD_ORDER, "same", "same", "same", {}), delivery.id)
        return handled(str(made))

    relay.handler.on_apply = apply
    relay.set_mode("observe")  # nothing is sent, so nothing is done and wanted again
    for number in range(24):
        relay.record(f"d{number}")
    run_together(*[lambda: work(relay.runtime, 20)] * 4)
    work(relay.runtime, 20)
    assert set(outcomes(relay)) == {"handled"}
    assert relay.states() == ["would_have"]


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[str]:
    """A server that this test alone uses."""
    server = EmbeddedServer(tmp_path / "own")
    yield server.acquire()
    server.release()


@pytest.fixture
def rung(config: Config, own_valkey: str) -> Iterator[RelayStage]:
    built = RelayStage(config, Doorbell(lambda: own_valkey))
    set_current(built.runtime)
    yield built
    built.close()


def count_jobs(url: str) -> int:
    return int(Redis.from_url(url).llen(f"rq:queue:{QUEUE_NAME}"))  # type: ignore[arg-type]


def test_many_rings_are_one_job(rung: RelayStage, own_valkey: str) -> None:
    assert all(rung.runtime.bell.ring() for _ in range(50))
    assert count_jobs(own_valkey) == 1
    rung.record("d1")
    drain()
    assert outcomes(rung) == ["handled"]
    assert rung.runtime.bell.ring()  # answered: the next one is new
    assert count_jobs(own_valkey) == 2


@pytest.mark.parametrize(("rings", "outcome"), [(True, "handled"), (False, None)])
def test_who_waits_for_a_far_side_hears_the_bell(
    rung: RelayStage, monkeypatch: pytest.MonkeyPatch, rings: bool, outcome: str | None
) -> None:
    """And begins what was rung for, long before it would look again by itself."""
    monkeypatch.setattr(crew, "_POLL_SECONDS", 60.0)
    begun, over = threading.Event(), threading.Event()

    def hang(job: Job) -> Done:
        begun.set()
        assert over.wait(10)
        return Done()

    rung.far.on_send = hang
    rung.want()
    busy = threading.Thread(target=work, args=(rung.runtime, 20))
    busy.start()
    assert begun.wait(5)
    time.sleep(0.3)  # it has looked whether there is more, and listens
    event_id = rung.record("d1")
    if rings:
        rung.runtime.bell.ring()
    until = time.monotonic() + (5 if rings else 0.5)
    while time.monotonic() < until and rung.event(event_id).outcome is None:
        time.sleep(0.02)
    found = rung.event(event_id).outcome
    over.set()
    busy.join(10)
    assert found == outcome


def test_a_server_that_hangs_costs_a_listener_one_time_out(tmp_path: Path) -> None:
    """Not one for every claim."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        bell = Doorbell(lambda: f"unix://{tmp_path}/silent.sock")
        began = time.monotonic()
        assert [bell.count_rings() for _ in range(10)] == [None] * 10
        assert time.monotonic() - began < 5 * REDIS_SECONDS


def test_who_has_no_free_hands_has_not_looked_for_what_dead_workers_had(
    relay: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(crew, "claim_due", lambda *given, recover, patient: looked.append(recover) or [])
    hands = crew.Crew(relay.runtime)
    busy: dict[Future[None], Claim] = {Future(): Claim(number, 1) for number in range(crew.HANDS)}
    hands._sending = busy
    hands._take_on()
    hands._sending = {}
    hands._take_on()
    hands._take_on()
    assert looked == [True, False]


def test_who_may_hang_waits_for_the_others_but_not_for_ever(relay: RelayStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its call is made by the interpreter that works for them; `most` is how many of its kind may be claimed."""
    now, claimed = [100.0], []

    def note_claim(runtime: Runtime, limit: int, most: int, *, recover: bool, patient: bool) -> list[Claim]:
        claimed.append((most, patient))
        return []

    monkeypatch.setattr(crew, "claim_due", note_claim)
    monkeypatch.setattr(crew, "monotonic", lambda: now[0])
    hands = crew.Crew(relay.runtime)
    hanging: dict[Future[None], Claim] = {Future(): Claim(1, 1, doubtful=True)}
    hands._sending = hanging
    hands._take_on()
    hands._sending = hanging | {Future(): Claim(2, 1)}
    hands._take_on()
    now[0] += 1
    hands._take_on()
    hands._take_on()
    assert claimed == [(3, True), (0, True), (3, False), (0, True)]


def test_flushing_redis_loses_nothing(rung: RelayStage, own_valkey: str) -> None:
    rung.record("d1")
    rung.want()
    rung.runtime.bell.ring()
    Redis.from_url(own_valkey).flushall()
    sweep(rung.runtime)
    assert count_jobs(own_valkey) == 1
    drain()
    assert outcomes(rung) == ["handled"]
    assert rung.states() == ["done"]


def test_the_sweeper_only_rings_while_somebody_can_hear(rung: RelayStage) -> None:
    rung.record("d1")
    sweep(rung.runtime)
    assert outcomes(rung) == [None]


def test_with_redis_gone_the_sweeper_does_the_work(config: Config, tmp_path: Path) -> None:
    relay = RelayStage(config, Doorbell(lambda: f"unix://{tmp_path}/nobody.sock"))
    relay.record("d1")
    relay.want()
    began = time.monotonic()
    assert relay.runtime.bell.ring() is False
    sweep(relay.runtime)
    assert time.monotonic() - began < 5
    assert outcomes(relay) == ["handled"]
    assert relay.states() == ["done"]
    relay.close()


def test_a_job_whose_worker_died_is_rung_for_again(rung: RelayStage, own_valkey: str) -> None:
    rung.record("d1")
    sweep(rung.runtime)
    Redis.from_url(own_valkey).delete(f"rq:queue:{QUEUE_NAME}")  # a worker took the job and was killed
    sweep(rung.runtime)
    assert count_jobs(own_valkey) == 0  # the last ring may still be on its way
    time.sleep(2.1)
    sweep(rung.runtime)
    assert count_jobs(own_valkey) == 1


def test_an_embedded_server_that_does_not_start_is_no_fault_of_the_caller() -> None:
    """The door rings after its commit: whatever is wrong with Redis, the delivery is stored and answered 200."""

    def fail() -> str:
        raise EmbeddedServerFault("the embedded Valkey server did not start")

    bell = Doorbell(fail)
    assert bell.ring() is False
    assert bell.count_rings() is None
    bell.answer()


def test_what_is_begun_at_the_moment_it_is_withdrawn_is_not_forgotten(relay: RelayStage) -> None:
    """Not every kind is prepared under the shop's lock: it is superseded, or it knows that it is no longer wanted."""
    effect_id = relay.want("a")

    def take_back() -> None:
        with relay.runtime.database.write() as session:
            withdraw(session, relay.shop_id, "a", "no longer wanted")

    thread = threading.Thread(target=take_back)
    with relay.runtime.database.write() as session:
        begun = session.scalars(select(Effect).where(Effect.id == effect_id).with_for_update()).one()
        begun.state, begun.started = "sending", True
        session.flush()
        thread.start()
        time.sleep(0.5)  # for it to come as far as it can
    thread.join(10)
    assert relay.effect(effect_id).progress == {"withdrawn": "no longer wanted"}
