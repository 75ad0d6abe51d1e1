"""The relay alone: a runtime on one database, deliverers and handlers that count and do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.config import Config
from core.crypto import Keyring
from core.db import Database, db_now
from core.domain.effects import KINDS, OMS_UNHOLD_ORDER, EffectKind
from core.flows import tenants
from core.http import HttpDoor
from core.models import Attempt, Effect, Event, Shop
from core.registry import Delivery, Done, Job, Outcome, handled
from core.relay.inbox import record_event
from core.relay.outbox import Wanted, want
from core.runtime import Doorbell, Runtime

SHOP = "relay-test.myshopify.com"


@dataclass
class FakeDeliverer:
    """Counts renders, sends, looks and settlements; `on_send` and `on_look` give the answer or raise it."""

    on_send: Callable[[Job], Any] = lambda job: Done()
    on_look: Callable[[Job], Any] = lambda job: Done()
    on_render: Callable[[Job], Any] = lambda job: {"wanted": job.wanted}
    sent: list[Job] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    looked: list[Job] = field(default_factory=list)
    settled: list[Job] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def render(self, session: Session, job: Job) -> Any:
        return self.on_render(job)

    def send(self, job: Job, request: Any) -> Any:
        with self.lock:
            self.sent.append(job)
            self.requests.append(request)
        return self.on_send(job)

    def look(self, job: Job, request: Any) -> Any:
        with self.lock:
            self.looked.append(job)
        return self.on_look(job)

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        self.settled.append(job)


@dataclass
class FakeHandler:
    """Counts; `on_read` and `on_apply` do as they are told."""

    on_read: Callable[[Delivery], Any] = lambda delivery: None
    on_apply: Callable[[Session, Delivery], Outcome] = lambda session, delivery: handled("done")
    read_of: list[int] = field(default_factory=list)
    applied: list[int] = field(default_factory=list)

    def read(self, delivery: Delivery) -> Any:
        self.read_of.append(delivery.id)
        return self.on_read(delivery)

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        self.applied.append(delivery.id)
        return self.on_apply(session, delivery)


class RelayStage:
    """One live shop, one deliverer for every kind, one handler for the topic `fake`."""

    def __init__(self, config: Config, bell: Doorbell | None = None):
        self.runtime = Runtime(
            config=config,
            database=Database(config.database),
            keyring=Keyring(config.encryption_keys),
            http=HttpDoor(),
            bell=bell or Doorbell(lambda: f"unix://{config.instance_dir}/nobody.sock"),
        )
        self.far = FakeDeliverer()
        self.handler = FakeHandler()
        self.runtime.registry.deliverers.update(dict.fromkeys(KINDS, self.far))
        self.runtime.registry.handlers["rms", "fake"] = self.handler
        self.shop_id = self.add_shop(SHOP)

    def add_shop(self, domain: str) -> int:
        """A live shop's id."""
        with self.runtime.database.write() as session:
            shop = tenants.add_shop(session, self.runtime.keyring, domain, None)
            shop.mode = "live"
            return shop.id

    def close(self) -> None:
        self.runtime.database.dispose()

    def set_mode(self, mode: str) -> None:
        self.change(Shop, self.shop_id, mode=mode)

    def change(self, model: Any, row_id: int, **values: Any) -> None:
        """Change a row behind everybody's back."""
        with self.runtime.database.write() as session:
            session.execute(update(model).where(model.id == row_id).values(**values))

    def want(self, aspect: str = "a", *, kind: EffectKind = OMS_UNHOLD_ORDER, **given: Any) -> int | None:
        """Want an effect; its lane and what it is about are the aspect's unless given."""
        event_id, shop_id = given.pop("event_id", None), given.pop("shop_id", self.shop_id)
        values = {"about": aspect, "lane": aspect, "end": {"on": True}, **given}
        with self.runtime.database.write() as session:
            return want(session, shop_id, Wanted(kind, aspect, **values), event_id)

    def record(self, delivery_id: str, *, topic: str = "fake", body: bytes = b"{}", **given: Any) -> int:
        """Store an event and return its id."""
        with self.runtime.database.write() as session:
            known = {"shop_id": self.shop_id, "source": "rms", "topic": topic, "delivery_id": delivery_id, **given}
            record_event(session, self.runtime.keyring, **known, body=body)
            return session.scalars(select(Event.id).where(Event.delivery_id == delivery_id)).one()

    def effect(self, effect_id: int | None) -> Effect:
        with self.runtime.database.read() as session:
            return session.get_one(Effect, effect_id)

    def event(self, event_id: int) -> Event:
        with self.runtime.database.read() as session:
            return session.get_one(Event, event_id)

    def attempts(self, effect_id: int | None) -> list[tuple[str, str | None]]:
        """What was tried for an effect and how each try ended."""
        with self.runtime.database.read() as session:
            rows = session.scalars(select(Attempt).where(Attempt.effect_id == effect_id).order_by(Attempt.id))
            return [(row.act, row.result) for row in rows]

    def states(self) -> list[str]:
        with self.runtime.database.read() as session:
            return list(session.scalars(select(Effect.state).order_by(Effect.id)))

    def make_due(self, effect_id: int | None) -> None:
        """Let the waiting time be over, and an unclear outcome be old."""
        with self.runtime.database.write() as session:
            row = session.get_one(Effect, effect_id)
            row.due_at = db_now(-1)
            if row.unclear_since is not None:
                row.unclear_since = db_now(-3600)

    def let_lease_run_out(self, model: Any, row_id: int | None) -> None:
        self.change(model, row_id or 0, lease_until=db_now(-1))
