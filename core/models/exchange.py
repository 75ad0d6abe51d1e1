"""Exchanges: replacement orders that are held until the goods passed QC, their links to returns, their history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Moment


class Exchange(Base):
    """One replacement order's exchange. `hold_decided`: we decided to hold it, whether or not the tag is written."""

    __tablename__ = "exchanges"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    order_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(32))
    since: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(32))  # the reason for programs: docs/outcomes.md
    decided_by: Mapped[str | None] = mapped_column(String(255))  # a person, or "deadline"
    hold_decided: Mapped[bool] = mapped_column(Boolean, default=False)
    seen_held: Mapped[bool] = mapped_column(Boolean, default=False)
    __table_args__ = (
        UniqueConstraint("shop_id", "order_id"),
        ForeignKeyConstraint(["shop_id", "order_id"], ["orders.shop_id", "orders.order_id"], ondelete="CASCADE"),
        Index("ix_exchanges_state", "shop_id", "state"),
    )


class ExchangeLink(Base):
    """A replacement order names a return order, which may not be known yet. `match` says by which rule (§8)."""

    __tablename__ = "exchange_links"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    exchange_id: Mapped[int] = mapped_column(ForeignKey("exchanges.id", ondelete="CASCADE"))
    return_code: Mapped[str] = mapped_column(String(255))
    match: Mapped[str] = mapped_column(String(16))
    linked_at: Mapped[datetime] = mapped_column(Moment)
    __table_args__ = (
        UniqueConstraint("exchange_id", "return_code"),
        Index("ix_exchange_links_return", "shop_id", "return_code"),
    )


class ExchangeHistory(Base):
    """What happened to an exchange, when, through whom or which event, and why."""

    __tablename__ = "exchange_history"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    exchange_id: Mapped[int] = mapped_column(ForeignKey("exchanges.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(32))
    code: Mapped[str] = mapped_column(String(32))
    why: Mapped[str] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(String(255))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
