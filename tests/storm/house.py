"""The product with an OMS for each shop: one that will be down, one that is well, one that allows few calls."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.crash.house import ROOT, House, Scale
from tests.storm.fill import fill

DOWN, WELL, METERED = range(Scale.shops)
DEFAULT_BUDGET = 200


class StormHouse(House):
    """`budget`: calls a minute of the OMS that will be down, so that the drain ends in some minutes."""

    world = "tests.storm.world"

    def __init__(self, scale: Scale, budget: int):
        self.budget = budget
        super().__init__(scale)

    def _write_settings(self, number: int) -> dict[str, Any]:
        settings = super()._write_settings(number)
        allowed = {DOWN: self.budget, WELL: 1_000_000, METERED: DEFAULT_BUDGET}[number]
        base = f"http://127.0.0.1:{self.outside_port}/oms-{number}"
        return {**settings, "oms": {**settings["oms"], "base_url": base, "calls_per_minute": allowed}}

    def set_mode(self, number: int, mode: str) -> None:
        """Live or paused."""
        self.configure(self.shops[number]["domain"], {**self._write_settings(number), "mode": mode})

    def fill(self, number: int, first: int, returns: int) -> None:
        """Two effects for each of so many returns; on PostgreSQL by two processes."""
        if not self.postgres:
            return fill(self.url, number + 1, first, returns)
        half = returns // 2
        parts = [(first, half), (first + half, returns - half)]
        command = [sys.executable, "-m", "tests.storm.fill", self.url, str(number + 1)]
        processes = [subprocess.Popen([*command, *map(str, part)], cwd=ROOT) for part in parts]
        assert [process.wait() for process in processes] == [0, 0]
        return None

    def await_told(self, is_so: Callable[[dict[str, Any]], bool], most_seconds: float) -> dict[str, Any]:
        """Ask the world until it is so; what it told last. Raises TimeoutError."""
        until = time.monotonic() + most_seconds
        while time.monotonic() < until:
            told: dict[str, Any] = self.ask("told")
            assert not told["troubles"], told["troubles"][0]
            if is_so(told):
                return told
            time.sleep(0.5)
        raise TimeoutError(f"the storm waited {most_seconds:.0f} s in vain")
