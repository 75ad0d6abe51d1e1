"""How long the proof runs. `HYPOTHESIS_PROFILE=long` tries far more, and prints what reproduces a failure.

The ordinary run is the same every time. A failure is shown as short as two minutes can make it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

ORDINARY, LONG = 300, 5000  # runs


def choose_settings(share: float = 1) -> settings:
    """The settings of this run; `share` of the runs for what needs fewer."""
    long = os.environ.get("HYPOTHESIS_PROFILE") == "long"
    return settings(
        max_examples=round((LONG if long else ORDINARY) * share),
        stateful_step_count=50 if long else 30,
        derandomize=not long,
        deadline=None,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
