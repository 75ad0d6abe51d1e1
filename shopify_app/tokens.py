"""Admin tokens from Shopify: exchanged for a visitor's ID token, renewed before they end, renewed once after a 401.

What is stored, and who may ask, is `core.flows.installations`. No transaction is open while Shopify is asked.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import monotonic
from core.errors import AccessRefused, Ambiguous, Fault, NeedsSettings, Throttled, Transient, Unauthorized
from core.flows import installations
from core.flows.audit import SYSTEM
from core.flows.installations import Grant, Pair
from core.flows.tenants import ensure_shop, find_shop
from core.http import Answer, raise_for_answer
from core.models import Shop
from core.runtime import Runtime
from shopify_app.auth import Visitor
from shopify_app.topics import SCOPES

_EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
    "expiring": 1,  # without it the token never ends, and Shopify no longer takes such a one
}
_CALL_SECONDS = 8.0  # well within the lease
_WAIT_SECONDS = 5.0  # for another process that is renewing the same shop's token
_POLL_SECONDS = 0.05

logger = logging.getLogger(__name__)


class DeadToken(Fault):
    """Shopify knows the refresh token or the ID token no longer."""


@dataclass(frozen=True)
class TokenKeeper:
    """Gives out a shop's token, always one that is good as far as we know."""

    runtime: Runtime

    def provide(self, shop_id: int) -> Grant:
        """The token for a call. Raises NeedsSettings when only the merchant can bring a new one."""
        grant = self._load(shop_id)
        if not grant.is_ending or grant.refresh_token is None:
            return grant
        try:
            return self._renew(grant, patient=grant.is_over)
        except Transient:
            if grant.is_over:
                raise
            return grant  # it has some minutes left, and the next call tries again

    def renew_refused(self, refused: Grant) -> Grant:
        """Another token after a 401, once. Raises NeedsSettings when there is none to be had without the merchant."""
        grant = self._load(refused.shop_id)
        if grant.token != refused.token:
            return grant
        if grant.refresh_token is None:
            raise self.give_up(refused)
        return self._renew(grant, patient=True)

    def give_up(self, refused: Grant) -> NeedsSettings:
        """Note that the token is dead; the answer is the fault to raise."""
        with self.runtime.database.write() as session:
            installations.refuse_token(session, self.runtime.keyring, refused)
        return AccessRefused("Shopify refuses the access token: open the app in Shopify to reconnect")

    def admit(self, visitor: Visitor) -> int:
        """The id of a visitor's shop. The first visit, and the first after the tokens died, brings new tokens.

        When Shopify gives it none now, the page is shown all the same and says so; not so where the app was removed. An
        ID token outlives that by up to a minute, and opens nothing. Raises Unauthorized then, and when Shopify no
        longer takes the ID token.
        """
        shop = self._find(visitor)
        if installations.needs_exchange(shop):
            try:
                self._exchange(shop, visitor)
            except Unauthorized:
                raise
            except Fault as error:
                logger.warning("no tokens for %s: %s", visitor.domain, error)
            # as it is now: another visit may be at it, or the app have been removed while Shopify was asked
            if self._find(visitor).removed_at is not None:
                raise Unauthorized("the app is not installed in this shop")
        return shop.id

    def _find(self, visitor: Visitor) -> Shop:
        with self.runtime.database.read() as session:
            shop = find_shop(session, visitor.domain)
        if shop is None:
            with self.runtime.database.write() as session:
                shop = ensure_shop(session, visitor.domain)
        return shop

    def _exchange(self, shop: Shop, visitor: Visitor) -> None:
        lease = self._lease(shop.id)
        if lease is None:
            return  # another request of this visit is at it
        try:
            pair = self._ask(shop.domain, {**_EXCHANGE, "subject_token": visitor.id_token})
        except DeadToken:
            self._end(shop.id, lease)
            raise Unauthorized("Shopify no longer takes this ID token") from None
        except Fault:
            self._end(shop.id, lease)
            raise
        self._keep(shop.id, lease, pair, f"staff {visitor.user}")

    def _renew(self, grant: Grant, *, patient: bool) -> Grant:
        """Ask for a new pair, or wait for the process that does. Raises Transient when that takes too long."""
        end = monotonic() + _WAIT_SECONDS
        while True:
            lease = self._lease(grant.shop_id)
            newest = self._load(grant.shop_id)
            if newest.token != grant.token:
                if lease is not None:
                    self._end(grant.shop_id, lease)
                return newest
            if lease is not None:
                return self._refresh(newest, lease)
            if not patient or monotonic() > end:
                raise Throttled("the shop's token is being renewed", retry_after=1)
            time.sleep(_POLL_SECONDS)

    def _refresh(self, grant: Grant, lease: datetime) -> Grant:
        asked = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
        try:
            pair = self._ask(grant.domain, asked)
        except DeadToken:
            self._end(grant.shop_id, lease)
            raise self.give_up(grant) from None
        except Fault:
            self._end(grant.shop_id, lease)
            raise
        self._keep(grant.shop_id, lease, pair)
        return self._load(grant.shop_id)

    def _ask(self, domain: str, asked: dict[str, Any]) -> Pair:
        """One call of the token endpoint. It can be repeated: Shopify lets the old refresh token live on until the
        new one is first used."""
        config = self.runtime.config
        app = {"client_id": config.shopify_api_key, "client_secret": config.shopify_api_secret}
        url = f"{config.shopify_admin_url.format(shop=domain)}/admin/oauth/access_token"
        try:
            answer = self.runtime.http.send("POST", url, json_body={**app, **asked}, deadline_seconds=_CALL_SECONDS)
        except Ambiguous as error:
            raise Transient(f"Shopify's token endpoint: {error}") from None
        return _read_pair(answer)

    def _load(self, shop_id: int) -> Grant:
        with self.runtime.database.read() as session:
            return installations.load_grant(session, self.runtime.keyring, shop_id)

    def _lease(self, shop_id: int) -> datetime | None:
        with self.runtime.database.write() as session:
            return installations.lease_tokens(session, shop_id)

    def _end(self, shop_id: int, lease: datetime) -> None:
        with self.runtime.database.write() as session:
            installations.end_lease(session, shop_id, lease)

    def _keep(self, shop_id: int, lease: datetime, pair: Pair, actor: str = SYSTEM) -> None:
        with self.runtime.database.write() as session:
            installations.keep_pair(session, self.runtime.keyring, shop_id, lease, pair, SCOPES, actor)
        self.runtime.bell.ring_soon()


