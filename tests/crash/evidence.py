"""What there is to judge a run by: what the outside world counted, and what the product's database says."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select

from core.crypto import Keyring
from core.db import Database
from core.domain.differences import ORDER_KINDS
from core.models import Attempt, Effect, Event, Exchange, Finding, ReturnOrder
from core.relay.inbox import read_body
from tests.crash.house import House


@dataclass
class Evidence:
    """`marks`: mark of a push or webhook id -> the ids of the events stored for it. `findings`: open ones of orders."""

    told: dict[str, Any]
    events: list[Any]
    effects: list[Any]
    first_sends: dict[int, Any]
    exchanges: dict[int, Any]
    returns: dict[str, Any]
    findings: list[Any]
    marks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(str(event.outcome) for event in self.events)


def gather(house: House) -> Evidence:
    """Read everything once."""
    database = Database(house.url)
    keyring = Keyring({"k1": bytes(32)})
    with database.read() as session:
        events = list(session.scalars(select(Event).order_by(Event.id)))
        found = Evidence(
            told=house.ask("dump"),
            events=events,
            effects=list(session.scalars(select(Effect).order_by(Effect.id))),
            first_sends=_find_first_sends(session),
            exchanges={one.order_id: one for one in session.scalars(select(Exchange))},
            returns={one.code: one for one in session.scalars(select(ReturnOrder))},
            findings=list(session.scalars(_select_findings())),
        )
        for event in events:
            if event.source == "shopify":
                found.marks[event.delivery_id].append(event.id)
            elif event.source == "rms":
                body = json.loads(read_body(session, keyring, event.shop_id, event.id))
                found.marks[body.get("mark", "")].append(event.id)
    database.dispose()
    return found


def _select_findings() -> Select[Finding]:
    return select(Finding).where(Finding.kind.in_(ORDER_KINDS), Finding.cleared_at.is_(None))


def _find_first_sends(session: Any) -> dict[int, Any]:
    first: dict[int, Any] = {}
    for row in session.scalars(select(Attempt).where(Attempt.act == "send").order_by(Attempt.id)):
        first.setdefault(row.effect_id, row.began_at)
    return first
