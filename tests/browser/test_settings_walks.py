"""Walks through the Settings page as staff take them, in the stand-in admin's frame with real ID tokens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from core.flows.credentials import Caller, verify_credential
from simulators.sandbox import OMS_PASSWORD, OMS_USERNAME
from simulators.shopify.oauth import make_id_token
from tests.browser.walks import SECOND, enter, enter_new_shop, expect_banner, field, press, settings_of
from tests.flows.stage import Stage

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.xdist_group("browser"),
]


def test_first_set_up_from_nothing_to_live(page: Any, stage: Stage) -> None:
    frame = enter_new_shop(page, stage)
    expect(frame.get_by_text("Set up", exact=True)).to_be_visible()
    frame.get_by_role("link", name="Connect OMS").click()
    frame.locator("#settings").wait_for()
    field(frame, "oms.base_url").fill(stage.sandbox.oms_url)
    field(frame, "oms.auth_username").fill(OMS_USERNAME)
    field(frame, "oms.auth_password").fill("not-the-password")
    press(frame, "Test the connection to OMS")
    expect_banner(frame, "The connection does not work")
    expect(field(frame, "oms.auth_password")).to_have_value("not-the-password")
    field(frame, "oms.auth_password").fill(OMS_PASSWORD)
    press(frame, "Test the connection to OMS")
    expect_banner(frame, "The connection works")
    press(frame, "Test the connection to Shopify")
    expect(frame.get_by_text("Shopify was reached")).to_be_visible()
    press(frame, "Add a partner")
    for name, value in {"name": "mine", "url": stage.sandbox.partner_url + "/qc"}.items():
        field(frame, f"partners.0.{name}").fill(value)
    field(frame, "partners.0.kind").select_option("generic")
    field(frame, "partners.0.headers.key").fill("x-token")
    field(frame, "partners.0.headers.value").fill("their-secret")
    field(frame, "oms.locations.key").fill("655441491")
    field(frame, "oms.locations.value").fill("Wid234")
    press(frame, "Save")
    expect_banner(frame, "Settings saved")
    saved = settings_of(stage, SECOND)
    assert (saved.mode, saved.oms.auth_password, saved.oms.locations) == (
        "observe",
        OMS_PASSWORD,
        {"655441491": "Wid234"},
    )
    assert saved.partners[0].headers == {"x-token": "their-secret"}
    expect(field(frame, "oms.auth_password")).to_have_value("")

    frame.get_by_role("radio", name="Live").check()
    field(frame, "oms.auth_password").fill("typed-before-the-yes")
    press(frame, "Save")
    expect(frame.get_by_text("When you go live, from that moment on:")).to_be_visible()
    expect(frame.get_by_text(f"OMS at {stage.sandbox.oms_url} hears of exchanges")).to_be_visible()
    assert settings_of(stage, SECOND).mode == "observe"
    frame.get_by_label("I have read this").check()
    press(frame, "Save and go live")
    expect_banner(frame, "Settings saved")
    live = settings_of(stage, SECOND)
    assert (live.mode, live.oms.auth_password) == ("live", "typed-before-the-yes")
    assert [one for one in page.complaints if "status of 422" not in one] == []  # that one waits for the yes


def test_a_faulty_save_shows_faults_at_their_fields_and_a_right_one_saves(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    field(frame, "exchange.hold_tag").fill("a,b")
    field(frame, "oms.base_url").fill("ftp://nowhere")
    field(frame, "qc.max_hold_days").fill("12")
    field(frame, "oms.auth_password").fill("typed-secret")
    press(frame, "Save")
    expect_banner(frame, re.compile("Nothing was saved"))
    expect(frame.locator('[name="exchange.hold_tag"]').get_by_role("alert")).to_contain_text("a tag has no comma")
    expect(frame.locator('[name="oms.base_url"]').get_by_role("alert")).to_contain_text("must be")
    expect(field(frame, "exchange.hold_tag")).to_have_value("a,b")
    expect(field(frame, "qc.max_hold_days")).to_have_value("12")
    expect(field(frame, "oms.auth_password")).to_have_value("typed-secret")
    field(frame, "exchange.hold_tag").fill("on_hold")
    field(frame, "oms.base_url").fill(stage.sandbox.oms_url)
    field(frame, "exchange.hold_tag").press("Enter")
    expect_banner(frame, "Settings saved")
    saved = settings_of(stage, stage.shop)
    assert (saved.exchange.hold_tag, saved.qc.max_hold_days, saved.oms.auth_password) == ("on_hold", 12, "typed-secret")


def watch_posts(page: Any, stage: Stage) -> list[int]:
    """The statuses of what is posted to the app from now on."""
    statuses: list[int] = []

    def note(answer: Any) -> None:
        if answer.request.method == "POST" and answer.url.startswith(stage.url):
            statuses.append(answer.status)

    page.on("response", note)
    return statuses


def test_a_token_that_expires_mid_form_is_renewed_and_the_form_sent_once_more(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    statuses = watch_posts(page, stage)
    stale = make_id_token(stage.sandbox.shopify, stage.shop, seconds=-60)
    tokens = [stale]  # what the first post carries: it expired on the way

    def send(route: Any) -> None:
        headers = {**route.request.headers, **({"authorization": f"Bearer {tokens.pop()}"} if tokens else {})}
        route.continue_(headers=headers)

    page.route(lambda url: url.startswith(f"{stage.url}/settings"), send)
    field(frame, "qc.max_hold_days").fill("21")
    press(frame, "Save")
    expect_banner(frame, "Settings saved")
    assert statuses == [401, 200]
    assert settings_of(stage, stage.shop).qc.max_hold_days == 21
    expect(frame.get_by_text("Version 2")).to_be_visible()


def test_nothing_typed_is_lost_when_no_token_can_be_had(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    statuses = watch_posts(page, stage)
    field(frame, "qc.max_hold_days").fill("21")
    stage.sandbox.shopify.id_token_seconds = -60
    press(frame, "Save")
    expect_banner(frame, re.compile("could not confirm who you are"))
    assert statuses == [401, 401]
    expect(field(frame, "qc.max_hold_days")).to_have_value("21")
    assert settings_of(stage, stage.shop).qc.max_hold_days == 30
    stage.sandbox.shopify.id_token_seconds = 60
    press(frame, "Save")
    expect_banner(frame, "Settings saved")
    assert settings_of(stage, stage.shop).qc.max_hold_days == 21


def test_two_people_at_once(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    field(frame, "qc.max_hold_days").fill("8")
    stage.configure({"exchange": {"hold_tag": "theirs"}})
    press(frame, "Save")
    expect_banner(frame, re.compile("somebody else saved meanwhile"))
    expect(frame.locator("#notices").get_by_text("exchange.hold_tag")).to_be_visible()
    expect(field(frame, "qc.max_hold_days")).to_have_value("8")
    press(frame, "Save")
    expect_banner(frame, "Settings saved")
    assert settings_of(stage, stage.shop).qc.max_hold_days == 8


def test_a_credential_is_shown_once(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    field(frame, "qc.max_hold_days").fill("9")
    press(frame, "Make a new one", "#credentials")
    username, password = (frame.locator(f"#new-{name}").inner_text() for name in ("username", "password"))
    with stage.runtime.database.read() as session:
        for caller in (Caller(username, password), Caller(stage.credential.username, stage.credential.password)):
            assert verify_credential(session, ("rms",), caller) is not None
    expect(field(frame, "qc.max_hold_days")).to_have_value("9")  # what is typed elsewhere stays
    frame = enter(page, stage, "/settings")
    expect(frame.get_by_text(username)).to_be_visible()
    assert password not in page.frames[1].content()


def test_who_may_call_is_said_below_the_credential(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    field(frame, "qc.max_hold_days").fill("9")
    field(frame, "networks").fill("203.0.113.0/33")
    press(frame, "Save who may call", "#credentials")
    expect(frame.get_by_text("is not an address or a network")).to_be_visible()
    expect(field(frame, "networks")).to_have_value("203.0.113.0/33")
    field(frame, "networks").fill("203.0.113.0/24")
    field(frame, "auth_domain").fill("increff")
    press(frame, "Save who may call", "#credentials")
    expect_banner(frame, "Saved: who may call as Increff RMS")
    expect(field(frame, "qc.max_hold_days")).to_have_value("9")  # what is typed elsewhere stays
    with stage.runtime.database.read() as session:
        good, wrong = (
            Caller(stage.credential.username, stage.credential.password, domain, "203.0.113.7")
            for domain in ("increff", "another")
        )
        assert verify_credential(session, ("rms",), good) is not None
        assert verify_credential(session, ("rms",), wrong) is None
    assert [one for one in page.complaints if "status of 422" not in one] == []


def test_the_settings_are_reached_by_keyboard_alone(page: Any, stage: Stage) -> None:
    frame = enter(page, stage, "/settings")
    frame.get_by_role("radio", name="Live").focus()
    page.keyboard.press("Tab")
    expect(field(frame, "exchange.replacement_tag")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("typed_by_keyboard")
    page.keyboard.press("Enter")
    expect_banner(frame, "Settings saved")
    assert settings_of(stage, stage.shop).exchange.replacement_tag == "typed_by_keyboard"
    expect(frame.locator("#notices")).to_be_focused()
