"""Effects: every change we want in somebody else's system, and each try at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Json, Moment, index_where

_PENDING, _SENDING = "state = 'pending'", "state = 'sending'"
_IN_LANE = "state IN ('pending', 'sending', 'parked')"
_STRAY = "endpoint = '' AND state IN ('pending', 'sending')"


class Effect(Base):
    """One wanted end in another system.

    Identity is (shop, aspect, number): `aspect` is what is decided about ("oms.hold:order 17"), `number` counts the
    decisions about it, so asking twice makes one row and a release after a re-hold makes a new one (law 3).

    States: pending (due at `due_at`), sending (claimed), done, parked (waits for a person), superseded (a newer
    decision came before it was ever sent), dropped (by a person), would_have (observe mode).
    `started` says that a send was begun and not definitely refused: it may have been done, and no newer decision can
    take it back. A send that may have been done freezes its request (`request`, sealed), so that a repeat is the same
    under the same `key`. `unclear_since` marks an attempt whose outcome is not known. `endpoint` names the far side's
    row in `endpoints`; it is empty where an older release wanted the effect, until a claim fills it in.
    """

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(64))
    aspect: Mapped[str] = mapped_column(String(400))
    number: Mapped[int] = mapped_column(Integer)
    about: Mapped[str] = mapped_column(String(255))
    lane: Mapped[str] = mapped_column(String(400))
    endpoint: Mapped[str] = mapped_column(String(64), default="", server_default="")
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
        index_where("ix_effects_waiting", _PENDING, "shop_id", "endpoint", "priority", "due_at", "id"),
        index_where("ix_effects_under_way", _SENDING, "shop_id", "endpoint", "lease_until"),
        index_where("ix_effects_in_lane", _IN_LANE, "shop_id", "lane", "id"),
        index_where("ix_effects_stray", _STRAY, "id"),
        index_where("ix_effects_parked", "state = 'parked'", "shop_id", "id"),
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


class Endpoint(Base):
    """A far side of a shop, as all workers see it: `oms`, `shopify`, or `partner:` and the partner's name.

    It works, or it is left alone for a while. `state`: working; down (it failed too often in a row); refused (it does
    not take our credentials); gone (it said that it is no more). Until `rests_until` nobody calls it, whatever the
    state; after that one that is not working gets one probe at a time. `words` are the far side's own.
    `failures` are counted in a row, since `failing_since`; `pauses`: how often it was left alone since it last worked.
    `quick`: its last call was answered without much waiting, so that its effects hold nobody's hands for long.
    `calls_per_minute` is how many calls were allowed last (null: as many as one likes; `call_slots` has them).
    `points` of `most_points` were left of a cost budget at `points_at`, and come back at `points_per_second`.
    """

    __tablename__ = "endpoints"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default="working")
    since: Mapped[datetime] = mapped_column(Moment)
    rests_until: Mapped[datetime | None] = mapped_column(Moment)
    words: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    pauses: Mapped[int] = mapped_column(Integer, default=0)
    quick: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    calls_per_minute: Mapped[int | None] = mapped_column(Integer)
    points: Mapped[float | None] = mapped_column(Float)
    most_points: Mapped[float | None] = mapped_column(Float)
    points_per_second: Mapped[float | None] = mapped_column(Float)
    points_at: Mapped[datetime | None] = mapped_column(Moment)


class CallSlot(Base):
    """One of the calls a minute that a far side allows. Whoever calls holds a slot from before the call begins until a
    minute after it ended, so that no more calls than slots can reach the far side in any minute, however slow the way.
    """

    __tablename__ = "call_slots"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    free_at: Mapped[datetime] = mapped_column(Moment)
    taken: Mapped[int] = mapped_column(BigInteger, default=0)  # how often: a holder that came too late frees nothing
