"""The privacy topics, carried out: canaries are planted everywhere, then the whole store is searched for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from core.db import Base, db_now
from core.flows.rekeying import SEALED
from core.flows.tenants import find_shop
from core.models import AuditEntry, Event, Shop
from core.relay.jobs import sweep
from simulators.shopify.oauth import make_id_token
from tests.flows.stage import SCOPES, Stage
from tests.flows.watch_stage import kinds, on_sqlite

CANARY, OTHER_CANARY = "Canary-7f3a", "Bystander-91bc"
ASKED = {"shop_id": 1, "shop_domain": "exchange-demo.myshopify.com"}


def read_store(stage: Stage) -> Iterator[str]:
    """Every value of every column of every table, sealed ones opened, and everything in Redis."""
    with stage.runtime.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)).mappings():
                yield from (f"{table.name}.{name}: {json.dumps(one, default=repr)}" for name, one in row.items())
        for sealed in SEALED:
            for row in session.scalars(select(sealed.column.class_).where(sealed.column.isnot(None))):
                opened = stage.runtime.keyring.open(getattr(row, sealed.column.key), *sealed.place(row))
                yield f"{sealed.name}: {opened.decode(errors='replace')}"
    redis: Redis = stage.runtime.bell.redis
    for key in redis.scan_iter():
        yield f"redis {key!r}: {redis.dump(key)!r}"


def find(stage: Stage, canary: str) -> list[str]:
    return [one[:300] for one in read_store(stage) if canary.casefold() in one.casefold()]


def plant(stage: Stage, canary: str, code: str, **facts: Any) -> dict[str, Any]:
    """A customer's exchange whose every text says who it is; its two OMS effects are refused, in the same words."""
    person = {"first_name": canary, "last_name": canary, "address1": canary, "city": canary, "phone": f"+91{canary}"}
    shopper = {"address": person, "email": f"{canary}@example.com", "note": canary}
    first = stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "SHIRT-M"}], **shopper)
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}], code=code, **shopper)
    address = dict.fromkeys(("name", "line1", "line2", "line3", "city", "state", "email"), canary)
    whole = {"country": "INDIA", "zip": "560076", "phone": canary, **address}
    items = [{"itemCode": f"I-{code}", "sku": "SHIRT-M", "reason": f"{canary} says too small", "name": canary}]
    answer = stage.sandbox.rms.push_return(
        code, str(first["id"]), items, pickupAddress=whole, dropAddress=whole, returnReason=canary, **facts
    )
    assert answer[0] == 200, answer
    unit = [{"itemId": f"I-{code}", "sku": "SHIRT-M", "quantity": 1}]
    stage.sandbox.rms.notify(code, str(first["id"]), "RETURN_PICKED_UP", unit, comments=f"handed over by {canary}")
    stage.wait_for(lambda: not stage.describe_waiting())
    verdict = {"itemCode": f"I-{code}", "sku": "SHIRT-M", "status": "FAIL", "reason": f"SMELLS_OF_{canary}"}
    stage.sandbox.rms.send_verdict(code, str(first["id"]), [{**verdict, "imageUrls": [f"https://x.example/{canary}"]}])
    stage.wait_for(lambda: not stage.describe_waiting())
    return {"first": first["id"], "order": order["id"], "customer": 191167, "canary": canary}


def tell(stage: Stage, topic: str, **body: Any) -> None:
    stage.sandbox.shopify.send_webhook(stage.shop, topic, {**ASKED, **body})
    stage.wait_for(lambda: bool(stage.events(topic)) and stage.events(topic)[-1].outcome is not None)


def name(planted: dict[str, Any]) -> dict[str, Any]:
    """A customer as Shopify names one. Only the first order is named: the rest is for us to find."""
    return {"id": planted["customer"], "email": f"{planted['canary']}@example.com", "phone": None}


@pytest.fixture
def refusing(stage: Stage) -> Stage:
    """OMS refuses what is new to it, and says whose it was."""
    for path in ("orders/outward", "return/return-orders"):
        for words, times in ((CANARY, 1), (OTHER_CANARY, None)):
            fault = {"match": path, "kind": "status", "status": 400, "body": {"message": f"no such {words}-street"}}
            stage.sandbox.oms.faults.add({**fault, "times": times})
    return stage


