"""The Settings page: every key, faults at their field, secrets never shown, two people at once, credentials."""

from __future__ import annotations

import html
from typing import Any

import pytest

from core.flows.credentials import Caller, verify_credential
from core.settings import Settings
from simulators.oms import OmsSimulator
from simulators.serving import serve
from tests.integration.front import OTHER, FormReader, Front, find_errors, find_headings, read_text

PARTNER = {
    "name": "returns_prime",
    "kind": "returns_prime",
    "url": "https://8.8.8.8/qc",
    "headers": {"x-rp-token": "partner-secret", "x-more": "more-secret"},
    "events": ["qc", "tracking"],
}
DOCUMENT: dict[str, Any] = {
    "mode": "paused",
    "exchange": {
        "replacement_tag": "swap", "hold_tag": "wait", "other_hold_tags": ["a", "b"], "release_tag": "free",
        "rejected_tag": "bad", "apply_hold_tag": False, "fulfillment_hold": True, "link_attribute": "l",
        "link_tag_prefix": "p:", "unit_property": "u",
    },
    "qc": {
        "actor": "partner", "wait_for": "each_unit", "on_fail": "review", "on_mixed": "cancel_order",
        "reasons": {"NEEDS_IRONING": "pass", "STAIN": "review"}, "verdict_deadline_days": 2.5, "on_deadline": "release",
        "max_hold_days": 7,
    },
    "cancel": {
        "refund": "store_credit", "restock": False, "notify_customer": True, "reason": "STAFF",
        "cooling_off_minutes": 0,
    },
    "oms": {
        "base_url": "https://8.8.4.4/oms", "auth_username": "u", "auth_password": "oms-secret", "auth_domain": "d",
        "calls_per_minute": 7, "sync": "all", "create_orders": False, "order_code": "name", "sku": "variant_id",
        "order_type": "A", "replacement_order_type": "B", "locations": {"655441491": "Wid234", "2": "W2"},
        "default_location": "W9", "dispatch_within_hours": 48,
    },
    "rms": {
        "awb_source": "increff", "aggregator": "NONE", "courier_fields": ["sellerGstin"], "warehouses": {"WH1": "W1"},
        "rto_without_return": "create", "default_return_reason": "r",
    },
    "partners": [PARTNER],
}  # fmt: skip


def test_no_key_of_the_document_keeps_its_default_in_these_tests() -> None:
    plain, changed = Settings().model_dump(), Settings.model_validate(DOCUMENT).model_dump()
    for section, values in plain.items():
        if isinstance(values, dict):
            assert [key for key, value in values.items() if value == changed[section][key]] == []


def test_a_first_save_of_what_is_shown_changes_nothing(front: Front) -> None:
    answer = front.save(front.settings_form())
    assert (answer.status_code, find_headings(answer.text)[0]) == (200, "Settings saved")
    assert front.settings() == Settings()


def test_every_key_is_shown_and_saved_as_it_is(front: Front) -> None:
    front.configure(DOCUMENT)
    before = front.settings()
    answer = front.save(front.settings_form())
    assert answer.status_code == 200, find_headings(answer.text)
    assert front.settings() == before == Settings.model_validate(DOCUMENT)


def test_every_key_can_be_typed(front: Front) -> None:
    """From the defaults to quite another document, by the form alone."""
    front.configure(DOCUMENT)
    wanted = front.settings_form()
    front.configure({"partners": [], "oms": {"auth_password": ""}})
    assert front.settings().oms.base_url is None
    form = front.settings_form()
    typed = wanted.copy()
    typed["version"] = form["version"]
    typed["oms.auth_password"] = "oms-secret"
    typed.setlist("partners.0.headers.value", ["more-secret", "partner-secret", ""])
    answer = front.save(typed)
    assert answer.status_code == 200, find_errors(answer.text)
    assert front.settings() == Settings.model_validate(DOCUMENT)


def test_all_faults_are_shown_at_their_fields_and_nothing_typed_is_lost(front: Front) -> None:
    typed = {
        "exchange.hold_tag": "a,b",
        "exchange.other_hold_tags": "fine\ntwo,tags",
        "qc.verdict_deadline_days": "soon",
        "qc.max_hold_days": "-1",
        "oms.base_url": "ftp://oms.example",
        "oms.calls_per_minute": "1.5",
        "cancel.refund": "double",
        "partners.0.name": "Returns Prime!",
        "partners.0.url": "not a url",
    }
    form = front.settings_form(**{name.replace(".", "__"): value for name, value in typed.items()})
    form.setlist("partners.0.kind", ["generic"])
    form.setlist("oms.locations.key", ["655", "655", ""])
    form.setlist("oms.locations.value", ["W1", "W2", ""])
    form.setlist("partners.0.headers.key", ["x-token", ""])
    form.setlist("partners.0.headers.value", ["", ""])
    answer = front.save(form)
    assert answer.status_code == 422
    errors = find_errors(answer.text)
    assert set(typed) <= set(errors), set(typed) - set(errors)
    assert "[1]: a tag has no comma" in errors["exchange.other_hold_tags"]
    words = read_text(answer.text)
    assert "655: given twice" in words
    assert "x-token: type its value" in words
    shown = FormReader(answer.text, "settings").values
    assert {name: shown[name] for name in typed if name != "cancel.refund"} == {
        name: value for name, value in typed.items() if name != "cancel.refund"
    }
    assert shown.getlist("oms.locations.value")[:2] == ["W1", "W2"]
    assert front.get("/settings").text.count("Version 1") == 0


def test_secrets_are_kept_replaced_and_cleared_and_never_shown(front: Front) -> None:
    front.configure(DOCUMENT)
    page = front.get("/settings").text
    assert "Password: set" in page
    for secret in ("oms-secret", "partner-secret", "more-secret"):
        assert secret not in page
    form = front.settings_form(oms__auth_password="another-secret")
    form.setlist("partners.0.headers.value", ["new-more", "", ""])
    answer = front.save(form)
    assert answer.status_code == 200, find_errors(answer.text)
    assert "another-secret" not in answer.text
    now = front.settings()
    assert now.oms.auth_password == "another-secret"
    assert now.partners[0].headers == {"x-rp-token": "partner-secret", "x-more": "new-more"}
    form = front.settings_form(**{"oms__auth_password.clear": "on"})
    form.setlist("partners.0.headers.key", ["x-rp-token", "", ""])
    front.save(form)
    assert not front.settings().oms.auth_password
    assert front.settings().partners[0].headers == {"x-rp-token": "partner-secret"}
    assert "Password: not set" in front.get("/settings").text


def test_a_typed_secret_is_not_sent_back_by_a_refused_save(front: Front) -> None:
    answer = front.save(front.settings_form(oms__auth_password="typed-secret", exchange__hold_tag=""))
    assert answer.status_code == 422
    assert "typed-secret" not in answer.text


def prove_secrets_stay(front: Front, form: Any) -> None:
    """A form with other addresses is neither saved nor tried: its secrets would go there."""
    for action in ("save", "test:oms", "test:partner:0"):
        answer = front.save(form, action)
        assert answer.status_code == 422
        assert "address has changed" in find_errors(answer.text)["oms.auth_password"]
        assert read_text(answer.text).count("type its value again, because the address has changed") >= 2
    assert front.settings() == Settings.model_validate(DOCUMENT)


def test_a_kept_secret_does_not_go_to_a_new_address(front: Front) -> None:
    front.configure(DOCUMENT)
    form = front.settings_form(oms__base_url="https://9.9.9.9", partners__0__url="https://9.9.9.9/steal")
    prove_secrets_stay(front, form)


@pytest.mark.parametrize("word", ["set", "not set"])
def test_nor_when_the_word_is_typed_by_which_a_document_keeps_it(front: Front, word: str) -> None:
    front.configure(DOCUMENT)
    form = front.settings_form(
        oms__base_url="https://9.9.9.9", oms__auth_password=word, partners__0__url="https://9.9.9.9/steal"
    )
    form.setlist("partners.0.headers.value", [word, word, ""])
    prove_secrets_stay(front, form)


def test_a_stale_form_is_refused_with_what_changed_and_then_saves(front: Front) -> None:
    form = front.settings_form(qc__max_hold_days="12")
    front.configure({"exchange": {"hold_tag": "new_hold"}, "oms": {"auth_password": "hush"}}, saved_by="staff 7")
    answer = front.save(form)
    assert (answer.status_code, find_headings(answer.text)[0]) == (
        409, "Nothing was saved: somebody else saved meanwhile",
    )  # fmt: skip
    words = read_text(answer.text)
    assert "staff 7" in words
    assert "exchange.hold_tag : increff_hold → new_hold" in words
    assert "oms.auth_password : – → set" in words
    assert "hush" not in words
    assert front.settings().qc.max_hold_days == 30
    again = FormReader(answer.text, "settings").values
    assert again["qc.max_hold_days"] == "12"
    assert front.save(again).status_code == 200
    assert front.settings().qc.max_hold_days == 12


