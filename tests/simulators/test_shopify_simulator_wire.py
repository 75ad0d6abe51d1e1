"""The stand-in for Shopify: tokens, signed webhooks, and misbehaviour on command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import datetime

import pytest
import requests
from shopify_cases import KEY, SECRET, SHOP, Caller, wait_for

EXCHANGE = {
    "client_id": KEY,
    "client_secret": SECRET,
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
    "expiring": 1,
}
HEADERS = [
    "topic",
    "hmac-sha256",
    "shop-domain",
    "api-version",
    "webhook-id",
    "event-id",
    "triggered-at",
    "name",
    "test",
]


@pytest.fixture
def order(shopify, api, receiver):
    order = shopify.create_order(SHOP, tags=["b", "a"], line_items=[{"properties": {"unit": "u1"}, "quantity": 2}])
    assert shopify.settle()
    receiver.clear()
    return order


def token_call(shopify, **asked):
    return requests.post(f"{shopify.start()}/{SHOP}/admin/oauth/access_token", json=asked, timeout=5)


def exchange(shopify, **more):
    return token_call(shopify, **{**EXCHANGE, "subject_token": shopify.id_token(SHOP), **more})


def refresh(shopify, token):
    asked = {"client_id": KEY, "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": token}
    return token_call(shopify, **asked)


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_token_exchange_gives_a_pair_that_expires(shopify, api):
    pair = exchange(shopify).json()
    assert pair["expires_in"] == 3600
    assert pair["scope"].startswith("write_orders,")
    fresh = Caller(shopify.start(), pair["access_token"])
    assert fresh.post("{ shop { id } }").status_code == 200
    shopify.expire_tokens(SHOP)
    assert fresh.post("{ shop { id } }").status_code == 401
    renewed = refresh(shopify, pair["refresh_token"]).json()
    assert renewed["refresh_token"] != pair["refresh_token"]
    assert Caller(shopify.start(), renewed["access_token"]).post("{ shop { id } }").status_code == 200


def test_an_old_refresh_token_lives_until_its_replacement_is_used(shopify, api):
    first = exchange(shopify).json()["refresh_token"]
    lost = refresh(shopify, first).json()["refresh_token"]
    second = refresh(shopify, first).json()["refresh_token"]
    assert lost != second
    assert refresh(shopify, second).status_code == 200
    dead = refresh(shopify, first)
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "claims",
    [
        {"seconds": -60},
        {"aud": "someone-else"},
        {"dest": "https://two.myshopify.com"},
        {"secret": "wrong-secret-wrong-secret-wrong-secret"},
    ],
)
def test_a_wrong_id_token_is_refused(shopify, api, claims):
    answer = exchange(shopify, subject_token=shopify.id_token(SHOP, **claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_subject_token")


def test_wrong_client_non_expiring_and_uninstalled(shopify, api):
    assert exchange(shopify, client_secret="wrong").json()["error"] == "invalid_client"
    old = exchange(shopify, expiring=0).json()
    assert "refresh_token" not in old
    refused = Caller(shopify.start(), old["access_token"]).post("{ shop { id } }")
    assert (refused.status_code, "Non-expiring" in refused.json()["errors"]) == (401, True)
    pair = exchange(shopify).json()
    shopify.uninstall(SHOP)
    assert Caller(shopify.start(), pair["access_token"]).post("{ shop { id } }").status_code == 401
    assert refresh(shopify, pair["refresh_token"]).json()["error"] == "invalid_grant"


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_a_delivery_is_signed_over_its_raw_bytes_and_complete(shopify, api, receiver, order):
    api.run("TagsAdd", id=order["gid"], tags=["ü"])
    assert shopify.settle()
    (got,) = receiver.got
    mark = hmac.new(SECRET.encode(), got["raw"], hashlib.sha256).digest()
    assert base64.b64decode(got["headers"]["x-shopify-hmac-sha256"]) == mark
    assert all(got["headers"][f"x-shopify-{name}"] for name in HEADERS)
    assert got["headers"]["user-agent"] == "Shopify-Captain-Hook"
    assert got["path"] == "/webhooks/shopify"
    assert len(got["headers"]["x-shopify-triggered-at"].split(".")[1]) == 10
    body = got["body"]
    assert len(body) == 94
    assert body["tags"] == "a, b, ü"
    assert (body["id"], body["admin_graphql_api_id"]) == (order["id"], order["gid"])
    assert datetime.fromisoformat(body["updated_at"]).utcoffset().total_seconds() == 5.5 * 3600
    assert body["line_items"][0]["properties"] == [{"name": "unit", "value": "u1"}]
    assert body["line_items"][0]["current_quantity"] == 2


def test_a_tag_that_was_there_already_sends_nothing(shopify, api, receiver, order):
    api.run("TagsAdd", id=order["gid"], tags=["A"])
    assert shopify.settle()
    assert receiver.got == []


def test_a_cancel_sends_its_topics_with_one_event_and_many_ids(shopify, api, receiver, order):
    method = {"originalPaymentMethodsRefund": True}
    api.run("OrderCancel", orderId=order["gid"], reason="FRAUD", restock=True, refundMethod=method)
    wait_for(lambda: len(receiver.got) == 3)
    assert sorted(receiver.topics()) == ["orders/cancelled", "orders/updated", "refunds/create"]
    assert len({item["headers"]["x-shopify-event-id"] for item in receiver.got}) == 1
    assert len({item["headers"]["x-shopify-webhook-id"] for item in receiver.got}) == 3
    body = receiver.of("orders/cancelled")[0]["body"]
    assert (body["cancel_reason"], body["financial_status"], body["fulfillment_status"]) == (
        "fraud",
        "refunded",
        "restocked",
    )
    assert receiver.of("refunds/create")[0]["body"]["refund_line_items"][0]["restock_type"] == "cancel"


def test_staff_actions_send_their_topics(shopify, api, receiver, order):
    line = order["lines"][0]["id"]
    shopify.edit_line(SHOP, order["id"], line, 1)
    shopify.set_attributes(SHOP, order["id"], {"rma": "R-9"})
    shopify.hold_order(SHOP, order["id"])
    shopify.release_holds(SHOP, order["id"])
    shopify.fulfil(SHOP, order["id"])
    made = shopify.open_return(SHOP, order["id"], exchange=[{"sku": "N"}])
    shopify.close_return(SHOP, made["id"])
    shopify.change_scopes(SHOP, ["write_orders"])
    shopify.uninstall(SHOP)
    shopify.edit_tags(SHOP, order["id"], add="after")
    shopify.send_webhook(SHOP, "shop/redact", {"shop_id": 1, "shop_domain": SHOP})
    assert shopify.settle()
    wanted = {"orders/edited", "orders/updated", "fulfillment_holds/added", "fulfillment_holds/released"}
    wanted |= {"returns/approve", "returns/close", "app/scopes_update", "app/uninstalled", "shop/redact"}
    assert set(receiver.topics()) == wanted
    edited = receiver.of("orders/edited")[0]["body"]["order_edit"]["line_items"]["removals"]
    assert edited == [{"id": line, "delta": 1}]
    assert receiver.of("returns/approve")[0]["body"]["total_exchange_line_items"] == 1
    assert not any("after" in item["body"].get("tags", "") for item in receiver.got)


def test_anything_but_2xx_is_retried_with_the_same_bytes_and_id(shopify, api, receiver, order):
    shopify.retry_schedule = [0.05, 0.05]
    receiver.statuses = [500, 302]
    shopify.edit_tags(SHOP, order["id"], add="one")
    shopify.delivery.lose_next(1, "orders/updated")
    shopify.edit_tags(SHOP, order["id"], add="two")
    assert shopify.settle()
    assert len(receiver.got) == 3
    assert len({(item["raw"], item["headers"]["x-shopify-webhook-id"]) for item in receiver.got}) == 1
    assert "two" not in receiver.got[-1]["body"]["tags"]
    outcomes = [entry["outcome"] for entry in shopify.delivery.log[-4:]]
    assert sorted(outcomes) == ["delivered", "failed", "failed", "lost"]


def test_it_gives_up_after_the_last_retry(shopify, api, receiver, order):
    shopify.retry_schedule = [0.02]
    receiver.statuses = [500, 500, 500]
    shopify.edit_tags(SHOP, order["id"], add="one")
    assert shopify.settle()
    assert len(receiver.got) == 2
    assert shopify.delivery.log[-1]["outcome"] == "gave_up"


def test_a_doubled_delivery_has_one_webhook_id(shopify, api, receiver, order):
    shopify.delivery.double_next(1)
    shopify.edit_tags(SHOP, order["id"], add="one")
    assert shopify.settle()
    assert len(receiver.got) == 2
    assert len({item["headers"]["x-shopify-webhook-id"] for item in receiver.got}) == 1


@pytest.mark.parametrize(("way", "wanted"), [("fifo", ["1", "2", "3"]), ("lifo", ["3", "2", "1"])])
def test_held_back_deliveries_come_late_and_in_the_order_asked_for(shopify, api, receiver, order, way, wanted):
    shopify.delivery.hold_back()
    for number in "123":
        shopify.set_attributes(SHOP, order["id"], {"n": number})
    time.sleep(0.05)
    assert receiver.got == []
    assert shopify.delivery.let_go(way) == 3
    assert shopify.settle()
    assert [item["body"]["note_attributes"][0]["value"] for item in receiver.got] == wanted


def test_include_fields_limit_the_body_and_debounce_what_looks_the_same(shopify, api, receiver, order):
    shopify.include_fields = {"orders/updated": ["id", "tags", "line_items.sku", "line_items.current_quantity"]}
    shopify.edit_tags(SHOP, order["id"], add="one")
    shopify.set_attributes(SHOP, order["id"], {"unseen": "1"})
    assert shopify.settle()
    (got,) = receiver.got
    assert set(got["body"]) == {"id", "tags", "line_items"}
    assert got["body"]["line_items"] == [{"sku": "TEE-BLUE-M", "current_quantity": 2}]
    assert shopify.delivery.log[-1]["outcome"] in ("debounced", "delivered")
    assert [entry["outcome"] for entry in shopify.delivery.log].count("debounced") == 1


# --- faults ---------------------------------------------------------------------------------------------------------


def test_a_lost_answer_leaves_the_effect_done(shopify, api, order):
    shopify.faults.add({"match": "TagsAdd", "kind": "lose_answer", "times": 1})
    with pytest.raises(requests.ConnectionError):
        api.run("TagsAdd", id=order["gid"], tags=["done"])
    assert "done" in shopify.order(SHOP, order["id"])["tags"]
    shopify.faults.add({"match": "TagsAdd", "kind": "drop", "times": 1})
    with pytest.raises(requests.ConnectionError):
        api.run("TagsAdd", id=order["gid"], tags=["never"])
    shopify.faults.add({"match": "POST /one.myshopify.com", "kind": "status", "status": 502, "times": 1})
    assert api.post("{ shop { id } }").status_code == 502
    assert "never" not in shopify.order(SHOP, order["id"])["tags"]
    assert api.run("TagsAdd", id=order["gid"], tags=["at last"])["tagsAdd"]["userErrors"] == []


def test_a_reset_empties_the_world(shopify, api, receiver, order):
    shopify.retry_schedule = [0.1]
    receiver.statuses = [500]
    shopify.edit_tags(SHOP, order["id"], add="retried")
    wait_for(lambda: shopify.delivery.log[-1]["outcome"] == "failed")
    shopify.delivery.hold_back()
    shopify.edit_tags(SHOP, order["id"], add="x")
    shopify.reset()
    time.sleep(0.2)
    assert len(receiver.got) == 1
    assert api.post("{ shop { id } }").status_code == 404
    assert (shopify.effects, shopify.delivery.log, shopify.delivery.let_go()) == ([], [], 0)
    shopify.add_shop(SHOP, api.token)
    assert api.post("{ shop { id } }").status_code == 200
