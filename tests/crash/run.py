"""One run: everything is started, the world begins, faults fall, calm comes, and the evidence is judged."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from core.db import Database
from core.models import Effect, Event
from tests.crash.cancels import judge_cancels, want_cancels
from tests.crash.chaos import Case, Chaos, Faults
from tests.crash.checks import Verdict, judge
from tests.crash.compress import SLACK
from tests.crash.evidence import gather
from tests.crash.house import House, Scale

CALM_SECONDS = 120.0 * SLACK
_MOST_BACKLOG, _SMALL_BACKLOG = 400, 5
_MOST_OPEN = 100  # calls that were not accepted yet: above it, repeats would be all that the doors ever hear


@dataclass
class Result:
    """How a run went."""

    scale: Scale
    verdict: Verdict
    accepted: int
    stories: int
    seconds: float
    calm_seconds: float
    faults: Counter[str]
    outcomes: Counter[str]
    states: Counter[str]
    missed: list[Case]  # failpoints that were named and never reached, and roles that were to be renewed
    troubles: list[str]

    def __bool__(self) -> bool:
        return bool(self.verdict) and not self.missed and not self.troubles

    def __str__(self) -> str:
        what = ", ".join(f"{many} {kind}" for kind, many in sorted(self.faults.items()))
        short = f" (of {self.scale.events}: the time was up)" if self.accepted < self.scale.events else ""
        missed = f"\nnever reached: {self.missed}" if self.missed else ""
        troubles = f"\nthe harness itself failed: {self.troubles[0]}" if self.troubles else ""
        return (
            f"seed {self.scale.seed} on {self.scale.database}: {self.accepted} events accepted{short} "
            f"of {self.stories} stories in {self.seconds:.0f} s, calm after {self.calm_seconds:.0f} s\nfaults: {what}\n"
            f"events: {dict(self.outcomes)}; effects: {dict(self.states)}\n{self.verdict}{missed}{troubles}"
        )


def run(
    scale: Scale,
    faults: Faults,
    *,
    most_seconds: float,
    calm_seconds: float | None = None,
    say: bool = True,
    keep: bool = False,
) -> Result:
    """A whole run, bounded in time: when the load's time is up, calm comes with what was accepted until then."""
    house = House(scale)
    chaos = Chaos(house, faults)
    try:
        want_cancels(house)
        house.start_all()
        began = time.monotonic()
        chaos.start()
        try:
            _carry_load(house, chaos, began, most_seconds, say=say)
        finally:
            chaos.end()
        seconds = time.monotonic() - began
        calm = _await_calm(house, calm_seconds or CALM_SECONDS, say=say)
        progress = house.ask("progress")
        found = gather(house)
        faults_done = chaos.done + Counter(found.told["mischief"])
        verdict = judge(found)
        judge_cancels(found, verdict)
        result = Result(
            scale, verdict, progress["accepted"], progress["stories"], seconds, calm, faults_done,
            found.outcomes, Counter(one.state for one in found.effects), chaos.left, chaos.troubles,
        )  # fmt: skip
        keep = keep or (not result and not scale.plant)
        if keep:
            print(f"kept: {house.folder}", flush=True)
        return result
    finally:
        house.close(keep=keep)


def _carry_load(house: House, chaos: Chaos, began: float, most_seconds: float, *, say: bool) -> None:
    """Until enough events were accepted and mostly ended, and every armed failpoint was hit; or the time is up."""
    database = Database(house.url)
    said, rate = began, house.scale.rate
    while time.monotonic() - began < most_seconds:
        time.sleep(0.5)
        progress = house.ask("progress")
        cases = len(chaos.left)
        if cases and progress["accepted"] + 100 > house.scale.events:
            house.ask(f"more?events={progress['accepted'] + 400}")
        backlog, chaos.progress = count_rows(database)
        if not progress["launching"] and not cases and backlog < _SMALL_BACKLOG:
            break
        is_full = backlog > _MOST_BACKLOG or progress["open"] > _MOST_OPEN
        house.ask(f"pace?rate={0 if is_full else rate}")
        if say and time.monotonic() - said > 10:
            said = time.monotonic()
            print(f"  {said - began:4.0f} s: {progress['accepted']} accepted, {backlog} waiting, {cases} failpoints"
                  f" to come, {chaos.done['kills']} kills", flush=True)  # fmt: skip
    database.dispose()


def count_rows(database: Database) -> tuple[int, int]:
    """Events and effects without an end, and those with one; a large number and 0 while the database is away."""
    try:
        with database.read() as session:
            events = select(func.count(Event.id), func.count(Event.outcome))
            stored, ended = session.execute(events).one()
            ahead = aliased(Effect)  # what waits behind a parked effect waits for a person
            in_lane = (ahead.shop_id == Effect.shop_id) & (ahead.lane == Effect.lane) & (ahead.id < Effect.id)
            is_behind = ~Effect.passes_parked & select(ahead.id).where(in_lane, ahead.state == "parked").exists()
            is_open = Effect.state.in_(("pending", "sending")) & ~is_behind
            wanted, waiting = session.execute(select(func.count(Effect.id), func.count(case((is_open, 1))))).one()
            return stored - ended + waiting, ended + wanted - waiting
    except SQLAlchemyError:
        return 10_000, 0


def _await_calm(house: House, most_seconds: float, *, say: bool) -> float:
    """Seconds until nothing waits any more, here or outside; bounded."""
    house.ask("calm")
    database, began, quiet = Database(house.url), time.monotonic(), 0
    while time.monotonic() - began < most_seconds and quiet < 4:
        time.sleep(0.5)
        idle = count_rows(database)[0] == 0 and house.ask("progress")["open"] == 0
        quiet = quiet + 1 if idle else 0
    database.dispose()
    if say:
        print(f"  calm after {time.monotonic() - began:.0f} s", flush=True)
    return time.monotonic() - began
