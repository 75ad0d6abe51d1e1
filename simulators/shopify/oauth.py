"""ID tokens, token exchange and refresh with tokens that expire."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from simulators.shopify.state import MAIN_APP, Shop, World

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
LEEWAY = 10
# After its first use an old refresh token lives on until its replacement is used, but no longer than this.
GRACE = timedelta(days=30)

Answer = tuple[int, dict[str, Any]]


@dataclass
class RefreshToken:
    value: str
    shop: str
    expires_at: datetime
    parent: str | None = None
    first_used_at: datetime | None = None


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_id_token(
    world: World, shop: str, user: str = "100001", seconds: float = 60, secret: str | None = None, **claims: Any
) -> str:
    """What App Bridge would hand to the page; `claims` override, to make a wrong one."""
    now = int(time.time())
    body = {
        "iss": f"https://{shop}/admin",
        "dest": f"https://{shop}",
        "aud": world.api_key,
        "sub": user,
        "exp": now + int(seconds),
        "nbf": now,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "sid": str(uuid.uuid4()),
    } | claims
    head = _b64(b'{"alg":"HS256","typ":"JWT"}') + "." + _b64(json.dumps(body).encode())
    mark = hmac.new((secret or world.api_secret).encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{_b64(mark)}"


def read_id_token(world: World, token: str) -> dict[str, Any] | None:
    """The claims, or nothing when the signature, the times or the audience are wrong."""
    try:
        head, body, mark = token.split(".")
        claims: dict[str, Any] = json.loads(_unb64(body))
        wanted = hmac.new(world.api_secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        good = hmac.compare_digest(wanted, _unb64(mark)) and json.loads(_unb64(head))["alg"] == "HS256"
        alive = claims["nbf"] - LEEWAY <= time.time() < claims["exp"] + LEEWAY
        return claims if good and alive and claims["aud"] == world.api_key else None
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None


class Tokens:
    """Answers `POST /{shop}/admin/oauth/access_token`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.refresh: dict[str, RefreshToken] = {}

    def answer(self, domain: str, asked: dict[str, Any]) -> Answer:
        shop = self.world.shops.get(domain)
        right = hmac.compare_digest(str(asked.get("client_secret")).encode(), self.world.api_secret.encode())
        if shop is None or asked.get("client_id") != self.world.api_key or not right:
            return 401, {"error": "invalid_client", "error_description": "unknown app or wrong secret"}
        if asked.get("grant_type") == EXCHANGE:
            return self._exchange(shop, asked)
        if asked.get("grant_type") == "refresh_token":
            return self._refreshed(shop, str(asked.get("refresh_token")))
        return 400, {"error": "unsupported_grant_type"}

    def _exchange(self, shop: Shop, asked: dict[str, Any]) -> Answer:
        if asked.get("subject_token_type") != ID_TOKEN or asked.get("requested_token_type") != OFFLINE:
            return 400, {"error": "invalid_request"}
        claims = read_id_token(self.world, str(asked.get("subject_token")))
        if claims is None or urlsplit(str(claims.get("dest"))).hostname != shop.domain:
            return 400, {"error": "invalid_subject_token"}
        if not shop.installed:
            return 401, {"error": "invalid_client", "error_description": "the app is not installed in this shop"}
        # A new acquisition replaces the stored pair: the refresh tokens of the old one are dead.
        self.forget(shop.domain)
        if not asked.get("expiring"):
            token = self.world.add_token(shop, MAIN_APP, shop.scopes)
            token.outdated = True
            return 200, {"access_token": token.value, "scope": ",".join(shop.scopes)}
        return 200, self._pair(shop, None)

    def _refreshed(self, shop: Shop, value: str) -> Answer:
        used, now = self.refresh.get(value), self.world.now()
        if used is None or used.shop != shop.domain or not shop.installed or self._dead(used, now):
            return 400, {"error": "invalid_grant", "error_description": "the refresh token is not valid"}
        used.first_used_at = used.first_used_at or now
        if used.parent:
            self.refresh.pop(used.parent, None)
        return 200, self._pair(shop, used.value)

    def _dead(self, token: RefreshToken, now: datetime) -> bool:
        late = token.first_used_at is not None and now > token.first_used_at + GRACE
        return late or now >= token.expires_at

    def _pair(self, shop: Shop, parent: str | None) -> dict[str, Any]:
        now, life = self.world.now(), timedelta(days=self.world.refresh_token_days)
        token = self.world.add_token(shop, MAIN_APP, shop.scopes)
        token.expires_at = now + timedelta(seconds=self.world.token_seconds)
        made = RefreshToken(f"shprt_{secrets.token_hex(16)}", shop.domain, now + life, parent)
        self.refresh[made.value] = made
        return {
            "access_token": token.value,
            "scope": ",".join(shop.scopes),
            "expires_in": self.world.token_seconds,
            "refresh_token": made.value,
            "refresh_token_expires_in": int(life.total_seconds()),
        }

    def forget(self, domain: str) -> None:
        self.refresh = {key: token for key, token in self.refresh.items() if token.shop != domain}
