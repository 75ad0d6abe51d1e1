"""The webhook door: who may come in, what is kept, and that a delivery counts once."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from core.flows.tenants import find_shop
from tests.integration.bridge import SHOP, Bridge, Reply, chunk, head, sign
from tests.integration.conftest import PREVIOUS_SECRET

BODY = json.dumps({"id": 1, "updated_at": "2026-11-22T10:00:00+05:30"}).encode()


def prove_unauthorized(bridge: Bridge, reply: Reply, before: int) -> None:
    assert reply.status == 401
    assert reply.error()["code"] == "UNAUTHORIZED"
    assert bridge.count_events() == before


def prove_taken(bridge: Bridge, body: bytes = BODY, *, secret: str | None = None, **headers: str) -> None:
    before = bridge.count_events()
    reply = bridge.webhook(body, secret=secret, **headers)
    assert (reply.status, reply.body) == (200, b"")
    assert bridge.count_events() == before + 1


def other_signatures(bridge: Bridge) -> dict[str, str]:
    right = sign(BODY, bridge.config.shopify_api_secret)
    raw = base64.b64decode(right)
    return {
        "absent": "",
        "of another secret": sign(BODY, "x" * 32),
        "of an empty secret": sign(BODY, ""),
        "of another body": sign(BODY + b" ", bridge.config.shopify_api_secret),
        "in hex": raw.hex(),
        "cut short": right[:-4],
        "padding lost": right.rstrip("="),
        "no base64": "!!!! not base64 !!!!",
        "doubled": f"{right}, {right}",
        "with a bit turned": base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode(),
        "very long": "A" * 30_000,
    }


def test_a_signature_that_is_not_ours(bridge: Bridge) -> None:
    before = bridge.count_events()
    for name, signature in other_signatures(bridge).items():
        reply = bridge.webhook(BODY, **{"X-Shopify-Hmac-Sha256": signature})
        assert reply.status == 401, name
        prove_unauthorized(bridge, reply, before)
    prove_taken(bridge)


@pytest.mark.parametrize("signature", ["\xff\xfe\x80", "\xc3\xa9" * 22, "\xe9=", "caf\xe9 " * 100])
def test_a_signature_of_raw_bytes(bridge: Bridge, signature: str) -> None:
    before = bridge.count_events()
    given = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Shop-Domain": SHOP, "Content-Length": str(len(BODY))}
    prove_unauthorized(bridge, bridge.send_raw(head("POST", "/webhooks/shopify", given) + BODY), before)


def test_the_previous_secret_is_still_taken(bridge: Bridge) -> None:
    prove_taken(bridge, BODY, secret=PREVIOUS_SECRET)


UNREADABLE = {
    "no JSON": b"<order/>",
    "not UTF-8": b'{"id": "\xff\xfe\x80"}',
    "3 MB of nothing": b"x" * 3_000_000,
    "3 MB of JSON": b'{"note": "' + b"n" * 3_000_000 + b'"}',
    "empty object": b"{}",
    "array": b"[]",
    "null": b"null",
    "no byte at all": b"",
    "deep": b"[" * 100_000,
    "NaN": b'{"id": NaN}',
    "NUL": b'{"id": 1, "name": "a\\u0000b"}',
    "surrogate": b'{"id": 1, "name": "\\ud800"}',
    "id is text": b'{"id": "one"}',
    "id is null": b'{"id": null}',
    "lines are no list": b'{"id": 1, "name": "#1", "tags": "", "line_items": 7}',
}


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/cancelled"])
def test_signed_but_unreadable_is_kept_and_unknown(bridge: Bridge, topic: str) -> None:
    for name, body in UNREADABLE.items():
        prove_taken(bridge, body, **{"X-Shopify-Topic": topic})
        bridge.work()
        event = bridge.newest_event()
        assert (event.outcome, event.topic) == ("unknown", topic), (name, event.reason)
        assert event.reason
        assert len(event.reason) < 2000


NOVEL = ["orders/teleported", "customers/teleported", "x" * 300, "", "caf\xe9", "../../etc/passwd"]


@pytest.mark.parametrize("topic", NOVEL)
def test_an_unknown_topic_is_kept_and_unknown(bridge: Bridge, topic: str) -> None:
    prove_taken(bridge, BODY, **{"X-Shopify-Topic": topic})
    bridge.work()
    assert bridge.newest_event().outcome == "unknown"


def test_a_delivery_sent_twice_is_one_event(bridge: Bridge) -> None:
    delivery = uuid4().hex
    for _ in range(3):
        assert bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": delivery}).status == 200
    assert len(bridge.find_events(delivery)) == 1
    bridge.work()
    assert bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": delivery}).status == 200
    assert len(bridge.find_events(delivery)) == 1


def test_the_same_delivery_id_of_another_shop_is_another_event(bridge: Bridge) -> None:
    delivery = uuid4().hex
    for domain in (SHOP, f"other-{delivery[:8]}.myshopify.com", SHOP):
        headers = {"X-Shopify-Webhook-Id": delivery, "X-Shopify-Shop-Domain": domain}
        assert bridge.webhook(BODY, **headers).status == 200
    assert len({event.shop_id for event in bridge.find_events(delivery)}) == 2
    assert len(bridge.find_events(delivery)) == 2


def test_deliveries_without_an_id_are_each_kept(bridge: Bridge) -> None:
    for _ in range(2):
        prove_taken(bridge, BODY)


@pytest.mark.parametrize("delivery", ["d" * 255, "d" * 5000, "\xe9", "a b", "' OR 1=1 --"])
def test_odd_delivery_ids_are_no_reason_to_refuse(bridge: Bridge, delivery: str) -> None:
    assert bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": delivery}).status == 200


def test_long_delivery_ids_that_differ_at_the_end_are_two(bridge: Bridge) -> None:
    start = uuid4().hex * 10
    for end in ("1", "2"):
        prove_taken(bridge, BODY, **{"X-Shopify-Webhook-Id": start + end})


def test_the_newer_header_names(bridge: Bridge) -> None:
    delivery = uuid4().hex
    old = dict.fromkeys(["X-Shopify-Topic", "X-Shopify-Shop-Domain", "X-Shopify-Hmac-Sha256"], "")
    new = {
        "shopify-topic": "orders/create",
        "shopify-shop-domain": SHOP,
        "shopify-hmac-sha256": sign(BODY, bridge.config.shopify_api_secret),
        "shopify-webhook-id": delivery,
    }
    prove_taken(bridge, BODY, **old, **new)
    assert [event.topic for event in bridge.find_events(delivery)] == ["orders/create"]
    assert bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": delivery}).status == 200
    assert len(bridge.find_events(delivery)) == 1


FOREIGN = [
    "",
    "evil.example",
    "myshopify.com",
    ".myshopify.com",
    "a.b.myshopify.com",
    "shop.myshopify.com.evil.example",
]
FOREIGN += ["shop.myshopify.com@evil.example", "-.myshopify.com", "sh_op.myshopify.com", "caf\xe9.myshopify.com"]
FOREIGN += [
    "x" * 61 + ".myshopify.com",
    "evil.example/x.myshopify.com",
    "evil.example#.myshopify.com",
    "shop..myshopify.com",
]


def test_a_shop_that_is_none(bridge: Bridge) -> None:
    before = bridge.count_events()
    for domain in FOREIGN:
        reply = bridge.webhook(BODY, **{"X-Shopify-Shop-Domain": domain})
        assert reply.status == 401, domain
        prove_unauthorized(bridge, reply, before)


def test_the_shops_name_in_capitals_is_the_same_shop(bridge: Bridge) -> None:
    prove_taken(bridge, BODY, **{"X-Shopify-Shop-Domain": SHOP.upper()})
    with bridge.runtime.database.read() as session:
        shop = find_shop(session, SHOP)
        assert shop is not None
        assert bridge.newest_event().shop_id == shop.id


def test_a_shop_nobody_installed_yet_is_kept(bridge: Bridge) -> None:
    domain = f"new-{uuid4().hex[:12]}.myshopify.com"
    prove_taken(bridge, BODY, **{"X-Shopify-Shop-Domain": domain})
    with bridge.runtime.database.read() as session:
        shop = find_shop(session, domain)
        assert shop is not None
        assert shop.mode == "observe"
        assert bridge.newest_event().shop_id == shop.id


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "\xe9"])
def test_the_content_type_does_not_matter(bridge: Bridge, content_type: str) -> None:
    prove_taken(bridge, BODY, **{"Content-Type": content_type})


def test_chunked(bridge: Bridge) -> None:
    before = bridge.count_events()
    given: dict[str, Any] = {
        "X-Shopify-Hmac-Sha256": sign(BODY, bridge.config.shopify_api_secret),
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Topic": "orders/updated",
        "Transfer-Encoding": "chunked",
    }
    reply = bridge.send_raw(head("POST", "/webhooks/shopify", given) + chunk(BODY, size=3))
    assert (reply.status, reply.body) == (200, b"")
    assert bridge.count_events() == before + 1


def test_the_body_is_kept_as_it_came_and_sealed(bridge: Bridge) -> None:
    from core.relay.inbox import read_body

    body = b'{"id" : 1,   "b":"\xff", "secret-of-a-customer": true}\r\n'
    prove_taken(bridge, body)
    event = bridge.newest_event()
    assert event.body is not None
    assert b"secret-of-a-customer" not in event.body
    with bridge.runtime.database.read() as session:
        assert read_body(session, bridge.runtime.keyring, event.shop_id, event.id) == body


def test_two_at_once_with_one_delivery_id_are_one_event(bridge: Bridge) -> None:
    from concurrent.futures import ThreadPoolExecutor

    delivery, domain = uuid4().hex, f"twin-{uuid4().hex[:12]}.myshopify.com"
    headers = {"X-Shopify-Webhook-Id": delivery, "X-Shopify-Shop-Domain": domain}
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: bridge.webhook(BODY, **headers).status, range(16)))
    assert replies == [200] * 16
    assert len(bridge.find_events(delivery)) == 1
