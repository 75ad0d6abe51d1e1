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
    """Why this process is not ready, one sentence each; empty when it is. Redis being away is no trouble (law 2)."""
    try:
        with runtime.database.read() as session:
            session.execute(text("SELECT 1"))
        current = read_revision(runtime.database)
    except SQLAlchemyError as error:
        return [f"database: not reachable ({type(error).__name__})"]
    newest = ScriptDirectory.from_config(make_alembic_config(runtime.database)).get_current_head()
    return [] if current == newest else ["database: not at the newest migration, run: flask --app app db upgrade"]


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