def test_who_saved_what_is_told(front: Front) -> None:
    front.save(front.settings_form(qc__actor="none"))
    words = read_text(front.get("/settings").text)
    assert "staff 42" in words
    assert "qc.actor : app → none" in words


def test_going_live_says_what_will_happen_and_wants_a_yes(front: Front) -> None:
    front.configure(DOCUMENT)
    answer = front.save(front.settings_form(mode="live"))
    assert (answer.status_code, front.settings().mode) == (422, "paused")
    words = read_text(answer.text)
    assert "When you go live" in words
    assert "OMS at https://8.8.4.4/oms hears of all orders" in words
    assert "returns_prime is sent qc, tracking" in words
    form = FormReader(answer.text, "settings").values
    assert form["mode"] == "live"
    assert "confirmed" not in form
    form["confirmed"] = "on"
    assert front.save(form).status_code == 200
    assert front.settings().mode == "live"


def test_rows_and_partners_are_added_and_removed(front: Front) -> None:
    front.configure(DOCUMENT)
    form = front.settings_form(exchange__hold_tag="typed_meanwhile")
    added = FormReader(front.save(form, "add:oms.locations").text, "settings").values
    assert added.getlist("oms.locations.key") == ["2", "655441491", "", ""]
    assert added["exchange.hold_tag"] == "typed_meanwhile"
    grown = FormReader(front.save(added, "add:partners").text, "settings").values
    assert "partners.1.name" in grown
    grown["partners.1.name"], grown["partners.1.url"], grown["partners.1.kind"] = (
        "second",
        "https://8.8.8.8/2",
        "generic",
    )
    grown["partners.0.remove"] = "on"
    answer = front.save(grown)
    assert answer.status_code == 200, find_errors(answer.text)
    assert [one.name for one in front.settings().partners] == ["second"]


def test_a_connection_is_tested_with_what_is_typed(front: Front) -> None:
    oms = OmsSimulator("the-name", "the-word")
    with serve(oms.wsgi) as far_side:
        typed = {"oms__base_url": far_side.url, "oms__auth_username": "the-name"}
        good = front.save(front.settings_form(**typed, oms__auth_password="the-word"), "test:oms")
        bad = front.save(front.settings_form(**typed, oms__auth_password="wrong-word"), "test:oms")
    gone = front.save(front.settings_form(**typed, oms__auth_password="the-word"), "test:oms")
    assert "The connection works" in find_headings(good.text)
    assert "The connection does not work" in find_headings(bad.text)
    assert "user name, password or a header is not right" in read_text(bad.text)
    assert "could not connect" in read_text(gone.text)
    assert all(word not in good.text + bad.text for word in ("the-word", "wrong-word"))
    assert FormReader(good.text, "settings").values["oms.base_url"] == far_side.url
    assert front.settings() == Settings()
    assert "OMS is not set up" in read_text(front.save(front.settings_form(), "test:oms").text)
    empty = FormReader(front.save(front.settings_form(), "add:partners").text, "settings").values
    assert "partner's name and address first" in html.unescape(front.save(empty, "test:partner:0").text)
    assert "access token" in read_text(front.save(front.settings_form(), "test:shopify").text).lower()


def test_a_credential_is_shown_once_and_the_old_one_stays_for_a_day(front: Front) -> None:
    front.get("/settings")
    made = [read_credential(front.post("/settings/credentials/rms").text) for _ in range(2)]
    page = front.get("/settings").text
    assert all(password not in page for _, password in made)
    assert all(username in page for username, _ in made)
    assert ", ends" in page
    with front.runtime.database.read() as session:
        for username, password in made:
            shop = verify_credential(session, ("rms",), Caller(username, password))
            assert shop is not None
            assert shop.domain == front.shop
    assert front.post("/settings/credentials/nobody").status_code == 404


def read_credential(text: str) -> tuple[str, str]:
    parts = [text.partition(f'id="new-{name}">')[2].partition("<")[0] for name in ("username", "password")]
    assert all(parts)
    return parts[0], parts[1]


def test_another_shop_has_settings_of_its_own(front: Front) -> None:
    front.configure(DOCUMENT)
    page = front.get("/settings", shop=OTHER).text
    assert "8.8.4.4" not in page
    assert "returns_prime" not in page.partition("<s-option")[0]
    assert FormReader(page, "settings").values["version"] == "0"
