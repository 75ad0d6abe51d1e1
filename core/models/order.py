"""Shopify orders as last seen, and what OMS has acknowledged about them. Nothing about the customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Json, Moment, index_where


class Order(Base):
    """The newest state of an order that concerns us. `order_id` is Shopify's numeric id."""

    __tablename__ = "orders"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(255))
    tags: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)  # Shopify's stamp, one-second resolution
    cancelled_at: Mapped[datetime | None] = mapped_column(Moment)
    fulfillment: Mapped[str] = mapped_column(String(16))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    return_codes: Mapped[list[str]] = mapped_column(Json)
    link_rule: Mapped[str] = mapped_column(String(16))
    original_order: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[int] = mapped_column(Integer, default=0)  # counts our own writes: tells a stale reading from news
    in_order: Mapped[bool] = mapped_column(Boolean)
    fulfillment_orders: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    address: Mapped[dict[str, str] | None] = mapped_column(Json)  # marks (Keyring.mark); from OMS's taking it on
    __table_args__ = (
        Index("ix_orders_name", "shop_id", "name"),
        index_where("ix_orders_original", "original_order IS NOT NULL", "shop_id", "original_order"),
    )


class OmsOrder(Base):
    """An order as OMS has acknowledged it. No row: OMS does not know the order.

    Dispatch times are remembered because every later `PUT /orders/{code}` must repeat them (increff.md §3.2).
    """

    __tablename__ = "oms_orders"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(255))
    location_code: Mapped[str] = mapped_column(String(255))
    on_hold: Mapped[bool] = mapped_column(Boolean)
    ordered: Mapped[dict[str, int]] = mapped_column(Json)  # line id -> quantity told at creation
    cancelled: Mapped[dict[str, int]] = mapped_column(Json)  # line id -> absolute cancelled quantity
    announced: Mapped[dict[str, int]] = mapped_column(Json)  # totals OMS told us itself: not told back to it
    members: Mapped[dict[str, list[int]]] = mapped_column(Json)  # code -> lines merged under it, where several
    skus: Mapped[dict[str, str]] = mapped_column(Json)  # line id -> the channelSkuCode we sent
    address: Mapped[dict[str, str] | None] = mapped_column(Json)  # marks of the shipping address we sent, by part
    dispatch_by: Mapped[datetime] = mapped_column(Moment)
    start_processing: Mapped[datetime] = mapped_column(Moment)
    acknowledged_at: Mapped[datetime] = mapped_column(Moment)
