"""A merchant's browser without a browser: pages fetched with an ID token, forms filled as the page shows them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app import create_app
from core.config import Config
from core.flows.tenants import find_shop, load_settings_with_secrets, save_settings
from core.runtime import Runtime
from core.settings import Settings
from tests.unit.test_id_tokens import make_claims, make_token

SHOP, OTHER = "demo-shop.myshopify.com", "other-shop.myshopify.com"
_FIELDS = {"s-text-field", "s-number-field", "s-password-field", "s-text-area", "s-search-field", "s-select", "input"}


class FormReader(HTMLParser):
    """What a browser would send of one form; every element with its attributes."""

    def __init__(self, text: str, form_id: str = ""):
        super().__init__()
        self.values: MultiDict[str, str] = MultiDict()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._form_id, self._inside, self._list = form_id, not form_id, ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.elements.append((tag, about))
        if tag == "form":
            self._inside = about.get("id") == self._form_id or not self._form_id
        if tag == "s-choice" and "selected" in about:
            self.values.add(self._list, about.get("value") or "")
        name = about.get("name")
        if not name or not self._inside:
            return
        if tag in _FIELDS:
            self.values.add(name, about.get("value") or "")
        elif tag == "s-checkbox" and "checked" in about:
            self.values.add(name, about.get("value") or "on")
        elif tag == "s-choice-list":
            self._list = name

    def find(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this name."""
        return [about for name, about in self.elements if name == tag]


class Front:
    """One member of a shop's staff at the app's pages."""

    def __init__(self, config: Config, shop: str = SHOP, user: str = "42"):
        key, secret = config.shopify_api_key, config.shopify_api_secret
        self.app = create_app(config)
        self.runtime: Runtime = self.app.extensions["returnbridge"]
        self.shop, self._key, self._secret, self._user = shop, key, secret, user

    def headers(self, shop: str = "") -> dict[str, str]:
        domain = f"https://{shop or self.shop}"
        claims = make_claims(iss=f"{domain}/admin", dest=domain, aud=self._key, sub=self._user)
        return {"Authorization": f"Bearer {make_token(claims, self._secret)}", "Accept": "text/html"}

    def get(self, path: str, shop: str = "") -> TestResponse:
        return self.app.test_client().get(path, headers=self.headers(shop))

    def post(self, path: str, form: Any = None, shop: str = "") -> TestResponse:
        return self.app.test_client().post(path, data=form or {}, headers=self.headers(shop))

    def settings_form(self, **changes: str | list[str]) -> MultiDict[str, str]:
        """The settings form as the page shows it, with some of it typed over; `__` stands for a dot."""
        form = FormReader(self.get("/settings").text, "settings").values
        for name, value in changes.items():
            form.setlist(name.replace("__", "."), value if isinstance(value, list) else [value])
        return form

    def save(self, form: MultiDict[str, str], action: str = "save") -> TestResponse:
        return self.post("/settings", MultiDict([*form.items(multi=True), ("action", action)]))

    @property
    def shop_id(self) -> int:
        with self.runtime.database.read() as session:
            shop = find_shop(session, self.shop)
            assert shop is not None
            return shop.id

    def settings(self) -> Settings:
        """What is in force, with secrets."""
        with self.runtime.database.read() as session:
            return load_settings_with_secrets(session, self.runtime.keyring, self.shop_id)

    def configure(self, document: dict[str, Any], saved_by: str = "command line") -> None:
        """Save a document behind the page's back."""
        self.get("/")  # the first visit makes the shop
        with self.runtime.database.write() as session:
            shop = find_shop(session, self.shop)
            assert shop is not None
            save_settings(session, self.runtime.keyring, shop, document, saved_by, self.runtime.http.guard)


def find_errors(text: str) -> dict[str, str]:
    """Field's name -> the error shown at it."""
    return {str(about.get("name") or about.get("id")): str(about["error"])
            for _, about in FormReader(text).elements if about.get("error")}  # fmt: skip


def find_headings(text: str) -> list[str]:
    """The headings of all banners."""
    return [str(about.get("heading")) for about in FormReader(text).find("s-banner")]


def read_text(text: str) -> str:
    """What stands between the tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))
