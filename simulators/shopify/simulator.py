"""The stand-in for Shopify, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from simulators.faults import Faults
from simulators.serving import Served, serve
from simulators.shopify.admin import in_front, make_admin
from simulators.shopify.base import Refused
from simulators.shopify.oauth import Tokens, make_id_token
from simulators.shopify.server import AdminApi, name_of
from simulators.shopify.staff import Staff
from simulators.shopify.state import MAIN_APP, Shop, new_event
from simulators.shopify.timers import Timers
from simulators.shopify.webhooks import Delivery, sign

# What the app's configuration file would subscribe to; others are not delivered.
TOPICS = frozenset(
    [
        "orders/create",
        "orders/updated",
        "orders/cancelled",
        "orders/edited",
        "refunds/create",
        "returns/approve",
        "returns/cancel",
        "returns/close",
        "returns/decline",
        "returns/process",
        "returns/reopen",
        "returns/request",
        "returns/update",
        "fulfillment_holds/added",
        "fulfillment_holds/released",
        "app/uninstalled",
        "app/scopes_update",
        "customers/data_request",
        "customers/redact",
        "shop/redact",
    ]
)


class ShopifySimulator(Staff):
    """`wsgi` serves `/{shop}/admin/...`; webhooks go to `app_url` + `webhook_path`."""

    def __init__(
        self, api_key: str, api_secret: str, app_url: str | None = None, webhook_path: str = "/webhooks/shopify"
    ) -> None:
        super().__init__(api_key, api_secret)
        self.webhook_path = webhook_path
        self.topics = set(TOPICS)
        self.faults = Faults()
        self._timers = Timers()
        self.delivery = Delivery(api_secret, self.later)
        self.app_url = app_url
        self.oauth = Tokens(self)
        self.id_token_seconds = 60.0
        self.wsgi = in_front(make_admin(self), self.faults.wrap(AdminApi(self, self.oauth), name_of))
        self._served: Served | None = None

    @property
    def app_url(self) -> str | None:
        return self._app_url

    @app_url.setter
    def app_url(self, url: str | None) -> None:
        self._app_url = url
        self.delivery.address = url.rstrip("/") + self.webhook_path if url else None

    @property
    def include_fields(self) -> dict[str, list[str]]:
        """Topic -> dot paths; a topic that is not named carries its full body."""
        return self.delivery.include_fields

    @include_fields.setter
    def include_fields(self, fields: dict[str, list[str]] | None) -> None:
        self.delivery.include_fields = dict(fields or {})

    @property
    def retry_schedule(self) -> list[float]:
        return self.delivery.retry_schedule

    @retry_schedule.setter
    def retry_schedule(self, seconds: Iterable[float]) -> None:
        self.delivery.retry_schedule = list(seconds)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.later(seconds, action)

    def announce(self, shop: Shop, topic: str, payload: dict[str, Any], event_id: str) -> None:
        if shop.installed and topic in self.topics:
            self.delivery.send(shop.domain, topic, payload, event_id)

    def start(self, port: int = 0) -> str:
        """Serve it; the answer is the base address."""
        if self._served is None:
            self._served = serve(self.wsgi, port)
        return self._served.url

    def add_shop(self, domain: str, access_token: str | None = None, scopes: Iterable[str] | None = None) -> str:
        """A shop with the app installed, and an access token that does not expire."""
        with self.lock:
            shop = self.open_shop(domain, scopes)
            return self.add_token(shop, MAIN_APP, shop.scopes, access_token).value

    def install(self, domain: str, app: str = MAIN_APP, scopes: Iterable[str] | None = None) -> str:
        """A token for another app on the same shop, or for ours after an uninstall."""
        with self.lock:
            shop = self.open_shop(domain, scopes if app == MAIN_APP else None)
            return self.add_token(shop, app, tuple(scopes or shop.scopes)).value

    def uninstall(self, shop: str) -> None:
        with self.lock:
            super().uninstall(shop)
            self.oauth.forget(shop)

    def expire_tokens(self, shop: str) -> None:
        """Every expiring access token of the shop ends now."""
        with self.lock:
            for token in self.tokens.values():
                if token.shop == shop and token.expires_at:
                    token.expires_at = self.now()

    def id_token(self, shop: str, user: str = "100001", seconds: float = 60, **claims: Any) -> str:
        return make_id_token(self, shop, user, seconds, **claims)

    def send_webhook(self, shop: str, topic: str, payload: dict[str, Any], test: bool = False) -> None:
        """Any topic with any body, signed as always; also for a shop that is no longer there."""
        self.delivery.send(shop, topic, payload, new_event(), test)

    def sign(self, body: bytes) -> str:
        return sign(self.delivery.secret, body)

    def drain(self, shop: str, leave: float = 0) -> None:
        """Empty the app's cost bucket of that shop down to `leave` points."""
        with self.lock:
            if shop not in self.shops:
                raise Refused(f"no shop {shop}")
            bucket = self.bucket(self.shops[shop], MAIN_APP)
            bucket.refill()
            bucket.level = leave

    def settle(self, timeout: float = 5.0) -> bool:
        """Wait until no delivery is under way."""
        return self.delivery.settle(timeout)

    def reset(self) -> None:
        """An empty world with the same settings."""
        with self.lock:
            self._timers.forget()
            self.delivery.reset()
            self.faults.clear()
            self.oauth.refresh.clear()
            self._empty()

    def close(self) -> None:
        if self._served:
            self._served.close()
            self._served = None
        self._timers.close()
        self.delivery.close()