def test_a_customer_is_forgotten_and_nobody_else(refusing: Stage) -> None:
    stage = refusing
    planted = plant(stage, CANARY, "RET-1")
    plant(stage, OTHER_CANARY, "RET-2")
    assert {"orders/create", "return_order"} <= {event.topic for event in bodies(stage)}
    assert len(find(stage, CANARY)) >= 5
    tell(stage, "customers/redact", customer=name(planted), orders_to_redact=[planted["first"]])
    (event,) = stage.events("customers/redact")
    assert (event.outcome, event.body) == ("handled", None)
    assert find(stage, CANARY) == []
    assert any(one.startswith("events.body") for one in find(stage, OTHER_CANARY))
    assert stage.exchange(planted["order"]).code in ("qc_failed", "cancelled")
    assert sorted(one.state for one in stage.effects("oms.expect_return")) == ["parked", "parked"]


@on_sqlite
def test_a_message_that_waits_is_forgotten_too(stage: Stage) -> None:
    stage.configure({"mode": "paused"})
    stage.sandbox.shopify.create_order(stage.shop, email=f"{CANARY}@example.com")
    assert stage.sandbox.shopify.settle()
    assert find(stage, CANARY)
    tell(stage, "customers/redact", customer={"email": f"{CANARY}@EXAMPLE.com"}, orders_to_redact=[])
    assert find(stage, CANARY) == []
    (event,) = stage.events("orders/create")
    assert (event.outcome, event.reason) == ("ignored", "forgotten at the customer's request")


@on_sqlite
@pytest.mark.parametrize("written", ["919876543210", "098765 43210", "+91 (98765) 43210"])
def test_a_telephone_number_is_found_in_every_spelling(stage: Stage, written: str) -> None:
    """A message that holds nothing else of the customer; one with another number stays."""
    stage.configure({"mode": "paused"})
    for note in (f"{CANARY}: ring {written} first", f"{OTHER_CANARY}: ring 98765-43211 first"):
        stage.sandbox.shopify.send_webhook(stage.shop, "orders/updated", {"id": 1, "note": note})
    assert stage.sandbox.shopify.settle()
    assert find(stage, CANARY)
    tell(stage, "customers/redact", customer={"phone": "+91 98765-43210"}, orders_to_redact=[])
    assert find(stage, CANARY) == []
    assert find(stage, OTHER_CANARY)


@on_sqlite
@pytest.mark.parametrize("body", [{}, {"customer": None, "orders_to_redact": "all"}, {"customer": {"id": "x"}}])
def test_an_odd_request_forgets_nobody(stage: Stage, body: dict[str, Any]) -> None:
    stage.sandbox.shopify.create_order(stage.shop, email=f"{CANARY}@example.com")
    stage.settle()
    tell(stage, "customers/redact", **body)
    assert find(stage, CANARY)
    assert stage.events("customers/redact")[0].outcome == "handled"


def remove(stage: Stage) -> None:
    stage.sandbox.shopify.topics |= {"app/uninstalled"}
    stage.sandbox.shopify.uninstall(stage.shop)
    stage.wait_for(lambda: load(stage).removed_at is not None)


def load(stage: Stage) -> Shop:
    with stage.runtime.database.read() as session:
        shop = find_shop(session, stage.shop)
        assert shop is not None
        return shop


def visit(stage: Stage) -> None:
    token = make_id_token(stage.sandbox.shopify, stage.shop)
    assert stage.app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def count_rows(stage: Stage, shop_id: int) -> dict[str, int]:
    with stage.runtime.database.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if "shop_id" in table.c]
        counts = {
            one.name: len(session.execute(select(one.c.shop_id).where(one.c.shop_id == shop_id)).all())
            for one in tables
        }
    return {table: count for table, count in counts.items() if count and not table.startswith("audit_")}


def test_a_shop_is_forgotten_within_a_sweep(refusing: Stage) -> None:
    stage = refusing
    plant(stage, CANARY, "RET-1")
    remove(stage)
    stage.sandbox.shopify.send_webhook(stage.shop, "orders/updated", {"id": 1, "note": CANARY})  # a late one
    assert stage.sandbox.shopify.settle()
    stage.sandbox.shopify.send_webhook(stage.shop, "shop/redact", ASKED)
    assert stage.sandbox.shopify.settle()
    assert find(stage, CANARY)
    stage.runtime.bell.ring = lambda: False  # type: ignore[method-assign] # nobody hears: the sweep does it
    sweep(stage.runtime)
    assert find(stage, CANARY) == []
    assert count_rows(stage, stage.shop_id) == {"events": 1}
    shop = load(stage)
    assert (shop.mode, shop.access_token, shop.live_since) == ("observe", None, None)
    assert [event.outcome for event in stage.events("shop/redact")] == ["handled"]


def test_a_removed_app_stops_and_keeps_its_settings(stage: Stage) -> None:
    remove(stage)
    shop = load(stage)
    assert (shop.access_token, shop.refresh_token, shop.scopes) == (None, None, None)
    (event,) = stage.events("app/uninstalled")
    assert (event.outcome, event.body) == ("handled", None)
    assert count_rows(stage, stage.shop_id)["settings_versions"] == 1


