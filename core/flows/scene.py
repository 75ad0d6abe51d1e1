"""What a flow works with, and the one way to write an exchange's history."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.db import db_now
from core.models import Exchange, ExchangeHistory
from core.settings import Settings


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
