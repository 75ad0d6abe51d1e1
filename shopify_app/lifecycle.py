"""The app was removed from a shop, or given other scopes (shopify.md §2.7, §3.6)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.db import db_now
from core.flows.audit import audit
from core.flows.installations import end_installation, keep_scopes
from core.flows.privacy import SHOPIFY
from core.flows.tenants import wake
from core.models import Event, Shop
from core.reading import read_object
from core.registry import Delivery, Outcome, handled, ignored
from shopify_app.topics import SCOPES


@dataclass(frozen=True)
class AppUninstalled:
    """`app/uninstalled`: the tokens are dead already. It may come twice, or after the app was installed again."""

    def read(self, delivery: Delivery) -> None:
        """The shop is the one that was verified; nothing of the body is needed."""

    def apply(self, session: Session, delivery: Delivery, facts: None) -> Outcome:
        """End the installation. The body, which names the shop's owner, goes at once."""
        session.get_one(Event, delivery.id).body = None
        shop = session.get_one(Shop, delivery.shop_id)
        if shop.removed_at is not None:
            return ignored("known already")
        at = delivery.triggered_at
        if at is not None and shop.installed_at is not None and at < shop.installed_at:
            return ignored("it was removed before it was installed again")
        end_installation(session, shop)
        audit(session, shop.id, SHOPIFY, "shop.removed", shop.domain)
        return handled("the app was removed: its tokens are gone, its work stops, its settings stay for now")


@dataclass(frozen=True)
class ScopesUpdate:
    """`app/scopes_update`: the merchant granted other scopes."""

    def read(self, delivery: Delivery) -> list[str]:
        """The scopes that are granted now."""
        current = read_object(delivery.body).get("current")
        return [one for one in current if isinstance(one, str)] if isinstance(current, list) else []

    def apply(self, session: Session, delivery: Delivery, facts: list[str]) -> Outcome:
        """Note them; the token is renewed before its next use, so that it carries them, and what waited goes on."""
        shop = session.get_one(Shop, delivery.shop_id)
        if shop.removed_at is not None or not facts:
            return ignored("the app is not installed, or no scope is named")
        keep_scopes(session, shop, facts, SCOPES)
        if shop.refresh_token is not None:
            shop.access_expires_at = db_now()
        wake(session, shop.id)
        return handled("the scopes were noted")
