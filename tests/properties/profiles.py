"""How long the proof runs. `make proof` makes 300 runs; `HYPOTHESIS_PROFILE=long` tries far more and is never the same.

The ordinary run is the same every time. A failure is shown as short as two minutes can make it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

RUNS = {"quick": 40, "proof": 300, "long": 5000}


def choose_settings(share: float = 1) -> settings:
    """The settings of this run; `share` of the runs for what needs fewer."""
    profile = os.environ.get("HYPOTHESIS_PROFILE", "quick")
    long = profile == "long"
    return settings(
        max_examples=max(1, round(RUNS[profile] * share)),
        stateful_step_count=50 if long else 30,
        derandomize=not long,
        deadline=None,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
