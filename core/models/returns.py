"""Return orders, their units and every QC verdict. Codes are the channel's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Json, Moment


class ReturnOrder(Base):
    """A customer's parcel coming back. `known` is False while only its verdicts have been heard of.

    `full_event_id` is the event with the Create Return Order body: the expectation is rendered from it, so that
    addresses are kept nowhere else. `full_digest` tells a repeat from another content; `conflict_event_id` is the
    newest event that brought one.
    """

    __tablename__ = "return_orders"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(255))
    forward_code: Mapped[str] = mapped_column(String(255))
    known: Mapped[bool] = mapped_column(Boolean)
    type: Mapped[str] = mapped_column(String(32))
    location_code: Mapped[str | None] = mapped_column(String(255))
    awb: Mapped[str | None] = mapped_column(String(255))
    transporter: Mapped[str | None] = mapped_column(String(255))
    ordered_at: Mapped[datetime | None] = mapped_column(Moment)
    status: Mapped[str | None] = mapped_column(String(32))  # canonical
    status_text: Mapped[str | None] = mapped_column(Text)  # verbatim
    status_at: Mapped[datetime | None] = mapped_column(Moment)
    full_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    full_digest: Mapped[str | None] = mapped_column(String(64))
    conflict_event_id: Mapped[int | None] = mapped_column(BigInteger)  # events outlive their bodies
    expected_at: Mapped[datetime | None] = mapped_column(Moment)  # OMS acknowledged the expectation
    created_at: Mapped[datetime] = mapped_column(Moment)
    __table_args__ = (
        UniqueConstraint("shop_id", "code"),
        Index("ix_return_orders_forward", "shop_id", "forward_code"),
        Index("ix_return_orders_awb", "shop_id", "awb"),
    )


class ReturnUnitRow(Base):
    """One piece coming back. `position` keeps the order in which the channel named them."""

    __tablename__ = "return_units"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("return_orders.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    item_code: Mapped[str] = mapped_column(String(255))
    sku: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (UniqueConstraint("return_id", "item_code"),)


class VerdictRow(Base):
    """One QC verdict as heard: the newest of an item code is in force. Only `repeated_by` is ever altered."""

    __tablename__ = "verdicts"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("return_orders.id", ondelete="CASCADE"))
    item_code: Mapped[str] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str | None] = mapped_column(Text)
    image_urls: Mapped[list[str]] = mapped_column(Json)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    repeated_by: Mapped[int | None] = mapped_column(BigInteger)  # the newest message that said the same once more
    heard_at: Mapped[datetime] = mapped_column(Moment)
    __table_args__ = (Index("ix_verdicts_return", "return_id", "id"),)
