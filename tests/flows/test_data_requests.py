"""A customer asks what is stored: the merchant is told where it is, and can read it."""

from __future__ import annotations

import re

from sqlalchemy import select

from core.models import AuditEntry, Finding
from tests.flows.stage import Stage
from tests.flows.test_compliance import CANARY, name, plant, tell
from tests.flows.watch_stage import kinds


def test_a_customer_asks_what_is_stored(stage: Stage) -> None:
    planted = plant(stage, CANARY, "RET-1")
    asked = {"customer": name(planted), "orders_requested": [planted["first"]], "data_request": {"id": 9999}}
    tell(stage, "customers/data_request", **asked)
    assert "data_request" in kinds(stage)
    with stage.runtime.database.read() as session:
        found = session.scalars(select(Finding).where(Finding.kind == "data_request")).one()
    assert found.about == "9999"
    assert str(planted["order"]) in found.detail
    assert CANARY not in found.detail
    named = re.findall(r"\d+", found.detail.partition("events ")[2])
    assert named
    masked, clear = (
        "".join(stage.app.test_cli_runner().invoke(args=["events", "show", one, *more]).output for one in named)
        for more in ([], ["--unmasked"])
    )
    assert f"{CANARY}@example.com" not in masked
    assert f"{CANARY}@example.com" in clear
    with stage.runtime.database.read() as session:
        told = session.scalars(select(AuditEntry.about).where(AuditEntry.action == "event.unmasked")).all()
    assert sorted(told) == sorted(f"event {one}" for one in named)
    (event,) = stage.events("customers/data_request")
    assert event.body is None
