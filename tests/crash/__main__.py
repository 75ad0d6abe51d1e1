"""Crash runs from the command line: `python -m tests.crash …`; docs/reliability.md says which there are."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from tests.crash.arming import ACTIONS
from tests.crash.cancels import UNCLEAR
from tests.crash.chaos import NO_FAULTS, Case, Faults, all_cases, sample_cases
from tests.crash.compress import SLACK
from tests.crash.honesty import AIMS, is_caught, try_plant
from tests.crash.house import ROOT, Scale
from tests.crash.mischief import ROUGH
from tests.crash.previous import find_previous
from tests.crash.run import run
from tests.crash.stories import MIX

_NO_POSTGRES = tuple(action for action in ACTIONS if action != "database")
_RENEW_SECONDS = 15.0
_SHOPS = 6  # a frozen process may hold one of them for seconds
Given = argparse.Namespace


def storm(given: Given) -> bool:
    """One seed under all faults, every failpoint hit once."""
    return _run(_make_scale(given), _make_faults(given, sample_cases), given)


def quiet(given: Given) -> bool:
    """The same load without a fault on our side; the far sides still fail."""
    return _run(_make_scale(given), NO_FAULTS, given)


def rough(given: Given) -> bool:
    """Far sides of which every second answer fails, is lost or comes late, while processes are killed and frozen."""
    scale = _make_scale(given)
    return _run(replace(scale, outside={**scale.outside, "rates": ROUGH}), Faults(postgres=0, orphan=0), given)


def matrix(given: Given) -> bool:
    """Every failpoint with every action, one after another."""
    cases = all_cases(_list_actions(given))
    return _run(_make_scale(given), Faults(0, freeze=0, postgres=0, flush=0, valkey=0, orphan=0, cases=cases), given)


def beside(given: Given) -> bool:
    """The previous release works while this one migrates the tables and takes its place, one process after another."""
    return _run(
        replace(_make_scale(given), previous=find_previous(ROOT)), replace(NO_FAULTS, renew=_RENEW_SECONDS), given
    )


def cancels(given: Given) -> bool:
    """So many cancels with a refund, two thirds of them without an answer, while processes are killed."""
    scale = Scale(given.seed, events=0, rate=0, shops=_SHOPS, cancels=given.events, outside={"special": UNCLEAR})
    return _run(scale, Faults(postgres=0, orphan=0), given)


def honest(given: Given) -> bool:
    """Each planted bug in the run aimed at it: caught, or this fails."""
    return _try_plants(given, planted=True)


def control(given: Given) -> bool:
    """The same runs without their bugs: clean, or this fails."""
    return _try_plants(given, planted=False)


def sample(given: Given) -> bool:
    """What CI runs."""
    given.events, given.rate, given.seconds = 2000, 6.0, min(given.seconds, 300)
    return storm(given)


def everything(given: Given) -> bool:
    """All of issue 4's runs; the first that fails does not stop the others."""
    plan: list[tuple[Callable[[Given], bool], dict[str, object]]] = [
        *((storm, {"seed": seed, "events": 10_000, "rate": 8.0, "database": "postgresql"}) for seed in range(1, 11)),
        *((storm, {"seed": seed, "events": 3_000, "rate": 4.0, "database": "sqlite"}) for seed in range(1, 4)),
        (storm, {"seed": 11, "events": 2_000, "rate": 4.0, "database": "postgresql", "skew": True}),
        (rough, {"events": 2_000, "database": "postgresql"}),
        (matrix, {"events": 2_000, "database": "postgresql"}),
        (beside, {"events": 1_000, "rate": 4.0, "database": "postgresql"}),
        (cancels, {"events": 5_000, "database": "postgresql"}),
        (honest, {}),
    ]
    went_well = [part(Given(**{**vars(given), **changes})) for part, changes in plan]
    return all(went_well)


def _list_actions(given: Given) -> tuple[str, ...]:
    return ACTIONS if given.database == "postgresql" else _NO_POSTGRES


def _make_scale(given: Given) -> Scale:
    """SQLite has one writer: there one process serves the doors (DESIGN §10)."""
    sizes = {"workers": 3, "webs": 2} if given.database == "postgresql" else {"workers": 2, "webs": 1}
    outside = {"mix": {kind: MIX[kind] for kind in given.kinds}} if given.kinds else {}
    return Scale(
        given.seed, given.database, given.events, given.rate, _SHOPS, **sizes, skew=given.skew, outside=outside
    )


def _make_faults(given: Given, choose: Callable[[int, tuple[str, ...]], tuple[Case, ...]]) -> Faults:
    return Faults(cases=choose(given.seed, _list_actions(given)))


def _run(scale: Scale, faults: Faults, given: Given) -> bool:
    result = run(scale, faults, most_seconds=given.seconds, keep=given.keep)
    print(result, flush=True)
    return bool(result)


def _try_plants(given: Given, *, planted: bool) -> bool:
    names = given.plants or list(AIMS)
    well = [name for name in names if _try_plant(name, planted=planted, most_seconds=min(given.seconds, 90))]
    print(f"{len(well)} of {len(names)} {'caught' if planted else 'clean'}", flush=True)
    return len(well) == len(names)


def _try_plant(name: str, *, planted: bool, most_seconds: float) -> bool:
    result = try_plant(name, planted=planted, most_seconds=most_seconds)
    well = is_caught(name, result) if planted else bool(result.verdict)
    words = ("caught" if well else "ESCAPED") if planted else ("clean" if well else "NOT CLEAN")
    print(f"{name}: {words}\n{result}\n", flush=True)
    return well


_PARTS = (sample, storm, quiet, rough, matrix, beside, cancels, honest, control)
PARTS = {"all": everything} | {part.__name__: part for part in _PARTS}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started is ended
    parser = argparse.ArgumentParser(prog="tests.crash")
    parser.add_argument("what", choices=PARTS)
    parser.add_argument("plants", nargs="*", help="which planted bugs; none named: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=2000, help="events to be accepted; of cancels: orders")
    parser.add_argument("--rate", type=float, default=3.0, help="exchanges that begin a second")
    parser.add_argument("--database", default="postgresql", choices=["postgresql", "sqlite"])
    parser.add_argument("--kinds", nargs="+", choices=MIX, help="only exchanges of these kinds; none named: all")
    parser.add_argument("--seconds", type=float, default=1800, help="the most that the load of one run may take")
    parser.add_argument("--skew", action="store_true", help="processes' clocks two hours fast, slow, and right")
    parser.add_argument("--keep", action="store_true", help="leave logs and database behind")
    given = parser.parse_args()
    print(f"slack {SLACK:g}: so many times slower than a free machine; times are stretched by it", flush=True)
    return 0 if PARTS[given.what](given) else 1


if __name__ == "__main__":
    sys.exit(main())
