"""`python -m tests.crash …`: crash runs from the command line; `make crash` runs all of them."""

from __future__ import annotations

import argparse
import sys

from tests.crash.arming import ACTIONS
from tests.crash.chaos import NO_FAULTS, Faults, all_cases, sample_cases
from tests.crash.house import Scale
from tests.crash.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.crash")
    parser.add_argument("what", choices=["storm", "quiet", "matrix"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--database", default="postgresql")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    scale = Scale(given.seed, given.database, given.events, given.rate)
    actions = tuple(one for one in ACTIONS if given.database == "postgresql" or one != "database")
    faults = {
        "quiet": NO_FAULTS,
        "storm": Faults(cases=sample_cases(given.seed, actions)),
        "matrix": Faults(kill=0, freeze=0, postgres=0, valkey=0, flush=0, orphan=0, cases=all_cases(actions)),
    }[given.what]
    result = run(scale, faults, most_seconds=given.seconds, keep=given.keep)
    print(result)
    return 0 if result else 1


if __name__ == "__main__":
    sys.exit(main())
