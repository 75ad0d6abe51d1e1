"""The calls-a-minute limit (reference §6): per client, over all endpoints."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW = 60.0


class Budget:
    """A sliding window; refused calls do not count."""

    def __init__(self, calls_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls_per_minute = calls_per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: deque[float] = deque()

    def spend(self) -> bool:
        with self._lock:
            now = self._clock()
            while self._spent and self._spent[0] <= now - WINDOW:
                self._spent.popleft()
            if len(self._spent) >= self.calls_per_minute:
                return False
            self._spent.append(now)
            return True

    def clear(self) -> None:
        with self._lock:
            self._spent.clear()
