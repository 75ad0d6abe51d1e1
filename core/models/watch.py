"""The watch: what is done every so often and when it is due, how far it has come, and what it has found."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Moment

_OPEN = "cleared_at IS NULL"


class DutyTurn(Base):
    """When a duty is due next. One row per duty, or per duty and shop; `key` is `name` or `name:shop id`.

    Leased and fenced like an event, so that one process at a time has it. `trouble` is why the last turn failed.
    """

    __tablename__ = "duty_turns"
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    due_at: Mapped[datetime] = mapped_column(Moment)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    trouble: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (Index("ix_duty_turns_due", "due_at"), Index("ix_duty_turns_shop", "shop_id"))


class WatchPlace(Base):
    """How far the watch has come in a shop.

    `seen_until` is the newest `updatedAt` that reconciliation has seen. While it is on its way through many pages,
    `since` is where it began and `cursor` where it goes on: a time alone would not tell orders of one second apart.
    `drift_after` is the exchange that the drift check looked at last.
    """

    __tablename__ = "watch_places"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    seen_until: Mapped[datetime | None] = mapped_column(Moment)
    since: Mapped[datetime | None] = mapped_column(Moment)
    cursor: Mapped[str | None] = mapped_column(Text)
    drift_after: Mapped[int] = mapped_column(BigInteger, default=0)


class Finding(Base):
    """Something that differs between the systems, or does not move: docs/watch.md. Open until its cause is gone.

    `about` is an order id, a return code or an effect id, by kind. `repairs` counts how often the order was asked to be
    read again for it; `repairable` says that this may help, else a person must look.
    """

    __tablename__ = "findings"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    about: Mapped[str] = mapped_column(String(255))
    since: Mapped[datetime] = mapped_column(Moment)
    last_seen: Mapped[datetime] = mapped_column(Moment)
    detail: Mapped[str] = mapped_column(Text)
    repairable: Mapped[bool] = mapped_column()
    repairs: Mapped[int] = mapped_column(Integer, default=0)
    cleared_at: Mapped[datetime | None] = mapped_column(Moment)
    __table_args__ = (
        Index(
            "uq_findings_open",
            "shop_id",
            "kind",
            "about",
            unique=True,
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_findings_shop", "shop_id", "id"),
    )
