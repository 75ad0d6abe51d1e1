"""Everything that is done to the product's processes and servers while it works, by one seed."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import psutil

from core.failpoints import NAMES
from tests.crash.arming import ACTIONS
from tests.crash.compress import LEASE_SECONDS
from tests.crash.house import House

FREEZE_SECONDS = 1.3 * LEASE_SECONDS
Case = tuple[str, str]  # a failpoint and what happens at it
_ARMED_SECONDS = 6.0
_SELDOM_SECONDS = 30.0  # a worker that has work answers a bell once in 20 s, if it lives that long: no storm meanwhile
# reached only when something else fails first
LURES = {"blame": ("prepare.after_commit", "exception"), "think.put_off": ("think.after_read", "exception")}


@dataclass(frozen=True)
class Faults:
    """Seconds between two faults of a kind; 0 is never. Kills come in storms, so that between them work is done.

    A process is killed at its work: one that has only just been started is left until it has reached a failpoint.
    """

    kill: float = 0.2
    storm: float = 3.0
    lull: float = 25.0  # at most, and until this many events and effects have ended since the last storm:
    lull_work: int = 400
    freeze: float = 6.0
    freeze_seconds: float = FREEZE_SECONDS
    postgres: float = 30.0
    flush: float = 9.0
    valkey: float = 17.0
    orphan: float = 45.0
    renew: float = 0  # the tables are migrated, then one role after another becomes the next release
    cases: tuple[Case, ...] = ()
    roles: tuple[str, ...] = ()  # whom kills and freezes may hit; none named: all


NO_FAULTS = Faults(kill=0, freeze=0, postgres=0, flush=0, valkey=0, orphan=0)


def sample_cases(seed: int, actions: tuple[str, ...] = ACTIONS) -> tuple[Case, ...]:
    """Every failpoint once, each with one action; another seed gives other pairs."""
    chance = random.Random(seed)
    cases = [(name, actions[(number + seed) % len(actions)]) for number, name in enumerate(sorted(NAMES))]
    chance.shuffle(cases)
    return tuple(cases)


def all_cases(actions: tuple[str, ...] = ACTIONS) -> tuple[Case, ...]:
    """Every failpoint with every action."""
    return tuple((name, action) for name in sorted(NAMES) for action in actions)


@dataclass
class Chaos:
    """A thread that disturbs. `open_cases` are failpoints not hit yet."""

    house: House
    faults: Faults
    done: Counter[str] = field(default_factory=Counter)
    hits: list[Case] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.house.scale.seed + 17)
        self._stop, self._paused = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")
        self._frozen: dict[int, float] = {}
        self._tokens = count(1)
        self.open_cases = list(self.faults.cases)
        self._case: tuple[Case, str] | None = None
        self._armed_at = self._storm_end = 0.0
        self.progress = self._calm_until_progress = 0  # events and effects that have ended, as the run tells
        self.troubles: list[str] = []

    @property
    def left(self) -> list[Case]:
        """What is to be done yet: failpoints that were not hit, roles of the previous release."""
        renewals = [
            (role, "renew") for role in self.house.names if self.faults.renew and role not in self.house.renewed
        ]
        return [*self.open_cases, *([self._case[0]] if self._case else []), *renewals]

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No more faults; whoever is frozen goes on, whoever is dead lives again, orphans go."""
        self._stop.set()
        self._thread.join()
        for armed in self.house.hooks.glob("armed-*"):
            armed.unlink(missing_ok=True)
        for pid in (*self._frozen, *self.house.roles.values()):
            self.house.send(pid, signal.SIGCONT)
        for orphan in self.house.orphans:
            self.house.send(orphan, signal.SIGKILL)
        time.sleep(0.3)
        self._take_hits()
        self._revive()

    def _run(self) -> None:
        faults, began = self.faults, time.monotonic()
        plan: list[tuple[float, Callable[[], None]]] = [
            (faults.kill, self._kill), (faults.freeze, self._freeze), (faults.postgres, self._crash_postgres),
            (faults.flush, self._flush), (faults.valkey, self._crash_valkey), (faults.orphan, self._orphan),
            (faults.renew, self._renew),
        ]  # fmt: skip
        due = {index: began + 1 + every for index, (every, _) in enumerate(plan) if every}
        while not self._stop.wait(0.02):
            try:
                now = time.monotonic()
                for index in [one for one, at in due.items() if at <= now]:
                    every, act = plan[index]
                    due[index] = now + every
                    act()
                self._tend()
            except Exception:  # noqa: BLE001 - the harness must tell of its own faults at the end, not stop in silence
                self.troubles.append(traceback.format_exc())

    def _tend(self) -> None:
        now = time.monotonic()
        for pid in [one for one, until in self._frozen.items() if until <= now]:
            del self._frozen[pid]
            self.house.send(pid, signal.SIGCONT)
        self._take_hits()
        self._arm_next()
        self._revive()

    def _revive(self) -> None:
        for role, pid in list(self.house.roles.items()):
            if not self.house.is_alive(pid):
                (self.house.hooks / f"working-{pid}").unlink(missing_ok=True)
                self.done["restarts"] += 1
                self.house.start(role)

    def _pick(self) -> tuple[str, int]:
        role = self._chance.choice(self.faults.roles or self.house.names)
        return role, self.house.roles[role]

    def _kill(self) -> None:
        if not self._is_stormy():
            return
        _, pid = self._pick()
        if self._is_working(pid):
            self.house.send(pid, signal.SIGKILL)
            self.done["kills"] += 1

    def _is_stormy(self) -> bool:
        now = time.monotonic()
        if self._is_seldom():
            return False
        if now < self._storm_end:
            return True
        if self.progress < self._calm_until_progress and now < self._storm_end + self.faults.lull:
            return False
        self._storm_end = now + self.faults.storm
        self._calm_until_progress = self.progress + self.faults.lull_work
        return True

    def _is_seldom(self) -> bool:
        return self._case is not None and self._case[0][0].startswith("answer.")

    def _is_working(self, pid: int) -> bool:
        return (self.house.hooks / f"working-{pid}").exists()

    def _freeze(self) -> None:
        _, pid = self._pick()
        if pid not in self._frozen and len(self._frozen) < 2:
            self.house.send(pid, signal.SIGSTOP)
            self._frozen[pid] = time.monotonic() + self.faults.freeze_seconds
            self.done["freezes"] += 1

    def _crash_postgres(self) -> None:
        if self.house.postgres:
            self.house.postgres.crash()
            self.done["postgres restarts"] += 1

    def _flush(self) -> None:
        self.house.valkey.flush()
        self.done["flushes"] += 1

    def _crash_valkey(self) -> None:
        self.house.valkey.crash()
        self.done["valkey kills"] += 1

    def _renew(self) -> None:
        """The next step of bringing this release out."""
        if not self.done["migrations"]:
            self.house.migrate()
            self.done["migrations"] += 1
        elif old := [role for role in self.house.names if role not in self.house.renewed]:
            self.house.renewed.add(old[0])
            self.house.send(self.house.roles[old[0]], signal.SIGTERM)
            self.done["renewals"] += 1

    def _orphan(self) -> None:
        """A worker with a child of its own dies, and the child works on without it."""
        role = "worker0"
        self.house.send(self.house.roles[role], signal.SIGKILL)
        self.house.start(role, "--processes", "2")
        threading.Timer(4.0, self._leave_orphan, [self.house.roles[role]]).start()

    def _leave_orphan(self, parent: int) -> None:
        try:
            children = [child.pid for child in psutil.Process(parent).children()]
        except psutil.Error:
            return
        self.house.send(parent, signal.SIGKILL)
        self.house.orphans += children
        self.done["orphans"] += len(children)

    def _arm_next(self) -> None:
        if self._case is not None:
            patience = _SELDOM_SECONDS if self._is_seldom() else _ARMED_SECONDS
            if time.monotonic() - self._armed_at > patience:  # another one's turn; this one comes again later
                (case, token), self._case = self._case, None
                (self.house.hooks / f"armed-{case[0].partition(':')[0]}").unlink(missing_ok=True)
                if not (self.house.hooks / f"hit-{token}").exists():
                    self.open_cases.append(case)
            return
        if self.open_cases and self.done["restarts"] >= 0:
            case = self.open_cases.pop(0)
            self._case, self._armed_at = (case, self._arm(*case)), time.monotonic()
            lure = next((LURES[one] for one in LURES if case[0].startswith(f"{one}.")), None)
            if lure:
                self._arm(*lure)

    def _arm(self, name: str, action: str) -> str:
        name, _, detail = name.partition(":")
        token = str(next(self._tokens))
        path = self.house.hooks / f"new-{token}"
        path.write_text(f"{action} {token} {detail or '-'}")
        path.rename(self.house.hooks / f"armed-{name}")
        return token

    def _take_hits(self) -> None:
        for path in self.house.hooks.glob("hit-*"):
            hit = json.loads(path.read_text())
            path.unlink()
            if hit["action"] == "stop":
                self._frozen[hit["pid"]] = time.monotonic() + self.faults.freeze_seconds
            self.hits.append((hit["name"], hit["action"]))
            self.done["failpoints"] += 1
            if self._case and hit["name"] == self._case[0][0].partition(":")[0]:
                self._case = None
