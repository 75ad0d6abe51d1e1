"""Bugs, planted one at a time into processes that a crash run launches, to see that it catches them.

They live here alone: each one changes the product in memory, at the start of a process.
"""

from __future__ import annotations

from collections.abc import Callable

PLANTS: dict[str, Callable[[], None]] = {}
