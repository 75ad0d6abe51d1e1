"""What a flow works with, and the one way to write an exchange's history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from core.db import db_now, read_clock
from core.flows.tenants import load_settings
from core.models import Exchange, ExchangeHistory
from core.registry import Delivery
from core.settings import Settings

PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Scene:
    """The session, the shop, its settings, and the event that made us look (None: a person or the sweeper did).

    `patient`: the event is young enough to be put off, so that a change known to come is seen together with its pair.
    """

    session: Session
    shop_id: int
    settings: Settings
    event_id: int | None = None
    patient: bool = False


def open_scene(session: Session, delivery: Delivery) -> Scene:
    """The scene of an inbound event. Young events may be put off for a change that is known to come."""
    patient = read_clock(session) - delivery.received_at < PATIENCE
    return Scene(session, delivery.shop_id, load_settings(session, delivery.shop_id), delivery.id, patient)


def write_history(scene: Scene, exchange: Exchange, why: str, code: str, actor: str | None = None) -> None:
    """What happened to an exchange and why; `actor` is a person, `deadline`, or None for an event."""
    scene.session.add(
        ExchangeHistory(
            exchange_id=exchange.id,
            at=db_now(),
            state=exchange.state,
            code=code,
            why=why,
            actor=actor,
            event_id=scene.event_id,
        )
    )
