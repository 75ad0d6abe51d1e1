"""The harness is honest: each planted bug, in a run aimed at it, must break the law it is known to break."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.crash.chaos import NO_FAULTS, Faults
from tests.crash.compress import CALL_SECONDS, LEASE_SECONDS, SETTLE_SECONDS
from tests.crash.house import Scale
from tests.crash.mischief import READ_BACK
from tests.crash.outside import GIVE_UP_SECONDS
from tests.crash.run import Result, run

_NONE: dict[str, float] = {}
_LOST = {"lost": 0.5}
_KEY = "ALTER TABLE events DROP CONSTRAINT uq_events_source_shop_id_delivery_id"
_LATE = LEASE_SECONDS + SETTLE_SECONDS + 3 * CALL_SECONDS


@dataclass(frozen=True)
class Aim:
    """How to provoke a bug, and the law it breaks."""

    law: str
    mix: dict[str, int]
    special: dict[str, dict[str, float]] = field(default_factory=dict)
    faults: Faults = NO_FAULTS
    rates: dict[str, float] = field(default_factory=dict)
    cooling_off_seconds: float = 0.6
    pause: float = 0.6  # at most, between the verdicts on one unit
    sql: str = ""
    events: int = 60
    workers: int = 3


def _repeat(name: str, action: str, times: int, seconds: float = 0.0, **more: Any) -> Faults:
    faults = {"kill": 0, "freeze": 0, "postgres": 0, "flush": 0, "valkey": 0, "orphan": 0, **more}
    return Faults(**faults, cases=((name, action),) * times, freeze_seconds=seconds or 1.3 * LEASE_SECONDS)


_FLIP = {"flip": 1}

AIMS: dict[str, Aim] = {
    "no_fence": Aim(
        "out of order",
        {"pass": 1},
        {"oms.outward": {"throttled": 0.5}},
        _repeat("conclude.before:create_order", "stop", 4, _LATE),
        workers=6,
    ),
    "no_inbox_key": Aim("doubled", {"pass": 1}, sql=_KEY),
    "answer_before_commit": Aim(
        "lost", {"pass": 1}, faults=_repeat("record.before", "kill", 0, kill=0.7, storm=1e9, roles=("web0", "web1"))
    ),
    "no_look": Aim("doubled", {"pass": 1}, {"oms.outward": _LOST, "oms.return-orders": _LOST}),
    "no_settling": Aim("doubled", {"pass": 1}, {"oms.outward": {"late": 0.7}, "oms.return-orders": {"late": 0.7}}),
    "no_send_deadline": Aim(
        "doubled", {"pass": 1}, faults=_repeat("prepare.after_commit:create_order", "stop", 3, _LATE), workers=5
    ),
    "blind_retry": Aim("doubled", {"pass": 1}, {"oms.outward": _LOST, "oms.return-orders": _LOST}),
    "event_id_alone": Aim("lost", {"fail": 1}),
    "all_history": Aim("wrong", _FLIP, cooling_off_seconds=4.0),
    "lane_ignored": Aim("out of order", {"pass": 1}, {"oms.return-orders": {"unavailable": 0.7}}),
    "own_clock": Aim("stuck", {"pass": 1}, faults=_repeat("prepare.before", "kill", 4)),
    "terminal_left": Aim("released and cancelled", _FLIP, pause=3.0, events=250),  # longer than a release takes
    "unclear_hold_forgotten": Aim("wrong", {"rehold": 1}, {"oms.hold": _LOST}, events=300),
    "hold_on_its_way_forgotten": Aim("wrong", {"rehold": 1}, {"oms.hold": {"late": 0.7}}, events=300),
    "failed_read_back": Aim(
        "wrong", {"corrected": 1}, {READ_BACK: {"unavailable": 0.8}}, cooling_off_seconds=0.1, events=200
    ),
    "late_call_stored": Aim(
        "wrong",
        _FLIP,
        faults=_repeat(
            "record.before", "stop", 0, GIVE_UP_SECONDS + 2, freeze=GIVE_UP_SECONDS + 3, roles=("web0", "web1")
        ),
        events=300,
    ),
    "outside_transaction": Aim("wrong", {"pass": 1}, faults=_repeat("think.after_commit", "kill", 8)),
}


def try_plant(name: str, *, planted: bool = True, seed: int = 1, most_seconds: float = 90) -> Result:
    """One aimed run, with its bug or, as a control, without it."""
    aim = AIMS[name]
    outside = {"mix": aim.mix, "special": aim.special, "rates": aim.rates, "pause": aim.pause}
    scale = Scale(
        seed, events=aim.events, rate=2.0, workers=aim.workers, plant=name if planted else "", outside=outside,
        cooling_off_seconds=aim.cooling_off_seconds, sql=aim.sql if planted else "",
    )  # fmt: skip
    # a law that is broken at once needs no calm to be seen broken; a control needs all of it
    calm = None if not planted or aim.law == "wrong" else 4 * LEASE_SECONDS + SETTLE_SECONDS
    return run(scale, aim.faults, most_seconds=most_seconds, calm_seconds=calm, say=False)


def is_caught(name: str, result: Result) -> bool:
    """True when the law that the bug breaks was seen broken."""
    return bool(result.verdict.faults[AIMS[name].law])
