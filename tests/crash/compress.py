"""The product's long times made short, in processes that crash runs launch: leases, time-outs, waits between tries.

Ratios stay as they are: a call ends well within its lease, and an unclear effect rests for longer than a lease.
"""

from __future__ import annotations

import sys
from types import ModuleType

LEASE_SECONDS = 4.0
CALL_SECONDS = 1.5  # the product's 10 s
SETTLE_SECONDS, CANCEL_SETTLE_SECONDS = 6.0, 7.0
SWEEP_SECONDS = 0.5
DUTY_SECONDS = 15.0
_WAIT_SHARE, _MOST_WAIT = 0.1, 2.0


def list_modules() -> list[ModuleType]:
    """The product's modules that are loaded."""
    packages = ("core", "shopify_app", "rms_bridge", "oms_bridge")
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]


def replace(name: str, old: object, new: object) -> None:
    """Put another value in place of a constant, in every module that holds it."""
    for module in list_modules():
        if getattr(module, name, None) is old or getattr(module, name, None) == old:
            setattr(module, name, new)


def compress() -> None:
    """Make times short. The app must be imported already."""
    from core import http
    from core.commands import processes
    from core.relay import backoff, duties, inbox

    replace("LEASE_SECONDS", inbox.LEASE_SECONDS, LEASE_SECONDS)
    duties.LEASE_SECONDS = 8.0
    end_turn = duties._end
    duties._end = lambda runtime, turn, wait, trouble: end_turn(runtime, turn, min(wait, DUTY_SECONDS), trouble)
    http.HttpDoor.send.__kwdefaults__["deadline_seconds"] = CALL_SECONDS
    processes.SWEEP_SECONDS = SWEEP_SECONDS
    processes._MODESTY = 0  # a crash run shares its machine with others
    processes._SELF = (sys.executable, "-m", "tests.crash.launch", "--alone")
    for waits in backoff.SCHEDULES.values():
        waits[:] = [min(_MOST_WAIT, wait * _WAIT_SHARE) for wait in waits]
