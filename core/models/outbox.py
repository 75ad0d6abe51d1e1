"""Effects: every change we want in somebody else's system, and each try at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Json, Moment

OPEN = "state IN ('pending', 'sending')"


class Effect(Base):
    """One wanted end in another system.

    Identity is (shop, aspect, number): `aspect` is what is decided about ("oms.hold:order 17"), `number` counts the
    decisions about it, so asking twice makes one row and a release after a re-hold makes a new one (law 3).

    States: pending (due at `due_at`), sending (claimed), done, parked (waits for a person), superseded (a newer
    decision came before it was ever sent), dropped (by a person), would_have (observe mode).
    `started` says that a send was begun and not definitely refused: it may have been done, and no newer decision can
    take it back. From the first send on the request is frozen (`request`, sealed), so that a repeat is the same request
    under the same `key`. `unclear_since` marks an attempt whose outcome is not known.
    """

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(64))
    aspect: Mapped[str] = mapped_column(String(400))
    number: Mapped[int] = mapped_column(Integer)
    about: Mapped[str] = mapped_column(String(255))
    lane: Mapped[str] = mapped_column(String(400))
    key: Mapped[str] = mapped_column(String(64), unique=True)
    priority: Mapped[int] = mapped_column(Integer)
    passes_parked: Mapped[bool] = mapped_column(Boolean)
    wanted: Mapped[dict[str, Any]] = mapped_column(Json)
    params: Mapped[dict[str, Any]] = mapped_column(Json)
    progress: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    request: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    reason: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    started: Mapped[bool] = mapped_column(Boolean, default=False)
    unclear_since: Mapped[datetime | None] = mapped_column(Moment)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # those that count towards giving up
    __table_args__ = (
        UniqueConstraint("shop_id", "aspect", "number"),
        Index("ix_effects_open", "due_at", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
        Index("ix_effects_lane", "shop_id", "lane", "id"),
        Index("ix_effects_shop", "shop_id", "id"),
    )


class Attempt(Base):
    """One try: begun is written before the send, ended after it. Begun and never ended means: nobody knows."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    effect_id: Mapped[int] = mapped_column(ForeignKey("effects.id", ondelete="CASCADE"), index=True)
    act: Mapped[str] = mapped_column(String(8))  # send | look
    fence: Mapped[int] = mapped_column(Integer)
    began_at: Mapped[datetime] = mapped_column(Moment)
    milliseconds: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[str | None] = mapped_column(String(16))
    excerpt: Mapped[str | None] = mapped_column(Text)
