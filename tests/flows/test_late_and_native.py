"""Installed late, observe before live, paused; and native exchanges on the customer's own order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_tags_and_holds import holds

LINES = [{"sku": "NEW-A", "quantity": 1}]
ALL_TOPICS = {"returns/approve", "returns/update", "fulfillment_holds/released", "fulfillment_orders/split"}


def test_observe_decides_and_sends_nothing_and_going_live_catches_up(stage: Stage) -> None:
    stage.configure({"mode": "observe"})
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"})
    stage.settle()
    assert stage.sandbox.oms.calls == []
    assert {one.state for one in stage.effects()} == {"would_have"}
    stage.configure({"mode": "live"})
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.sandbox.rms.notify("RET-1", "108", "IN_TRANSIT", [{"itemId": "A", "sku": "S", "quantity": 1}], awb="HYN402")
    stage.settle()
    assert stage.oms_order(order)["on_hold"]
    assert stage.sandbox.oms.return_order("RET-1") is not None
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert stage.oms_order(order)["on_hold"] is False


def test_paused_keeps_events_and_processes_nothing(stage: Stage) -> None:
    stage.configure({"mode": "paused"})
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"})
    assert stage.sandbox.shopify.settle(5)
    stage.wait_for(lambda: not stage.describe_waiting_now())
    assert {one.outcome for one in stage.events("orders/create")} == {None}
    stage.configure({"mode": "live"})
    stage.settle()
    assert stage.oms_order(order)["on_hold"]


def make_native(stage: Stage, **exchange: Any) -> dict[str, Any]:
    """The customer's order, shipped, with a return whose exchange line is on the same order."""
    stage.sandbox.shopify.topics |= ALL_TOPICS
    stage.configure({"exchange": exchange})
    order = stage.sandbox.shopify.create_order(
        stage.shop, line_items=[{"sku": "FIRST", "quantity": 1}, {"sku": "NEW-A", "quantity": 1}], tags=["vip"]
    )
    first = next(one["id"] for one in stage.shopify_order(order)["lines"] if one["sku"] == "FIRST")
    stage.sandbox.shopify.fulfil(stage.shop, order["id"], {first: 1})
    stage.sandbox.shopify.open_return(stage.shop, order["id"], exchange=[{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    return order


def test_a_native_exchange_is_recognised_held_and_released_by_its_fulfillment_hold(stage: Stage) -> None:
    order = make_native(stage, fulfillment_hold=True)
    assert holds(stage, order) == ["returnbridge"]
    stage.push_return({"A": "S"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    stage.judge({"A": "PASS"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == []
    assert stage.shopify_order(order)["tags"] == ["vip"]
    assert stage.sandbox.oms.calls == [one for one in stage.sandbox.oms.calls if "/return" in one["path"]]


def test_a_native_exchange_that_fails_is_never_cancelled_whole(stage: Stage) -> None:
    order = make_native(stage, fulfillment_hold=True)
    stage.push_return({"A": "S"}, forward=str(order["id"]))
    stage.judge({"A": "FAIL"}, forward=str(order["id"]))
    stage.settle()
    assert stage.state(order) == ("review", "in_order_exchange")
    assert stage.shopify_order(order)["cancel_requests"] == 0
    assert holds(stage, order) == ["returnbridge"]


def test_orders_without_an_exchange_are_left_alone(stage: Stage) -> None:
    stage.sandbox.shopify.topics |= ALL_TOPICS
    order = stage.sandbox.shopify.create_order(stage.shop, line_items=[{"sku": "FIRST", "quantity": 1}], tags=["vip"])
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    stage.sandbox.shopify.open_return(stage.shop, order["id"])
    stage.settle()
    assert stage.effects() == []
    assert {one.outcome for one in stage.events("returns/approve")} == {"ignored"}


def test_a_fulfillment_hold_taken_off_by_hand_stays_off(stage: Stage) -> None:
    """Law 8: the hold tag still holds the order; what a person did to our fulfillment hold is not undone."""
    stage.sandbox.shopify.topics |= ALL_TOPICS
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = stage.new_order(LINES)
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    body = {"fulfillment_order": {"id": stage.shopify_order(order)["fulfillment_orders"][0]["id"], "status": "open"}}
    stage.sandbox.shopify.release_holds(stage.shop, order["id"])
    stage.sandbox.shopify.send_webhook(stage.shop, "fulfillment_orders/split", body)
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    assert holds(stage, order) == []


@pytest.mark.parametrize("what", ["split_order", "move_order"])
def test_our_hold_is_placed_again_after_a_split_or_a_move(stage: Stage, what: str) -> None:
    """A fulfillment order that was split off or moved has a new id and no hold: it gets one, and both go at the end."""
    stage.sandbox.shopify.topics = {"orders/create", "fulfillment_orders/split", "fulfillment_orders/moved"}
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = stage.new_order([*LINES, {"sku": "NEW-B", "quantity": 1}])
    stage.settle()
    before = stage.shopify_order(order)["holds"]
    getattr(stage.sandbox.shopify, what)(stage.shop, order["id"])
    stage.settle()
    after = stage.shopify_order(order)["holds"]
    assert [one["handle"] for one in after] == ["returnbridge"] * (2 if what == "split_order" else 1)
    assert {one["fulfillment_order"] for one in after} - {one["fulfillment_order"] for one in before}
    stage.sandbox.shopify.topics = {"orders/updated"}
    stage.push_return({"A": "S", "B": "S"})
    stage.judge({"A": "PASS", "B": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == []
