"""Healthy partners beside hostile ones, in one run of real processes: `python -m tests.hostile` (`make hostile`).

The healthy shops work alone, then beside guests whose partners are as well as their own, then beside guests whose
partners are hostile; in short turns, so that what else the machine does falls on all three. Each round brings more
guests. It ends with 1 when a bound is broken; docs/reliability.md says what the bounds are.
"""

from __future__ import annotations

import argparse
import http.client
import logging
import signal
import sys
import threading
import time

from tests.hostile.measuring import ALONE, FRIENDLY, HOSTILE, Watcher, Window, judge
from tests.hostile.street import Street, Tenant

ALONE_SECONDS, BESIDE_SECONDS, TURNS = 10.0, 20.0, 3  # enough of them that a p95 is no accident
HEALTHY_PUSHES, GUESTS_PUSHES = 2.0, 0.5  # a second, over all such shops


class Pushing:
    """RMS pushes returns of these shops, one after another, until it is told to stop."""

    def __init__(self, street: Street, tenants: list[Tenant], rate: float):
        self._street, self._tenants, self._rate = street, tenants, rate
        self._over = threading.Event()
        self.refused: list[int] = []
        self._thread = threading.Thread(target=self._push, daemon=True)
        self._thread.start()

    def _push(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._street.web_port, timeout=10)
        number, began = 0, time.monotonic()
        while not self._over.is_set():
            tenant = self._tenants[number % len(self._tenants)]
            connection.request("POST", "/rms/return-orders", self._street.make_push(), tenant.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.refused.append(answer.status)
            number += 1
            self._over.wait(max(0.0, began + number / self._rate - time.monotonic()))

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def run(rounds: int, *, keep: bool) -> bool:
    """The whole run; True when every bound held."""
    logging.disable(logging.WARNING)  # of this process: the product's own keep theirs
    street = Street(rounds)
    try:
        street.start()
        watcher = Watcher(street)
        healthy = Pushing(street, street.healthy, HEALTHY_PUSHES)
        time.sleep(3)  # everything is loaded, and every healthy far side has been met
        windows: list[Window] = []
        friends: list[Tenant] = []
        foes: list[Tenant] = []
        for number in range(rounds):
            friends += street.friendly[number]
            foes += street.hostile[number]
            for _ in range(TURNS):
                windows.append(watcher.watch(ALONE, ALONE_SECONDS))
                windows.append(_be_beside(street, watcher, FRIENDLY, friends))
                windows.append(_be_beside(street, watcher, HOSTILE, foes))
        healthy.end()
        watcher.wait_for_healthy()
        return judge(street, watcher, windows, healthy.refused)
    finally:
        street.close(keep=keep)
        if keep:
            print(f"kept: {street.folder}")


def _be_beside(street: Street, watcher: Watcher, kind: str, guests: list[Tenant]) -> Window:
    street.let_in(guests, "live")
    pushing = Pushing(street, guests, GUESTS_PUSHES)
    window = watcher.watch(kind, BESIDE_SECONDS)
    pushing.end()
    street.let_in(guests, "paused")
    return window


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started is ended
    parser = argparse.ArgumentParser(prog="tests.hostile")
    parser.add_argument("--rounds", type=int, default=3, help="each alone, beside friendly guests, beside hostile ones")
    parser.add_argument("--keep", action="store_true", help="leave logs and database behind")
    given = parser.parse_args()
    return 0 if run(given.rounds, keep=given.keep) else 1


if __name__ == "__main__":
    sys.exit(main())
