"""The tags that hold are called otherwise by the settings: nobody lifted a hold, so nobody is freed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line
from tests.flows.watch_stage import on_sqlite

NEW: dict[str, Any] = {"exchange": {"hold_tag": "qc_hold"}}


def hold_two(stage: Stage) -> dict[str, Any]:
    """A held order of two lines whose return is known."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    return order


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "cancelled")])
def test_an_order_that_waits_stays_held_and_is_given_the_new_tag(stage: Stage, said: str, end: str) -> None:
    order = hold_two(stage)
    stage.configure(NEW)
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    assert "qc_hold" in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"] is True
    assert stage.oms_calls(order) == []
    stage.configure(NEW)  # saved again: nothing more
    stage.judge(dict.fromkeys(TWO, said))
    stage.settle()
    assert stage.state(order)[0] == end
    assert stage.oms_calls(order) == (["unhold"] if said == "PASS" else ["cancel"])


@on_sqlite
def test_a_cancel_that_cools_off_goes_on(stage: Stage) -> None:
    cooling = {"cancel": {"cooling_off_minutes": 10}}
    stage.configure(cooling)
    order = hold_two(stage)
    stage.judge(dict.fromkeys(TWO, "FAIL"))
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    stage.configure({**NEW, **cooling})
    stage.wait_for(lambda: not any(one.outcome is None for one in stage.events("saved")))
    assert stage.state(order)[0] == "cancelling"
    assert stage.oms_calls(order) == []
    stage.judge(dict.fromkeys(TWO, "PASS"))
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert stage.oms_calls(order) == ["unhold"]


@on_sqlite
def test_a_release_tag_that_orders_carry_already_frees_none(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")], tags=["increff_exchange", HOLD, "approved"])
    stage.settle()
    stage.configure({"exchange": {"release_tag": "approved"}})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_return"
    assert stage.oms_order(order)["on_hold"] is True
    assert "approved" not in stage.shopify_order(order)["tags"]  # as whenever we hold anew
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["approved"], [])
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")


@on_sqlite
def test_a_hold_that_was_lifted_by_hand_stays_off(stage: Stage) -> None:
    order = hold_two(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    stage.configure(NEW)
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")
    assert "qc_hold" not in stage.shopify_order(order)["tags"]
