"""A backlog of returns' tracking notifications, which keeps workers busy while something else is measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, insert, select

from app import create_runtime
from core.config import load_config
from core.db import db_now
from core.flows.tenants import ensure_shop
from core.migrations import upgrade
from core.models import Event
from core.relay.inbox import NORMAL, seal_place

SECRET = "a-secret-of-the-bench-thirty-two-bytes"
SAMPLE = Path("tests/fixtures/rms/notification__return_picked_up.json")


def fill(environment: dict[str, str], count: int) -> Callable[[], int]:
    """Make the tables and store `count` unread notifications of as many returns. Returns a count of those left."""
    runtime = create_runtime(load_config(environment))
    upgrade(runtime.database)
    sample = SAMPLE.read_text(encoding="utf-8")
    code = str(json.loads(sample)["returnOrderInfo"]["returnOrderId"])
    with runtime.database.write() as session:
        shop_id = ensure_shop(session, "busy.myshopify.com").id
        rows = []
        for number in range(count):
            body = sample.replace(code, f"R{number}").encode()
            place = seal_place("rms", shop_id, f"backlog-{number}")
            rows.append({"delivery_id": f"backlog-{number}", "body": runtime.keyring.seal(body, *place)})
        common = {"shop_id": shop_id, "source": "rms", "topic": "notification", "priority": NORMAL}
        moments = {"received_at": db_now(), "due_at": db_now(), "fence": 0, "attempts": 0}
        for start in range(0, count, 500):
            session.execute(insert(Event).values([{**common, **moments, **row} for row in rows[start : start + 500]]))

    def count_left() -> int:
        with runtime.database.read() as session:
            waiting = select(func.count()).where(Event.outcome.is_(None), Event.delivery_id.startswith("backlog-"))
            return session.scalars(waiting).one()

    return count_left
