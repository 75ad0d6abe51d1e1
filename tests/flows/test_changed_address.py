"""A changed address: OMS has no call for it, so it is a task; and nothing personal is kept to notice it (law 11)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.db import Base
from core.models import OmsOrder, Order
from shopify_app.client import AdminClient
from shopify_app.reconcile import make_reconciler
from tests.flows.stage import Stage

LINES = [{"sku": "NEW-A", "quantity": 1}]
SECRET = {"address1": "221B Baker Street", "city": "Coimbatore", "phone": "+91 98860 12345", "first_name": "Meenakshi"}
PARTS = {"name", "address1", "address2", "city", "province", "zip", "country", "phone"}


def list_tasks(stage: Stage) -> list[str]:
    """Why events wait for a person."""
    topics = ("orders/create", "orders/updated")
    return [one.reason or "" for topic in topics for one in stage.events(topic) if one.outcome == "parked"]


def test_a_changed_address_is_one_task_that_names_its_parts(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.settle()
    stage.sandbox.shopify.edit_address(stage.shop, order["id"], city="Mysuru", zip="570001")
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], add="vip")
    stage.settle()
    (task,) = list_tasks(stage)
    assert "shipping address: city, zip" in task
    assert "Mysuru" not in task
    assert stage.oms_calls(order) == []


def test_an_address_put_back_is_no_further_task(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.settle()
    for city in ("Mysuru", "Bengaluru"):
        stage.sandbox.shopify.edit_address(stage.shop, order["id"], city=city)
        stage.settle()
    assert len(list_tasks(stage)) == 1


def test_form_alone_is_no_change_and_costs_no_call(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The webhook writes it otherwise than the Admin, or leaves parts out."""
    order = stage.new_order(LINES)
    stage.settle()
    payload = stage.sandbox.shopify.order_payload(stage.shop, order["id"])
    address = payload["shipping_address"]
    shouted = {key: f"  {value.upper()}. " if isinstance(value, str) else value for key, value in address.items()}
    fewer = {key: value for key, value in address.items() if key not in ("phone", "address2")}
    asked: list[object] = []
    monkeypatch.setattr(AdminClient, "query", lambda *given, **_: asked.append(given))
    for body in (shouted, fewer):
        stage.sandbox.shopify.send_webhook(stage.shop, "orders/updated", {**payload, "shipping_address": body})
    without = {key: value for key, value in payload.items() if key != "shipping_address"}
    stage.sandbox.shopify.send_webhook(stage.shop, "orders/updated", without)
    stage.settle()
    assert [one.outcome for one in stage.events("orders/updated")] == ["ignored"] * 3
    assert asked == []


def test_a_payload_that_hides_the_address_is_settled_by_asking_shopify(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.settle()
    payload = stage.sandbox.shopify.order_payload(stage.shop, order["id"])
    stage.sandbox.shopify.send_webhook(stage.shop, "orders/updated", {**payload, "shipping_address": None})
    stage.settle()
    assert list_tasks(stage) == []


def test_a_change_whose_webhook_was_lost_is_found_by_reading_again(stage: Stage) -> None:
    earlier = (utc_now() - timedelta(hours=1)).isoformat()  # Shopify stamps whole seconds
    order = stage.new_order(LINES, created_at=earlier)
    stage.settle()
    stage.sandbox.shopify.delivery.lose_next(1)
    stage.sandbox.shopify.edit_address(stage.shop, order["id"], address1="1 Other Road")
    reconciler = make_reconciler(stage.runtime)
    for _ in reconciler.walk(stage.shop_id, utc_now() - timedelta(days=1)):
        pass
    stage.settle()
    (task,) = list_tasks(stage)
    assert "address1" in task


def test_nothing_personal_is_kept(stage: Stage) -> None:
    order = stage.new_order(LINES, address=SECRET, email="meenakshi@example.com")
    stage.settle()
    stage.sandbox.shopify.edit_address(stage.shop, order["id"], city="Madurai")
    stage.settle()
    with stage.runtime.database.read() as session:
        kept = session.get_one(Order, (stage.shop_id, order["id"]))
        told = session.get_one(OmsOrder, (stage.shop_id, order["id"]))
        assert set(kept.address or {}) == set(told.address or {}) == PARTS
        tables = Base.metadata.sorted_tables
        dumped = "".join(str(row) for table in tables for row in session.execute(table.select()))
    for word in ("Baker", "Coimbatore", "98860", "Meenakshi", "meenakshi@", "Madurai"):
        assert word not in dumped, word


def test_two_orders_to_one_address_have_no_mark_in_common(stage: Stage) -> None:
    first, second = (stage.new_order(LINES, code) for code in ("RET-1", "RET-2"))
    stage.settle()
    with stage.runtime.database.read() as session:
        marks = [session.get_one(Order, (stage.shop_id, one["id"])).address or {} for one in (first, second)]
    assert marks[0]["city"]
    assert not set(marks[0].values()) & set(marks[1].values())