@on_sqlite
def test_an_id_token_opens_nothing_once_the_app_is_removed(stage: Stage) -> None:
    token = make_id_token(stage.sandbox.shopify, stage.shop)
    asked = {"Authorization": f"Bearer {token}"}
    assert stage.app.test_client().get("/", headers=asked).status_code == 200
    remove(stage)
    answer = stage.app.test_client().get("/", headers=asked)
    assert (answer.status_code, stage.shop in answer.text) == (401, False)


def test_an_app_installed_again_goes_on_and_late_news_change_nothing(stage: Stage) -> None:
    stage.sandbox.shopify.topics |= {"app/uninstalled"}
    stage.sandbox.shopify.delivery.hold_back()
    stage.sandbox.shopify.uninstall(stage.shop)
    held = stage.sandbox.shopify.delivery._held[:]
    stage.sandbox.shopify.delivery.let_go()
    stage.wait_for(lambda: load(stage).removed_at is not None)
    first = load(stage)
    stage.sandbox.shopify.open_shop(stage.shop, SCOPES)
    visit(stage)
    again = load(stage)
    assert (again.id, again.mode, again.removed_at) == (first.id, "live", None)
    assert again.refresh_token is not None
    late = held[0]
    late.headers["X-Shopify-Webhook-Id"] = "another-delivery"
    stage.sandbox.shopify.delivery._dispatch(late)
    stage.wait_for(
        lambda: len(stage.events("app/uninstalled")) == 2 and bool(stage.events("app/uninstalled")[1].outcome)
    )
    assert stage.events("app/uninstalled")[1].outcome == "ignored"
    tell(stage, "shop/redact")
    (redact,) = stage.events("shop/redact")
    assert redact.outcome == "ignored"
    assert load(stage).access_token == again.access_token
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}])
    stage.settle()
    assert stage.oms_order(order) is not None


@on_sqlite
def test_an_app_removed_again_unheard_is_forgotten(stage: Stage) -> None:
    remove(stage)
    stage.sandbox.shopify.open_shop(stage.shop, SCOPES)
    visit(stage)
    assert load(stage).removed_at is None
    with stage.runtime.database.write() as session:  # as the first call after the second removal leaves it
        session.get_one(Shop, stage.shop_id).refused_at = db_now()
    tell(stage, "shop/redact")
    assert [event.outcome for event in stage.events("shop/redact")] == ["handled"]
    assert load(stage).removed_at is not None
    with stage.runtime.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    told = [(one.actor.rstrip("0123456789"), one.action) for one in entries if one.action.startswith("shop.")]
    assert told[-3:] == [("Shopify", "shop.removed"), ("staff ", "shop.connected"), ("Shopify", "shop.forget")]


@on_sqlite
def test_an_app_that_is_paused_is_forgotten_too(stage: Stage) -> None:
    stage.configure({"mode": "paused"})
    tell(stage, "shop/redact")
    assert count_rows(stage, stage.shop_id) == {"events": 1}


@on_sqlite
def test_other_scopes_are_noted_and_what_waited_goes_on(stage: Stage) -> None:
    stage.sandbox.shopify.topics |= {"app/scopes_update"}
    stage.sandbox.shopify.change_scopes(stage.shop, ["read_orders"])
    stage.wait_for(lambda: "scopes_missing" in kinds(stage))
    stage.sandbox.shopify.change_scopes(stage.shop, SCOPES)
    stage.wait_for(lambda: "scopes_missing" not in kinds(stage))


def bodies(stage: Stage) -> list[Event]:
    with stage.runtime.database.read() as session:
        return list(session.scalars(select(Event).where(Event.body.isnot(None))))


@on_sqlite
def test_a_shop_with_many_messages_is_searched_in_stretches(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopify_app.compliance._STRETCH_SECONDS", 0.0001)
    monkeypatch.setattr("shopify_app.compliance._BATCH", 2)
    for number in range(5):
        stage.sandbox.shopify.create_order(stage.shop, email=f"{CANARY if number % 2 else OTHER_CANARY}@example.com")
    stage.settle()
    tell(stage, "customers/redact", customer={"email": f"{CANARY}@example.com"}, orders_to_redact=[])
    stage.settle()
    parts = stage.events("customers/redact")
    assert len(parts) > 2
    assert {(part.outcome, part.body) for part in parts} == {("handled", None)}
    assert parts[-1].reason == "a customer of 0 order(s) was forgotten, 2 message(s)"
    assert find(stage, CANARY) == []
    assert find(stage, OTHER_CANARY)
