"""Is this process alive, and can it do its work?"""

from __future__ import annotations

from alembic.script import ScriptDirectory
from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from core.migrations import make_alembic_config, read_revision
from core.models import Endpoint
from core.runtime import Runtime

_NO_REDIS = "redis: not reachable; the sweeper does the work, more slowly"


def find_troubles(runtime: Runtime) -> list[str]:
    """Why this process is not ready, one sentence each; empty when it is. Redis being away is no trouble (law 2).

    Nor are the tables of a newer release: this one works on them while it is replaced, process by process.
    """
    try:
        with runtime.database.read() as session:
            session.execute(text("SELECT 1"))
        current = read_revision(runtime.database)
    except SQLAlchemyError as error:
        return [f"database: not reachable ({type(error).__name__})"]
    _, *older = _list_revisions(runtime)
    behind = current is None or current in older
    return ["database: not at the newest migration, run: flask --app app db upgrade"] if behind else []


def _list_revisions(runtime: Runtime) -> list[str]:
    """The migrations this release knows, newest first."""
    scripts = ScriptDirectory.from_config(make_alembic_config(runtime.database))
    return [script.revision for script in scripts.walk_revisions()]


def find_warnings(runtime: Runtime) -> list[str]:
    """What makes this process slower than it could be."""
    try:
        return _count_left_alone(runtime) if runtime.bell.redis.ping() else [_NO_REDIS]
    except RedisError:
        return [_NO_REDIS]
    except SQLAlchemyError:
        return []  # that is a trouble, and told as one


def _count_left_alone(runtime: Runtime) -> list[str]:
    """How many far sides are left alone; no names, for anybody may ask."""
    with runtime.database.read() as session:
        counted = select(Endpoint.state, func.count()).where(Endpoint.state != "working").group_by(Endpoint.state)
        rows = session.execute(counted.order_by(Endpoint.state)).all()
    return [f"{count} far sides are {state}: see flask --app app findings list" for state, count in rows]
