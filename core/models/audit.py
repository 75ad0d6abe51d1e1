"""The audit log: who decided or changed what, in a chain per shop that shows when somebody altered it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, BigId, Json, Moment


class AuditEntry(Base):
    """One act. Never changed: the database refuses it (a trigger), and `hash` covers the row and the hash before it.

    `actor` is a staff id of Shopify, a credential's user name, the command line, Shopify, or the system (which goes by
    the merchant's rules); no personal data is in any column.
    """

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(255))
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("shop_id", "number"),)


class AuditHead(Base):
    """Where a shop's chain ends, so that entries missing at its end are missed."""

    __tablename__ = "audit_heads"
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    hash: Mapped[str] = mapped_column(String(64))
