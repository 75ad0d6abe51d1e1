"""Events: everything that was accepted at a door, as it came."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Moment, index_where

_WAITING = "outcome IS NULL"


class Event(Base):
    """One accepted delivery. Stored before anybody thinks about it (law 1); ends in a named outcome (law 7).

    `delivery_id` is the sender's id of this delivery (Shopify) or one we made (RMS has none); with source and shop it
    refuses a second copy. `body` is sealed and purged after RETENTION_DAYS. `outcome` is null until one is reached.
    `triggered_at` is when the sender says that it happened, where it says so.
    `fence` counts claims: a worker that was frozen past its lease holds an old number and can write nothing.
    `about` is set where an event tells the whole newest state of the thing it names: of several that wait, with the
    same source and topic, only the one that was triggered last need be thought about.
    """

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(String(64))
    delivery_id: Mapped[str] = mapped_column(String(255))
    received_at: Mapped[datetime] = mapped_column(Moment)
    triggered_at: Mapped[datetime | None] = mapped_column(Moment)
    about: Mapped[str | None] = mapped_column(String(64))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed; null once purged
    priority: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = (
        UniqueConstraint("source", "shop_id", "delivery_id"),
        index_where("ix_events_due", _WAITING, "shop_id", "priority", "due_at", "id"),
        index_where("ix_events_leased", f"{_WAITING} AND lease_until IS NOT NULL", "shop_id", "lease_until"),
        index_where("ix_events_about", f"{_WAITING} AND about IS NOT NULL", "shop_id", "about", "triggered_at"),
        index_where("ix_events_unsettled", "outcome IN ('parked', 'unknown')", "shop_id", "id"),
        Index("ix_events_shop", "shop_id", "id"),
    )
