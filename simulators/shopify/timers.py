"""Does things later, on one thread of its own."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Timers:
    """`later(seconds, action)`; closing forgets what was not due yet."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="shopify-timers")
        self._thread.start()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        with self._change:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._count), action))
            self._change.notify()

    def forget(self) -> None:
        with self._change:
            self._due.clear()

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._due.clear()
            self._change.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            action = self._next()
            if action is None:
                return
            try:
                action()
            except Exception:
                log.exception("a timed action failed")

    def _next(self) -> Callable[[], None] | None:
        with self._change:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._change.wait(wait)
        return None
