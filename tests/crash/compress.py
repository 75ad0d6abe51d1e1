"""The product's long times made short, in processes that crash runs launch: leases, time-outs, waits between tries.

Ratios stay as they are: a call ends well within its lease, and an unclear effect rests for longer than a lease. On a
machine that is busy with other work everything is stretched (`CRASH_SLACK`), or leases would run out for want of a CPU.
"""

from __future__ import annotations

import os
import sys
import time
from types import ModuleType

_TRIAL_SECONDS = 0.3


def measure_slack() -> float:
    """How much longer than its CPU time a piece of work takes here: 1 on a machine that has nothing else to do."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < _TRIAL_SECONDS:
        pass
    share = (time.monotonic() - began) / _TRIAL_SECONDS
    return 1.0 if share < 1.5 else min(4.0, round(share, 1))


SLACK = float(os.environ.setdefault("CRASH_SLACK", str(measure_slack())))  # measured once, and told to all children
LEASE_SECONDS = 4.0 * SLACK
CALL_SECONDS = 1.5 * SLACK  # the product's 10 s
SETTLE_SECONDS, CANCEL_SETTLE_SECONDS = 6.0 * SLACK, 7.0 * SLACK
SWEEP_SECONDS = 0.5
DUTY_SECONDS = 15.0 * SLACK
_WAIT_SHARE, _MOST_WAIT = 0.1, 2.0


def replace(name: str, old: object, new: object) -> None:
    """Put another value in place of one, in every module of the product that holds it under this name."""
    for module in _list_modules():
        held = getattr(module, name, None)
        if held is old or (isinstance(old, float) and held == old):
            setattr(module, name, new)


def _list_modules() -> list[ModuleType]:
    packages = ("core", "shopify_app", "rms_bridge", "oms_bridge")
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]


def compress() -> None:
    """Make times short. The app must be imported already."""
    from core import db, front, http
    from core.commands import processes
    from core.relay import backoff, duties, endpoints, inbox
    from shopify_app import deliveries

    replace("LEASE_SECONDS", inbox.LEASE_SECONDS, LEASE_SECONDS)
    replace("THROTTLE_SECONDS", backoff.THROTTLE_SECONDS, _MOST_WAIT)
    duties.LEASE_SECONDS = 2 * LEASE_SECONDS
    end_turn = duties._end
    duties._end = lambda runtime, turn, wait, trouble: end_turn(runtime, turn, min(wait, DUTY_SECONDS), trouble)
    http.HttpDoor.send.__kwdefaults__["deadline_seconds"] = CALL_SECONDS
    replace("PROBE_SECONDS", endpoints.PROBE_SECONDS, _MOST_WAIT)
    endpoints._LONGEST_SECONDS = 2 * _MOST_WAIT
    processes.SWEEP_SECONDS = SWEEP_SECONDS
    front.STORE_SECONDS = 3.0 * SLACK  # callers give up after 5 s
    db._IDLE_MILLISECONDS = round(LEASE_SECONDS * 1000)
    processes._SELF = (sys.executable, "-m", "tests.crash.launch", "--alone")
    deliveries._SURE_SECONDS = 2.0 * SLACK  # five looks for a refunding cancel that seems absent
    for waits in backoff.SCHEDULES.values():
        waits[:] = [min(_MOST_WAIT, wait * _WAIT_SHARE) for wait in waits]
