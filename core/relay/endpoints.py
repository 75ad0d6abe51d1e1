"""Endpoints: the far sides of a shop, what is known of each, shared by all workers in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.db import db_now, insert_once
from core.domain.effects import EffectKind
from core.models import Endpoint

OMS, SHOPIFY = "oms", "shopify"
WORKING, DOWN, REFUSED, GONE = "working", "down", "refused", "gone"


def name_partner(partner: str) -> str:
    """A returns partner's endpoint, by its name in the settings."""
    return f"partner:{partner}"


def name_endpoint(kind: EffectKind, params: Mapping[str, Any]) -> str:
    """Where an effect goes: the shop's OMS, its Shopify, or one partner."""
    return name_partner(params.get("partner", "")) if kind.system == "partner" else kind.system


def ensure_endpoint(session: Session, shop_id: int, name: str) -> None:
    """Know an endpoint; a new one works until it shows otherwise."""
    if session.get(Endpoint, (shop_id, name)) is None:
        insert_once(session, Endpoint, shop_id=shop_id, name=name, state=WORKING, since=db_now(), failures=0, pauses=0)