def _read_pair(answer: Answer) -> Pair:
    """The pair of a 200. The error's own text may repeat what was sent, so it is never told on."""
    told = answer.read_json()
    told = told if isinstance(told, dict) else {}
    code = str(told.get("error", ""))[:60]
    if code in ("invalid_grant", "invalid_subject_token"):
        raise DeadToken(code)
    if code == "invalid_client":
        raise NeedsSettings(
            "Shopify does not know the app by SHOPIFY_API_KEY and SHOPIFY_API_SECRET, or it was removed"
        )
    if not 200 <= answer.status < 300:
        bare = Answer(answer.status, answer.headers, b"")
        try:
            raise_for_answer(bare, "Shopify's token endpoint")
        except Ambiguous as error:
            raise Transient(str(error), error.retry_after) from None
    if not isinstance(told.get("access_token"), str) or not told["access_token"]:
        raise Transient("Shopify's token endpoint answered without a token")
    return Pair(
        access_token=told["access_token"],
        scopes=str(told.get("scope") or ""),
        expires_in=_read_seconds(told.get("expires_in")),
        refresh_token=told.get("refresh_token") if isinstance(told.get("refresh_token"), str) else None,
        refresh_expires_in=_read_seconds(told.get("refresh_token_expires_in")),
    )


def _read_seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else None
