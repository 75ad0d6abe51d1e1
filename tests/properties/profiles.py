"""How long the proof runs. `HYPOTHESIS_PROFILE=long` tries far more, with another seed each time, which it prints."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,
    "stateful_step_count": 30,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
    "database": None,
}


def choose_settings() -> settings:
    """The settings of this run."""
    profile = os.environ.get("HYPOTHESIS_PROFILE", "ci")
    if profile == "long":
        return settings(max_examples=5000, **{**_COMMON, "stateful_step_count": 50})
    return settings(max_examples=300, derandomize=True, **_COMMON)
