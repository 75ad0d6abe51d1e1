"""The partners' doors: keys, headers, test pings, and bodies that are refused."""

from __future__ import annotations

import pytest

from core.flows import credentials, tenants
from rms_bridge.partners.shiprocket import check_callback_url
from tests.flows.stage import Stage
from tests.flows.test_partners_hooks import AWB, call, make_key, partners, tell

HEADERS = {"clickpost": "webhook_key", "st": "x-api-key"}


@partners
def test_a_wrong_key_opens_nothing(stage: Stage, partner: str) -> None:
    key = make_key(stage, partner)
    other = make_key(stage, "st" if partner == "clickpost" else "clickpost")
    wrong = [key[:-1] + ("a" if key[-1] != "a" else "b"), key[:-1], key + "a", key.upper(), other, "x" * 5000, "%00"]
    for one in wrong:
        answer = call(stage, partner, one, {"awb": AWB})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "UNAUTHORIZED"), one
        assert key not in answer.get_data(as_text=True)
    assert stage.events("tracking") == []


@partners
def test_a_header_that_is_sent_must_be_the_same_key(stage: Stage, partner: str) -> None:
    key, name = make_key(stage, partner), HEADERS[partner]
    assert call(stage, partner, key, {"awb": AWB}, {name: key}).status_code == 200
    assert call(stage, partner, key, {"awb": AWB}, {name: "ä"}).status_code == 401
    assert call(stage, partner, key, {"awb": AWB}, {name: ""}).status_code == 401
    assert len(stage.events("tracking")) == 1


@partners
def test_a_key_the_partner_made_is_asked_for_when_we_know_it(stage: Stage, partner: str) -> None:
    kind = "clickpost" if partner == "clickpost" else "shiprocket"
    entry = {"name": "p", "kind": kind, "url": "https://partner.example", "events": []}
    stage.configure({"partners": [entry | {"headers": {"Webhook-Key": "made-by-them"}}]})
    key, name = make_key(stage, partner), HEADERS[partner]
    assert call(stage, partner, key, {"awb": AWB}, {name: "made-by-them"}).status_code == 200
    assert call(stage, partner, key, {"awb": AWB}, {name: key}).status_code == 401
    assert call(stage, partner, key, {"awb": AWB}).status_code == 401


@partners
def test_a_key_works_on_while_its_successor_is_put_in_place(stage: Stage, partner: str) -> None:
    old, new = make_key(stage, partner), make_key(stage, partner)
    assert old != new
    assert [call(stage, partner, key, {"awb": AWB}).status_code for key in (old, new)] == [200, 200]
    with stage.runtime.database.write() as session:
        shop = tenants.find_shop(session, stage.shop)
        assert shop is not None
        shop.removed_at = shop.created_at
    assert call(stage, partner, new, {"awb": AWB}).status_code == 401


@partners
@pytest.mark.parametrize("ping", [b"", b"  \n", b"{}"])
def test_a_test_ping_is_answered_and_not_kept(stage: Stage, partner: str, ping: bytes) -> None:
    answer = call(stage, partner, make_key(stage, partner), ping)
    assert (answer.status_code, answer.data) == (200, b"")
    assert stage.events("tracking") == []


@partners
@pytest.mark.parametrize("body", [b"awb=1", b"[]", b"null", b'{"awb":NaN}', b'{"awb":"\\u0000"}', b"\xff", b"[" * 9000])
def test_a_body_that_is_no_object_is_refused_in_words(stage: Stage, partner: str, body: bytes) -> None:
    answer = call(stage, partner, make_key(stage, partner), body)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_DATA")
    assert answer.get_json()["description"]
    assert stage.events("tracking") == []


@partners
def test_a_body_without_a_status_is_kept_and_named_unknown(stage: Stage, partner: str) -> None:
    assert tell(stage, partner, {"awb": AWB}).outcome == "unknown"


def test_the_keys_can_stand_in_an_address_shiprocket_takes(stage: Stage) -> None:
    for _ in range(50):
        path = credentials.render_hook_path("st", make_key(stage, "st"))
        assert check_callback_url(f"https://bridge.example{path}") == []
