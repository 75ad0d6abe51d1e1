"""A shop's installation and its Admin tokens (shopify.md §1.3, §2.7): acquired, renewed, refused, taken away.

Tokens expire, and a renewal gives a new pair. One process at a time renews a shop's: it holds a lease in the shop's row
while it asks Shopify, and the pair it gets is stored in one commit that only the holder of the lease can make.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.db import db_now
from core.domain.differences import Difference, Kind
from core.errors import AccessRefused
from core.flows.audit import SYSTEM, audit
from core.flows.findings import keep_findings
from core.flows.tenants import begin_installation, token_place
from core.models import Shop
from core.statements import execute, prepared

EARLY_SECONDS = 300.0  # a token is renewed when it has less than this left
REFUSED_SECONDS = 600.0  # a refused token is not shown to Shopify again before this
_LEASE_SECONDS = 30.0  # longer than a call to Shopify may take
_CONNECTION = (Kind.NEEDS_REAUTH, Kind.SCOPES_MISSING)


@dataclass(frozen=True)
class Pair:
    """Tokens as Shopify issued them; lifetimes in seconds, None for a token that does not expire."""

    access_token: str = field(repr=False)
    scopes: str
    expires_in: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in: float | None = None


@dataclass(frozen=True)
class Grant:
    """What a call to a shop's Admin needs. `is_ending`: time to renew it; `is_over`: it is no longer good."""

    shop_id: int
    domain: str
    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    is_ending: bool
    is_over: bool


def load_grant(session: Session, keyring: Keyring, shop_id: int) -> Grant:
    """The shop's token. Raises AccessRefused when there is none, or when Shopify refused it a moment ago."""
    row = execute(session, _select_grant(shop_id)).one()
    shop: Shop = row[0]
    if shop.access_token is None:
        raise AccessRefused("no Shopify access token: open the app in Shopify, or run shops add with --access-token")
    if row[3]:
        raise AccessRefused("Shopify refuses the access token: open the app in Shopify to reconnect")
    return Grant(
        shop_id=shop.id,
        domain=shop.domain,
        token=keyring.open(shop.access_token, *token_place(shop, "access_token")).decode(),
        refresh_token=_open_refresh_token(keyring, shop),
        is_ending=bool(row[1]),
        is_over=bool(row[2]),
    )


@prepared
def _select_grant(shop_id: int) -> Select[Shop, bool, bool, bool]:
    """A shop; whether its token is ending, over, and was refused a moment ago."""
    ending, over = (Shop.access_expires_at < db_now(seconds) for seconds in (EARLY_SECONDS, 0))
    return select(Shop, ending, over, Shop.refused_at > db_now(-REFUSED_SECONDS)).where(Shop.id == shop_id)


def needs_exchange(shop: Shop) -> bool:
    """True when the next visit is to bring new tokens: there are none, or they were refused, or the app was removed."""
    return shop.access_token is None or shop.refused_at is not None or shop.removed_at is not None


def lease_tokens(session: Session, shop_id: int) -> datetime | None:
    """The sole right to ask Shopify for this shop's tokens, for some seconds; None while another process has it."""
    free = or_(Shop.renewing_until.is_(None), Shop.renewing_until < db_now())
    leased = update(Shop).where(Shop.id == shop_id, free).values(renewing_until=db_now(_LEASE_SECONDS))
    return session.execute(leased.returning(Shop.renewing_until)).scalar()


def end_lease(session: Session, shop_id: int, lease: datetime) -> None:
    """Give the right back without new tokens."""
    held = (Shop.id == shop_id, Shop.renewing_until == lease)
    session.execute(update(Shop).where(*held).values(renewing_until=None))


