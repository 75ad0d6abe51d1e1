"""An order that changes between our reading it for OMS and OMS's answer: its webhook came too early to be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import Transient
from core.flows.orders import load_order, note_order
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import Order
from oms_bridge.deliveries import READ_FORWARD_ORDER
from tests.flows.stage import Stage
from tests.flows.test_races import next_second, think_all

LINES = [{"sku": "NEW-A", "quantity": 2}, {"sku": "NEW-B", "quantity": 1}]
Change = Callable[[Stage, dict[str, Any]], object]


def change_address(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.edit_address(stage.shop, order["id"], city="Mysuru")


def lower(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][0]["id"], 1)


def raise_quantity(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], stage.shopify_order(order)["lines"][0]["id"], 5)


def meanwhile(stage: Stage, change: Change) -> None:
    """Once, right after the order was read for OMS, it changes, and the webhook is thought about at once."""
    readers = stage.runtime.registry.readers
    read = readers[READ_FORWARD_ORDER]

    def read_and_change(shop_id: int, order_id: int) -> Any:
        found = read(shop_id, order_id)
        readers[READ_FORWARD_ORDER] = read
        next_second()
        change(stage, {"id": order_id})
        think_all(stage)
        return found

    readers[READ_FORWARD_ORDER] = read_and_change


def list_tasks(stage: Stage) -> list[str]:
    topics = ("orders/create", "orders/updated", "order_taken")
    return [one.reason or "" for topic in topics for one in stage.events(topic) if one.outcome == "parked"]


@pytest.mark.parametrize(
    ("change", "word"), [(change_address, "shipping address: city"), (raise_quantity, "raised: line")]
)
def test_what_oms_cannot_be_told_is_a_task(stage: Stage, change: Change, word: str) -> None:
    meanwhile(stage, change)
    order = stage.new_order(LINES)
    stage.settle()
    (task,) = list_tasks(stage)
    assert word in task
    assert stage.oms_calls(order) == []


def test_a_lowered_quantity_is_told(stage: Stage) -> None:
    meanwhile(stage, lower)
    order = stage.new_order(LINES)
    stage.settle()
    assert stage.oms_calls(order) == ["cancel"]
    assert list_tasks(stage) == []


def test_an_order_that_stays_as_it_was_is_not_read_again(stage: Stage) -> None:
    stage.new_order(LINES)
    stage.settle()
    assert stage.events("order_taken") == []


def test_a_reading_of_before_oms_took_the_order_does_not_count(stage: Stage) -> None:
    """It did not ask for the address, and what it shows may be the changed one."""
    order = stage.new_order(LINES)
    stage.settle()
    with stage.runtime.database.write() as session:
        known = load_order(session, stage.shop_id, order["id"])
        version = session.get_one(Order, (stage.shop_id, order["id"])).version
        assert known is not None
        early = replace(known, address=None, known_version=version - 1)
        scene = Scene(session, stage.shop_id, load_settings(session, stage.shop_id))
        with pytest.raises(Transient):
            note_order(scene, early)
        assert note_order(scene, replace(early, known_version=version)).kind == "ignored"
