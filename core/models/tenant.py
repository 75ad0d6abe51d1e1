"""Shops, their settings documents and the credentials by which others call us for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Json, Moment


class Shop(Base):
    """One tenant. `domain` (`x.myshopify.com`) comes only from something verified (law 10).

    `mode` repeats the newest settings document's, so that claims can pass over paused shops in SQL. `live_since` is
    when the shop first went live: only orders created later are given a hold by us.

    `removed_at` is set while the app is not installed, `uninstalled_at` is when it last was removed. The access token
    and the refresh token are one pair, replaced together; a token given by hand has no refresh token and no end.
    `renewing_until` is the lease of the process that asks Shopify for new ones, `refused_at` when Shopify last refused
    the token and no renewal helped. `scopes` is what the merchant granted, comma-separated.
    """

    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    domain: Mapped[str] = mapped_column(String(255), unique=True)
    mode: Mapped[str] = mapped_column(String(16), default="observe")
    created_at: Mapped[datetime] = mapped_column(Moment)
    live_since: Mapped[datetime | None] = mapped_column(Moment)
    removed_at: Mapped[datetime | None] = mapped_column(Moment)
    installed_at: Mapped[datetime | None] = mapped_column(Moment)
    uninstalled_at: Mapped[datetime | None] = mapped_column(Moment)
    access_token: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed
    access_expires_at: Mapped[datetime | None] = mapped_column(Moment)
    refresh_token: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed
    refresh_expires_at: Mapped[datetime | None] = mapped_column(Moment)
    scopes: Mapped[str | None] = mapped_column(Text)
    renewing_until: Mapped[datetime | None] = mapped_column(Moment)
    refused_at: Mapped[datetime | None] = mapped_column(Moment)


class SettingsVersion(Base):
    """One saved settings document, secrets taken out and sealed apart. The newest version is in force."""

    __tablename__ = "settings_versions"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    secrets: Mapped[bytes] = mapped_column(LargeBinary)  # sealed JSON: path -> secret
    saved_at: Mapped[datetime] = mapped_column(Moment)
    saved_by: Mapped[str] = mapped_column(String(255))
    __table_args__ = (UniqueConstraint("shop_id", "version"),)


class BridgeCredential(Base):
    """A user name and password that RMS or OMS calls us with; the name leads to the shop. The password is hashed."""

    __tablename__ = "bridge_credentials"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    system: Mapped[str] = mapped_column(String(8))  # rms | oms | cp | st
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)  # set when rotated: the overlap's end
    auth_domain: Mapped[str | None] = mapped_column(String(255))  # the `authDomainName` a caller must show
    networks: Mapped[list[str] | None] = mapped_column(Json)  # where a caller must come from; none or empty: anywhere
    __table_args__ = (Index("ix_bridge_credentials_shop", "shop_id", "system"),)
