"""The app in a frame of the stand-in admin, in a real browser: tokens, the bounce page, and who may frame it."""

from __future__ import annotations

from typing import Any

import pytest

from core.flows.tenants import find_shop
from simulators.serving import serve
from tests.flows.stage import SCOPES, Stage

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.xdist_group("browser"),
]
SECOND = "second-shop.myshopify.com"


def open_app(page: Any, stage: Stage, shop: str | None = None) -> Any:
    page.goto(f"{stage.sandbox.shopify_url}/{shop or stage.shop}/admin")
    frame = page.frame_locator("#app")
    frame.locator("s-page").wait_for()
    return frame


def read_shop(frame: Any) -> str | None:
    shop: str | None = frame.locator("body").get_attribute("data-shop")
    return shop


def in_frame(page: Any) -> Any:
    return page.frames[1]


def test_the_app_shows_its_shop_in_the_frame(page: Any, stage: Stage) -> None:
    frame = open_app(page, stage)
    assert read_shop(frame) == stage.shop
    assert page.complaints == []


def test_a_link_without_a_token_comes_back_over_the_bounce_page(page: Any, stage: Stage) -> None:
    open_app(page, stage)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(stage.url) else None)
    host = in_frame(page).evaluate("shopify.config.host")
    in_frame(page).evaluate(f"location.assign('/?shop={stage.shop}&host={host}&page=2')")
    page.wait_for_function("() => frames[0] && true")
    in_frame(page).wait_for_url(lambda url: "page=2" in url and "/auth/" not in url)
    page.frame_locator("#app").locator("s-page").wait_for()
    assert ["/auth/patch-id-token" in url for url in asked[:2]] == [False, True]
    assert "id_token" not in in_frame(page).evaluate("location.href")
    assert read_shop(page.frame_locator("#app")) == stage.shop
    assert page.complaints == []


def test_a_fetch_with_a_stale_token_is_repeated_with_a_fresh_one(page: Any, stage: Stage) -> None:
    open_app(page, stage)
    statuses: list[int] = []
    page.on("response", lambda one: statuses.append(one.status) if one.url == stage.url + "/" else None)
    stage.sandbox.shopify.id_token_seconds = -60
    script = "async (fresh) => (await fetch('/')).status"
    assert in_frame(page).evaluate(script) == 401
    assert statuses == [401, 401]
    stage.sandbox.shopify.id_token_seconds = 60
    assert in_frame(page).evaluate(script) == 200


def test_the_first_visit_of_a_second_shop_installs_it(page: Any, stage: Stage) -> None:
    stage.sandbox.shopify.open_shop(SECOND, SCOPES).installed = False
    page.goto(f"{stage.sandbox.shopify_url}/{SECOND}/admin")
    page.get_by_role("button", name="Install Returnbridge").click()
    frame = page.frame_locator("#app")
    frame.locator("s-page").wait_for()
    assert read_shop(frame) == SECOND
    with stage.runtime.database.read() as session:
        shop = find_shop(session, SECOND)
        assert shop is not None
        assert (shop.mode, shop.refresh_token is not None) == ("observe", True)


def test_nobody_else_may_frame_it(page: Any, stage: Stage) -> None:
    token = stage.sandbox.shopify.id_token(stage.shop)
    inner = f"{stage.url}/?shop={stage.shop}&id_token={token}"

    def evil(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f'<!doctype html><iframe src="{inner}"></iframe>'.encode()]

    with serve(evil) as elsewhere:
        page.goto(elsewhere.url)
        page.wait_for_timeout(500)
        assert any("frame-ancestors" in line for line in page.complaints)
        assert stage.shop not in in_frame(page).content()
