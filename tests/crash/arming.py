"""What a process does at a failpoint that the run has armed: one file arms one failpoint for one action, once.

The first process to reach it takes the file, so exactly one is hit, and writes down who it was.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from core.relay.delivery import Prepared

ACTIONS = ("kill", "stop", "exception", "database", "redis")


class Disturbed(Exception):
    """What an armed failpoint raises: no fault the product knows."""


def make_hook(folder: Path) -> Callable[[str], None]:
    """The hook for `core.failpoints.arm`. `folder/armed-NAME` holds "action token detail".

    With a detail, only an attempt counts whose act or kind has it in its name.
    The first failpoint a process reaches also tells that it is at work: `folder/working-PID`.
    """
    told: set[int] = set()

    def reach(name: str) -> None:
        if os.getpid() not in told:
            told.add(os.getpid())
            (folder / f"working-{os.getpid()}").touch()
        armed = folder / f"armed-{name}"
        if not os.path.exists(armed):
            return
        mine = folder / f"taken-{os.getpid()}-{name}"
        try:
            armed.rename(mine)
        except FileNotFoundError:
            return  # another process was first
        action, token, detail = mine.read_text().split()
        if detail != "-" and not _is_about(detail):
            mine.rename(armed)
            return
        hit = folder / f"hit-{token}"
        mine.write_text(json.dumps({"pid": os.getpid(), "name": name, "action": action}))
        mine.rename(hit)
        _ACTS[action]()

    return reach


def _is_about(detail: str) -> bool:
    """True when the attempt under way here is of this act (send, look) or kind."""
    frame = sys._getframe(2)
    while frame is not None:
        attempt = frame.f_locals.get("attempt")
        if isinstance(attempt, Prepared):
            return attempt.act == detail or detail in attempt.job.kind
        effect = frame.f_locals.get("effect")
        if effect is not None:
            return detail in getattr(effect, "kind", "")
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise() -> None:
    raise Disturbed("a failpoint was armed")


def _drop_database() -> None:
    """End this process's connections to PostgreSQL, from the server's side."""
    import psycopg

    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(os.environ["CRASH_POSTGRES"], application_name="crash-test", autocommit=True) as admin:
        admin.execute(query, (os.environ["PGAPPNAME"],))


def _drop_redis() -> None:
    """End everybody's connections to Redis, from the server's side."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2) as admin:
            admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    except (RedisError, OSError):
        pass  # it is down just now, which is as good


_ACTS: dict[str, Callable[[], None]] = {
    "kill": _kill,
    "stop": _stop,
    "exception": _raise,
    "database": _drop_database,
    "redis": _drop_redis,
}
