"""How long the proof runs: 300 runs of 30 steps, in `make test` too. `HYPOTHESIS_PROFILE=quick` makes fewer, for work
in between; `long` tries far more and is never the same.

The ordinary run is the same every time. A failure is shown as short as two minutes can make it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

RUNS = {"quick": 40, "proof": 300, "long": 5000}


def is_long() -> bool:
    """Whether this is the long run, which is another one each time."""
    return os.environ.get("HYPOTHESIS_PROFILE") == "long"


def choose_settings(share: float = 1, *, seeded: bool = False) -> settings:
    """The settings of this run; `share` of the runs for what needs fewer. `seeded`: the caller names a seed."""
    runs = RUNS[os.environ.get("HYPOTHESIS_PROFILE", "proof")]
    return settings(
        max_examples=max(1, round(runs * share)),
        stateful_step_count=50 if is_long() else 30,
        derandomize=not is_long() and not seeded,
        deadline=None,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
