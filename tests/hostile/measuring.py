"""What a hostile run watches while it lasts, and what it says at its end."""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
from sqlalchemy import Row, func, select

from core.http import DEADLINE_SECONDS
from core.models import Attempt, Effect, Endpoint
from core.relay.endpoints import DOWN, PROBE_SECONDS
from tests.crash.compress import SLACK
from tests.hostile.street import Street

ALONE, FRIENDLY, HOSTILE = "alone", "beside friendly guests", "beside hostile guests"
MOST_RATIO = 1.10  # of the healthy ones' p95 beside hostile guests to that beside as many friendly ones
MOST_UNREST = 2.0
MOST_MEGABYTES = 300.0
MOST_ATTEMPT_SECONDS = DEADLINE_SECONDS + 1.0 * SLACK  # an attempt's length is taken around its call
_LOOSE_SECONDS = 0.2
_DRAWS = 1000
Place = tuple[int, str]  # shop, endpoint


@dataclass(frozen=True)
class Window:
    """A stretch of the run."""

    kind: str
    began: float
    ended: float


class Watcher:
    """Looks now and then. `downs`: since when an endpoint has been left alone; `connections`: the worker's most."""

    def __init__(self, street: Street):
        self._street = street
        self._worker = psutil.Process(street.processes["worker"].pid)
        self.connections = 0
        self.downs: dict[Place, datetime] = {}

    def watch(self, kind: str, seconds: float) -> Window:
        """Let so much time go by."""
        began, used = time.time(), self._used_seconds
        while time.time() < began + seconds:
            time.sleep(0.5)
            self._look()
        share = (self._used_seconds - used) / seconds
        print(f"  {kind} for {seconds:.0f} s; the worker used {share:.0%} of a CPU", flush=True)
        return Window(kind, began, time.time())

    def _look(self) -> None:
        with contextlib.suppress(psutil.Error):
            self.connections = max(self.connections, len(self._worker.net_connections("tcp")))
        with self._street.runtime.database.read() as session:
            rows = session.execute(
                select(Endpoint.shop_id, Endpoint.name, Endpoint.since).where(Endpoint.state == DOWN)
            )
            for shop_id, name, since in rows:
                self.downs.setdefault((shop_id, name), since)

    @property
    def _used_seconds(self) -> float:
        used = self._worker.cpu_times()
        return float(used.user + used.system)

    def wait_for_healthy(self) -> None:
        """Until all that the healthy shops want is done; bounded."""
        ids = [one.shop_id for one in self._street.healthy]
        query = select(func.count()).where(Effect.shop_id.in_(ids), Effect.state != "done")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with self._street.runtime.database.read() as session:
                if session.scalars(query).one() == 0:
                    return
            time.sleep(0.2)

    @property
    def peak_megabytes(self) -> float:
        """The most memory the worker ever held."""
        status = Path(f"/proc/{self._worker.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@dataclass(frozen=True)
class Delivery:
    """One effect at a healthy far side; `seconds` from its making until it was received, None when it never was."""

    shop_id: int
    made: float
    seconds: float | None


def judge(street: Street, watcher: Watcher, windows: list[Window], refused: list[int]) -> bool:
    """Print the figures, and whether each bound held."""
    deliveries = list_deliveries(street)
    mine = [one for one in deliveries if one.shop_id in {shop.shop_id for shop in street.healthy}]
    lost = sum(one.seconds is None for one in mine)
    medians = {kind: list_medians(mine, windows, kind) for kind in (ALONE, FRIENDLY, HOSTILE)}
    p95 = {kind: find_quantile(list_times(mine, windows, kind), 19) for kind in medians}
    called = Counter(json.loads(line)[1] for line in street.journal.read_text().splitlines())
    print(f"slack {SLACK:g}: so many times slower than a free machine; {len(mine)} deliveries of healthy shops")
    for kind, found in medians.items():
        print(f"{kind}: medians {in_ms(found)}, p95 of all {in_ms([p95[kind]])} in ms")
    print(f"connections that hostile partners saw: {sum(called.values())}: {dict(called)}")
    print(f"most connections the worker had at once: {watcher.connections}; endpoints left alone: {len(watcher.downs)}")
    print(f"p95 beside hostile guests, of p95 alone: {p95[HOSTILE] / p95[ALONE]:.2f}")
    low, high = find_spread(list_times(mine, windows, HOSTILE), list_times(mine, windows, FRIENDLY))
    print(f"of that beside friendly: {low:.2f} to {high:.2f} in nine of ten runs that draw from these same deliveries")
    probes = find_soonest_probe(street, watcher.downs)
    unrest = max(medians[ALONE]) / min(medians[ALONE])
    return all([
        say("median of one turn alone, of another: above it the machine is too restless to tell", unrest, MOST_UNREST),
        say("p95 beside hostile guests, of that beside friendly", p95[HOSTILE] / p95[FRIENDLY], MOST_RATIO),
        say("healthy deliveries that never came, and pushes refused", lost + len(refused), 0),
        say("worker's peak memory in MB", watcher.peak_megabytes, MOST_MEGABYTES),
        say("longest attempt in s", find_longest(street), MOST_ATTEMPT_SECONDS),
        say("calls a minute of one that is left alone", 60 / probes, 60 / (PROBE_SECONDS - _LOOSE_SECONDS)),
    ]) and bool(watcher.downs)  # fmt: skip


def say(what: str, figure: float, most: float) -> bool:
    """One bound."""
    holds = figure <= most
    print(f"{'held  ' if holds else 'BROKEN'} {what}: {figure:.2f} (at most {most:.4g})", flush=True)
    return holds


def in_ms(seconds: list[float]) -> list[int]:
    return [round(one * 1000) for one in seconds]


def list_deliveries(street: Street) -> list[Delivery]:
    """What went to healthy far sides, with the time it took."""
    heard: dict[str, float] = json.loads(street.ask(street.receivers_port, "/dump"))
    query = select(Effect).where(Effect.endpoint.in_(("oms", "partner:well")))
    with street.runtime.database.read() as session:
        found = []
        for effect in session.scalars(query):
            name = f"oms:{effect.about}" if effect.endpoint == "oms" else f"partner:{effect.key}"
            made, at = effect.created_at.timestamp(), heard.get(name)
            found.append(Delivery(effect.shop_id, made, None if at is None else at - made))
        return found


def list_medians(deliveries: list[Delivery], windows: list[Window], kind: str) -> list[float]:
    """Of each such window: the median of what it took whatever was made in it to be received."""
    mine = [window for window in windows if window.kind == kind]
    return [statistics.median(list_times(deliveries, [window], kind)) for window in mine]


def list_times(deliveries: list[Delivery], windows: list[Window], kind: str) -> list[float]:
    """What it took whatever was made in such windows to be received."""
    mine = [window for window in windows if window.kind == kind]
    received = [(one.made, one.seconds) for one in deliveries if one.seconds is not None]
    return [seconds for made, seconds in received if any(one.began <= made < one.ended for one in mine)]


def find_quantile(times: list[float], twentieth: int) -> float:
    """The time within which so many twentieths were received."""
    return statistics.quantiles(times, n=20)[twentieth - 1]


def find_spread(these: list[float], those: list[float]) -> tuple[float, float]:
    """How far chance alone moves the quotient of two p95 (bootstrap: deliveries drawn anew with replacement)."""
    chance = random.Random(1)
    quotients = [
        find_quantile(chance.choices(these, k=len(these)), 19) / find_quantile(chance.choices(those, k=len(those)), 19)
        for _ in range(_DRAWS)
    ]
    return find_quantile(quotients, 1), find_quantile(quotients, 19)


def find_longest(street: Street) -> float:
    """The longest attempt at anybody."""
    with street.runtime.database.read() as session:
        return float(session.scalars(select(func.max(Attempt.milliseconds))).one()) / 1000


def find_soonest_probe(street: Street, downs: dict[Place, datetime]) -> float:
    """The shortest time from when an endpoint was left alone, or from a probe, to the next call, in seconds."""
    spans = []
    for (shop_id, name), since in downs.items():
        calls = [row.began_at for row in _list_calls(street, shop_id, name) if row.began_at > since]
        spans += [(later - earlier).total_seconds() for earlier, later in pairwise([since, *calls])]
    return min(spans, default=PROBE_SECONDS)


def _list_calls(street: Street, shop_id: int, name: str) -> list[Row[tuple[datetime]]]:
    """Attempts that called; one that was told to wait did not."""
    query = (
        select(Attempt.began_at)
        .join(Effect, Effect.id == Attempt.effect_id)
        .where(Effect.shop_id == shop_id, Effect.endpoint == name, Attempt.result != "throttled")
    )
    with street.runtime.database.read() as session:
        return list(session.execute(query.order_by(Attempt.began_at)))
