"""What every walk through the pages needs: entering a shop's admin, the page's fields, buttons and banners."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from core.flows.tenants import find_shop, load_settings_with_secrets
from core.settings import Settings
from tests.flows.stage import SCOPES, Stage

SECOND = "second-shop.myshopify.com"
PATIENCE = 30_000  # milliseconds: the machine may be busy
expect.set_options(timeout=PATIENCE)


def enter(page: Any, stage: Stage, path: str = "/", shop: str | None = None) -> Any:
    page.set_default_timeout(PATIENCE)
    page.goto(f"{stage.sandbox.shopify_url}/{shop or stage.shop}/admin?path={path}")
    frame = page.frame_locator("#app")
    frame.locator("s-page").wait_for()
    return frame


def enter_new_shop(page: Any, stage: Stage, path: str = "/") -> Any:
    """A shop that nobody has opened the app in before."""
    if SECOND not in stage.sandbox.shopify.shops:
        stage.sandbox.shopify.open_shop(SECOND, SCOPES)
    return enter(page, stage, path, SECOND)


def field(frame: Any, name: str, nth: int = 0) -> Any:
    return frame.locator(f'[name="{name}"]').nth(nth).locator("input, textarea, select").first


def press(frame: Any, words: str, inside: str = "body") -> None:
    frame.locator(inside).get_by_role("button", name=words, exact=True).click()


def expect_banner(frame: Any, words: str | re.Pattern[str]) -> None:
    expect(frame.locator("s-banner").get_by_role("heading", name=words).first).to_be_visible()


def settings_of(stage: Stage, shop: str) -> Settings:
    with stage.runtime.database.read() as session:
        found = find_shop(session, shop)
        assert found is not None
        return load_settings_with_secrets(session, stage.runtime.keyring, found.id)