def keep_pair(
    session: Session,
    keyring: Keyring,
    shop_id: int,
    lease: datetime,
    pair: Pair,
    required: Collection[str],
    actor: str = SYSTEM,
) -> bool:
    """Store a pair whole. False, and nothing stored, when the lease was lost: another process has newer tokens.

    `actor` is whose visit brought it.
    """
    query = select(Shop).where(Shop.id == shop_id, Shop.renewing_until == lease)
    shop = session.scalars(query.with_for_update(key_share=True)).first()
    if shop is None:
        return False
    was_away = needs_exchange(shop)
    _write_pair(keyring, shop, pair)
    shop.renewing_until = None
    if was_away:
        # from before Shopify was asked: a removal that was triggered since then is news, and must not count as old
        begin_installation(session, shop, lease - timedelta(seconds=_LEASE_SECONDS))
        audit(session, shop.id, actor, "shop.connected", shop.domain)
    keep_scopes(session, shop, pair.scopes.split(","), required)
    return True


def _write_pair(keyring: Keyring, shop: Shop, pair: Pair) -> None:
    shop.access_token = keyring.seal(pair.access_token.encode(), *token_place(shop, "access_token"))
    shop.access_expires_at = _in_seconds(pair.expires_in)
    refresh = pair.refresh_token
    shop.refresh_token = keyring.seal(refresh.encode(), *token_place(shop, "refresh_token")) if refresh else None
    shop.refresh_expires_at = _in_seconds(pair.refresh_expires_in) if refresh else None
    shop.scopes = pair.scopes or None


def keep_scopes(session: Session, shop: Shop, granted: Collection[str], required: Collection[str]) -> None:
    """Note what the merchant granted; what is missing is a finding. A write scope implies its read scope."""
    given = {one.strip() for one in granted if one.strip()}
    shop.scopes = ",".join(sorted(given)) or None
    implied = given | {one.replace("write_", "read_", 1) for one in given if one.startswith("write_")}
    missing = sorted(set(required) - implied)
    words = f"the app lacks the access scopes {', '.join(missing)}: open it in Shopify and approve them"
    found = [Difference(Kind.SCOPES_MISSING, words)] if given and missing else []
    keep_findings(session, shop.id, shop.domain, [Kind.SCOPES_MISSING], found)


def keep_version(session: Session, shop_id: int, answered: str, asked: str) -> None:
    """Note which API version Shopify answered with; another than we asked for is a finding."""
    words = f"Shopify answers with API version {answered}, not {asked}, which has run out: update Returnbridge"
    found = [] if answered == asked else [Difference(Kind.API_VERSION, words)]
    keep_findings(session, shop_id, "Admin API", [Kind.API_VERSION], found)


def refuse_token(session: Session, keyring: Keyring, refused: Grant) -> None:
    """Shopify takes the token no longer, and it cannot be renewed: the shop's work waits until somebody opens the app.

    A newer token that came meanwhile is not touched.
    """
    query = select(Shop).where(Shop.id == refused.shop_id)
    shop = session.scalars(query.with_for_update(key_share=True)).one()
    if shop.access_token is None or load_token(keyring, shop) != refused.token:
        return
    shop.refused_at = db_now()
    words = "Shopify refuses the access token: open the app in Shopify to reconnect; its work waits until then"
    keep_findings(session, shop.id, shop.domain, [Kind.NEEDS_REAUTH], [Difference(Kind.NEEDS_REAUTH, words)])


def end_installation(session: Session, shop: Shop) -> None:
    """The app was removed from the shop: its tokens are dead, its work stops, its settings stay until `shop/redact`."""
    shop.access_token = shop.refresh_token = shop.access_expires_at = shop.refresh_expires_at = None
    shop.renewing_until = shop.refused_at = shop.scopes = None
    shop.removed_at = shop.uninstalled_at = db_now()
    session.flush()
    keep_findings(session, shop.id, shop.domain, _CONNECTION, [])


def load_token(keyring: Keyring, shop: Shop) -> str:
    """The access token as it is stored."""
    assert shop.access_token is not None
    return keyring.open(shop.access_token, *token_place(shop, "access_token")).decode()


def _open_refresh_token(keyring: Keyring, shop: Shop) -> str | None:
    sealed = shop.refresh_token
    return keyring.open(sealed, *token_place(shop, "refresh_token")).decode() if sealed else None


def _in_seconds(seconds: float | None) -> Any:
    return None if seconds is None else db_now(seconds)
