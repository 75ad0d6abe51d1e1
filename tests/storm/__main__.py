"""Outage and storm: `python -m tests.storm` (docs/reliability.md). Real processes, real times, loopback."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select

from core.db import Database
from core.models import Attempt, Effect, Endpoint, Event
from core.relay.endpoints import OMS, PROBE_SECONDS
from tests.crash.checks import judge
from tests.crash.evidence import gather
from tests.crash.house import Scale
from tests.storm.checks import (
    Span,
    count_overtaking,
    find_faults_of_backlog,
    find_worst_wait,
    list_gaps,
    most_in_a_minute,
    p95,
)
from tests.storm.house import DEFAULT_BUDGET, DOWN, METERED, WELL, StormHouse

_VERDICTS, _EVERY = 40, 0.75  # of one measurement
_IN_FLOOD, _EVERY_IN_FLOOD = 20, 0.4
_URGENT = 10  # verdicts of the shop whose backlog drains
_METERED_FROM = 1_000_000  # numbers of the returns of the shop with the default budget
_METERED_SECONDS = 150
_PROBES = 2
_SLOWEST_DRAIN = 5  # effects a second; the shop with the default budget needs some minutes as well


class Storm:
    """One run. `faults`: what was not as promised."""

    def __init__(self, house: StormHouse, effects: int, updates: int):
        self.house, self.effects, self.updates = house, effects, updates
        self.database = Database(house.url)
        self.faults: list[str] = []

    def check(self, holds: bool, words: str) -> None:
        """Say it, and whether it holds."""
        print(f"  {'' if holds else 'NOT AS PROMISED: '}{words}", flush=True)
        self.faults += [] if holds else [words]

    def play(self) -> None:
        """All of it, in the order in which it must happen."""
        self._prepare()
        quiet = self._decide(WELL, _VERDICTS, _EVERY, "quiet")
        self._flood()
        self._fill()
        self._endure(quiet)
        self._drain()
        self._judge()

    def _prepare(self) -> None:
        self.house.ask(f"prepare?shop={WELL}&count={3 * _VERDICTS + 2 * _IN_FLOOD}")
        self.house.ask(f"prepare?shop={DOWN}&count={_URGENT}")
        self.house.await_told(lambda told: not told["busy"], 600)
        self._await_rest()

    def _decide(self, shop: int, count: int, every: float, label: str) -> float:
        """p95 in seconds from verdict to unhold."""
        self._begin_to_decide(shop, count, every, label)
        return self._await_decided(label, count)

    def _begin_to_decide(self, shop: int, count: int, every: float, label: str) -> None:
        self.house.ask(f"decide?shop={shop}&count={count}&every={every}&label={quote(label)}")

    def _await_decided(self, label: str, count: int) -> float:
        told = self.house.await_told(lambda told: len(told["latencies"].get(label, ())) == count, 600)
        seconds = sorted(told["latencies"][label])
        print(f"  {label}: verdict to unhold, {count} times: median {seconds[count // 2]:.3f} s, "
              f"p95 {p95(seconds):.3f} s, longest {seconds[-1]:.3f} s", flush=True)  # fmt: skip
        return p95(seconds)

    def _flood(self) -> None:
        """Updates that matter to nobody, while verdicts come."""
        before = self._decide(WELL, _IN_FLOOD, _EVERY_IN_FLOOD, "before the flood")
        calls, reads = len(self.house.ask("calls")), Counter(self.house.ask("told")["reads"])
        with self.database.read() as session:
            newest = session.scalars(select(func.max(Event.id))).one()
        self.house.ask(f"flood?shop={WELL}&count={self.updates}")
        during = self._decide(WELL, _IN_FLOOD, _EVERY_IN_FLOOD, "in the flood")
        self.house.await_told(lambda told: not told["busy"], 600)
        self._await_rest()
        made = Counter(kind for _, _, kind in self.house.ask("calls")[calls:])
        more = Counter(self.house.ask("told")["reads"]) - reads
        collapsed = self._count(Event, Event.reason.startswith("a newer update of the same thing came"))
        heard = f"{self.updates} updates of no concern: OMS heard {dict(made)}; Shopify was asked {dict(more)}"
        self.check(sum(made.values()) == _IN_FLOOD, heard)
        verdicts, updates = (self._list_spans(newest, topic) for topic in ("processing_update", "orders/updated"))
        ahead, waited = find_worst_wait(verdicts, updates)
        through = f"at most {ahead} of {waited} that waited when one came went ahead of it; {collapsed} collapsed"
        passed = f"verdicts pass the updates: {through}; p95 {during:.3f} s against {before:.3f} s"
        self.check(ahead <= waited / 2, passed)

    def _fill(self) -> None:
        began = time.monotonic()
        self.house.set_mode(DOWN, "paused")
        self.house.fill(DOWN, 0, self.effects // 2)
        waits = self._count_waiting()
        self.check(waits == self.effects, f"{waits} effects wait ({time.monotonic() - began:.0f} s to want them)")

    def _endure(self, quiet: float) -> None:
        """One OMS is down with everything waiting for it, another allows 200 calls a minute, a third shop is well."""
        self.house.ask(f"down?shop={DOWN}")
        self.house.set_mode(DOWN, "live")
        self.house.fill(METERED, _METERED_FROM, 400)
        began = time.time()
        during = self._decide(WELL, _VERDICTS, _EVERY, "one OMS is down")
        self.check(during < max(1.5 * quiet, quiet + 0.25), f"p95 of the shop that is well: {quiet} s, now {during} s")
        opened = self._await_probes()
        if (left := began + _METERED_SECONDS - time.time()) > 0:
            time.sleep(left)
        probes = self._list_calls(DOWN, opened + 1)
        gaps, first = list_gaps([opened, *probes]), len(self._list_calls(DOWN, opened - 60)) - len(probes)
        rarely = len(probes) >= _PROBES and min(gaps) > PROBE_SECONDS - 1
        self.check(rarely, f"{first} calls until it was left alone, then one after each of {gaps} s")
        metered = self._list_calls(METERED, 0)
        most, seconds = most_in_a_minute(metered), time.time() - metered[0]
        used = len(metered) / seconds * 60
        held = f"{len(metered)} calls in {seconds:.0f} s at {DEFAULT_BUDGET} a minute; the fullest minute saw {most}"
        self.check(most <= DEFAULT_BUDGET and used > 0.8 * DEFAULT_BUDGET, held)

    def _await_probes(self) -> float:
        """When the OMS was first left alone, once it has been probed often enough."""
        opened = 0.0
        until = time.monotonic() + 60 + PROBE_SECONDS * 2**_PROBES
        while time.monotonic() < until:
            with self.database.read() as session:
                endpoint = session.get_one(Endpoint, (DOWN + 1, OMS))
            opened = endpoint.since.timestamp() if endpoint.state == "down" else 0.0
            if opened and len(self._list_calls(DOWN, opened + 1)) >= _PROBES:
                return opened
            time.sleep(0.5)
        raise TimeoutError("it was never left alone and probed")

    def _drain(self) -> None:
        """It is back: everything goes out, and what is urgent does not wait for that."""
        self.house.ask(f"up?shop={DOWN}")
        up = time.time()
        self.house.await_told(lambda _: len(self._list_calls(DOWN, up)) > 20, 700)
        began = time.time()
        print(f"  it was found to be back after {began - up:.0f} s", flush=True)
        self._begin_to_decide(DOWN, _URGENT, _EVERY, "urgent, of the shop that drains")
        self._decide(WELL, _VERDICTS, _EVERY, "another OMS drains")
        urgent = self._await_decided("urgent, of the shop that drains", _URGENT)
        left = self._count_waiting()
        self.check(left == 0 or urgent < 20, f"{left} effects still waited when the urgent ones were through")
        self._await_rest(600 + self.effects / _SLOWEST_DRAIN)
        seconds, calls = time.time() - began, self._list_calls(DOWN, up)
        most, budget = most_in_a_minute(calls), self.house.budget
        drained = f"{len(calls)} calls in {seconds:.0f} s, {len(calls) / seconds:.0f} a second"
        self.check(most <= budget, f"{drained}; the fullest minute saw {most} of {budget} allowed")
        late = count_overtaking([one for one in self.house.ask("calls") if one[1] == DOWN and one[0] >= up])
        self.check(late < 100, f"{late} expectations came after the first status update")

    def _judge(self) -> None:
        found = gather(self.house)
        verdict = judge(found)
        self.check(bool(verdict), str(verdict))
        for numbers in (range(self.effects // 2), range(_METERED_FROM, _METERED_FROM + 400)):
            wrong = list(find_faults_of_backlog(found.told, numbers))
            self.check(
                not wrong, f"{len(numbers)} returns of the backlog, {len(wrong)} not as they must be {wrong[:3]}"
            )
        with self.database.read() as session:
            tries = dict(session.execute(select(Attempt.result, func.count()).group_by(Attempt.result)).all())
        print(f"  attempts: {tries}; effects: {dict(Counter(one.state for one in found.effects))}", flush=True)

    def _list_calls(self, shop: int, since: float) -> list[float]:
        return [moment for moment, whose, _ in self.house.ask("calls") if whose == shop and moment >= since]

    def _list_spans(self, after: int, topic: str) -> list[Span]:
        """When events of this topic that were stored later than that one were received, and when they ended."""
        query = select(Event.received_at, Event.ended_at).where(Event.id > after, Event.topic == topic)
        with self.database.read() as session:
            return [(received, ended) for received, ended in session.execute(query) if ended]

    def _count(self, model: type[Event | Effect], *conditions: Any) -> int:
        with self.database.read() as session:
            return session.scalars(select(func.count(model.id)).where(*conditions)).one()

    def _count_waiting(self) -> int:
        """Effects of the shop whose OMS is or was down."""
        return self._count(Effect, Effect.state == "pending", Effect.shop_id == DOWN + 1)

    def _await_rest(self, most_seconds: float = 300) -> None:
        """Until nothing waits in any live shop."""
        until = time.monotonic() + most_seconds
        while self._count(Event, Event.outcome.is_(None)) or self._count(
            Effect, Effect.state.in_(("pending", "sending"))
        ):
            if time.monotonic() > until:
                raise TimeoutError(f"work was left after {most_seconds:.0f} s")
            time.sleep(1)


def run(given: argparse.Namespace) -> list[str]:
    """One storm on one store: what was not as promised."""
    sizes = {"workers": 3, "webs": 2} if given.database == "postgresql" else {"workers": 2, "webs": 1}
    outside = {"rates": {}, "duplicates": 0}
    scale = Scale(1, given.database, 0, 0, **sizes, settle_seconds=30, real_times=True, outside=outside)
    house = StormHouse(scale, given.budget)
    try:
        house.start_all()
        storm = Storm(house, given.effects, given.updates)
        storm.play()
        return storm.faults
    finally:
        house.close(keep=given.keep)


def main() -> int:
    """1 when something was not as promised."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started is ended
    parser = argparse.ArgumentParser(prog="tests.storm", description=__doc__)
    parser.add_argument("--database", default="postgresql", choices=["postgresql", "sqlite"])
    parser.add_argument("--effects", type=int, default=50_000, help="that wait for the OMS that is down")
    parser.add_argument("--updates", type=int, default=1500, help="of no concern, while verdicts come")
    parser.add_argument("--budget", type=int, default=6000, help="calls a minute of the OMS that was down")
    parser.add_argument("--keep", action="store_true", help="leave logs and database behind")
    given = parser.parse_args()
    print(f"{given.database}, {given.effects} effects, {given.updates} updates", flush=True)
    faults = run(given)
    print(f"{len(faults)} things not as promised" if faults else "all as promised", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
