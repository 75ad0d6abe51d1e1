"""Who is asking, inside Shopify admin: the ID token that App Bridge sends (shopify.md §1.2).

ShopifyAPI's decoder checks signature, audience, times and issuer. What it leaves open is closed here: `exp` and `nbf`
must be there, the claims must have the form Shopify gives them, one token has one spelling (base64 decoders pass over
stray characters), and the secret of before a rotation counts too.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from shopify import session_token
from shopify.utils.shop_url import sanitize_shop_domain

from core.config import Config
from core.errors import Unauthorized
from core.flows.tenants import SHOP_DOMAIN

_MOST_CHARACTERS = 4096  # a real one has some 600
_USER = re.compile(r"[0-9]{1,20}")
# A claim of an unexpected type makes the decoder raise these; a header nested without end makes the parser recurse.
_ODD = (session_token.SessionTokenError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Visitor:
    """A member of a shop's staff. `user` is Shopify's id of the person; no name comes with the token."""

    domain: str
    user: str
    id_token: str = field(repr=False)


def list_secrets(config: Config) -> list[str]:
    """The app's secret, and during a rotation the previous one."""
    return [secret for secret in (config.shopify_api_secret, config.shopify_api_secret_previous) if secret]


def read_shop(text: str | None) -> str | None:
    """A shop's domain as it is named by a caller, in lower case; None when it is none."""
    if not text or not text.isascii() or not text.isprintable():
        return None
    domain = str(sanitize_shop_domain(text) or "")
    return domain if SHOP_DOMAIN.fullmatch(domain) else None


def verify_id_token(config: Config, token: str | None) -> Visitor:
    """The visitor whom Shopify vouches for. Raises Unauthorized."""
    if token and len(token) <= _MOST_CHARACTERS and all(_is_canonical(part) for part in token.split(".")):
        for secret in list_secrets(config):
            visitor = _read_visitor(config, token, secret)
            if visitor is not None:
                return visitor
    raise Unauthorized("the ID token is missing, wrong or expired")


def _is_canonical(part: str) -> bool:
    """True when this is how base64url spells its bytes, and nothing else."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == part


def _read_visitor(config: Config, token: str, secret: str) -> Visitor | None:
    try:
        claims = session_token.decode_from_header(f"Bearer {token}", config.shopify_api_key, secret)
    except _ODD:
        return None
    domain = _find_shop(claims)
    timed = all(type(claims.get(name)) is int for name in ("exp", "nbf"))
    if domain is None or not timed or claims.get("aud") != config.shopify_api_key:
        return None
    return Visitor(domain, claims["sub"], token) if _USER.fullmatch(claims["sub"]) else None


def _find_shop(claims: dict[str, Any]) -> str | None:
    """The shop of `dest`, which must be exactly a shop's address; `iss` lies below it."""
    domain = read_shop(str(claims["dest"]).removeprefix("https://"))
    below = str(claims["iss"]).startswith(f"https://{domain}/")
    return domain if below and claims["dest"] == f"https://{domain}" else None
