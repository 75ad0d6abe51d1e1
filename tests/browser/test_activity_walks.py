"""Walks through the other pages: what waits for a person, two shops, narrow windows, no scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from core.flows.tenants import find_shop
from core.models import Effect
from simulators.sandbox import OMS_USERNAME
from tests.browser.walks import SECOND, enter, enter_new_shop, expect_banner, press
from tests.flows.stage import Stage

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.xdist_group("browser"),
]


def test_a_parked_change_is_tried_again(page: Any, stage: Stage) -> None:
    stage.configure({"partners": []})
    stage.sandbox.oms.faults.add({"match": "/orders/outward", "status": 400, "times": 1})
    stage.new_order([{"sku": "SKU-A", "quantity": 1}])
    stage.wait_for(lambda: [one.state for one in stage.effects("oms.create_order")] == ["parked"])
    frame = enter(page, stage, "/activity/effects")
    frame.locator("s-table-row", has_text="Parked").get_by_role("button", name="Try again").click()
    expect_banner(frame, "Done")
    stage.settle()
    assert [one.state for one in stage.effects("oms.create_order")] == ["done"]
    frame = enter(page, stage, "/activity/effects")
    frame.get_by_role("link", name="Create the order in OMS").click()
    expect(frame.get_by_text("Refused")).to_be_visible()
    expect(frame.locator("s-badge", has_text="Done").first).to_be_visible()


def test_an_exchange_in_review_is_cancelled_after_a_second_look(page: Any, stage: Stage) -> None:
    stage.configure({"qc": {"on_fail": "review"}})
    order = stage.new_order([{"sku": "SKU-A", "quantity": 1}])
    stage.push_return({"A": "SKU-A"})
    stage.judge({"A": "FAIL:STAIN_DAMAGE"})
    stage.settle()
    assert stage.state(order)[0] == "review"
    frame = enter(page, stage, "/activity")
    frame.get_by_role("link", name=order["name"]).click()
    expect(frame.get_by_text("You: decide below.")).to_be_visible()
    expect(frame.locator("s-table-cell", has_text="STAIN_DAMAGE").first).to_be_visible()
    press(frame, "Cancel the order…")
    press(frame, "Leave it")
    press(frame, "Cancel the order…")
    press(frame, "Cancel the order", "s-modal")
    expect_banner(frame, "Done")
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.exchange(order["id"]).decided_by == "staff 100001"


def test_a_second_shop_sees_nothing_of_the_first(page: Any, stage: Stage) -> None:
    order = stage.new_order([{"sku": "SKU-A", "quantity": 1}], code="RET-CANARY")
    stage.settle()
    frame = enter(page, stage, "/activity")
    expect(frame.get_by_text("RET-CANARY")).to_be_visible()
    exchange = stage.exchange(order["id"]).id
    for path in ("/", "/activity", "/activity/events", "/activity/effects", "/settings"):
        frame = enter_new_shop(page, stage, path)
        assert frame.locator("body").get_attribute("data-shop") == SECOND
        text = page.frames[1].content()
        assert not any(word in text for word in ("RET-CANARY", stage.shop, OMS_USERNAME, "returns_prime&#34;")), path
    frame = enter_new_shop(page, stage, f"/activity/exchanges/{exchange}")
    expect(frame.get_by_role("heading", name="Nothing is here")).to_be_visible()
    with stage.runtime.database.read() as session:
        second = find_shop(session, SECOND)
        assert second is not None
        assert session.scalars(select(Effect).where(Effect.shop_id == second.id)).first() is None


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window(page: Any, stage: Stage, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    order = stage.new_order([{"sku": "SKU-" + "x" * 200, "quantity": 1}], code="RET-" + "y" * 240)
    stage.push_return({"A" * 250: "SKU-" + "x" * 200}, code="RET-" + "y" * 240)
    stage.settle()
    exchange = stage.exchange(order["id"]).id
    for path in (
        "/",
        "/settings",
        "/activity",
        "/activity/events",
        "/activity/effects",
        f"/activity/exchanges/{exchange}",
    ):
        enter(page, stage, path)
        wide, room = page.frames[1].evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, path
    assert page.complaints == []


def test_without_scripts_a_page_can_still_be_read(browser: Any, stage: Stage) -> None:
    stage.new_order([{"sku": "SKU-A", "quantity": 1}], code="RET-1")
    stage.settle()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    token = stage.sandbox.shopify.id_token(stage.shop)
    page.goto(f"{stage.url}/activity?shop={stage.shop}&id_token={token}")
    expect(page.get_by_text("RET-1")).to_be_visible()
    expect(page.get_by_text("no return order is known")).to_be_visible()
    context.close()
