"""Hold tags in every setting, and fulfillment holds that follow them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core.db import db_now
from core.flows.interventions import drop_effect
from core.models import Endpoint, Shop
from core.relay.endpoints import SHOPIFY, ensure_endpoint
from tests.flows.stage import HOLD, REPLACEMENT, Stage
from tests.flows.test_mixed import line
from tests.flows.test_races import make_due

LINES = [{"sku": "NEW-A", "quantity": 1}]


def finish(stage: Stage, said: str = "PASS") -> None:
    """The return comes and is judged."""
    stage.push_return({"A": "S"})
    stage.judge({"A": said})
    stage.settle()


def test_an_order_without_the_hold_tag_is_given_it_and_oms_creates_it_on_hold(stage: Stage) -> None:
    order = stage.new_order(LINES, tags=[REPLACEMENT])
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"]
    assert stage.oms_calls(order) == []
    finish(stage)
    assert stage.state(order)[0] == "released"
    assert stage.oms_calls(order) == ["unhold"]


@pytest.mark.parametrize("said", [{"A": "FAIL"}, {"A": "FAIL", "B": "PASS"}])
def test_a_failed_verdict_that_came_before_the_hold_tag_was_written_is_no_hand_that_lifted_it(
    stage: Stage, said: dict[str, str]
) -> None:
    stage.push_return(dict.fromkeys(said, "S"))
    stage.judge(said)
    order = stage.new_order([line(f"NEW-{unit}", unit) for unit in said], tags=[REPLACEMENT])
    stage.settle()
    assert stage.state(order)[0] == ("cancelled" if len(said) == 1 else "partly_cancelled")


@pytest.mark.parametrize("said", [{"A": "FAIL"}, {"A": "FAIL", "B": "PASS"}])
def test_nor_is_one_when_qc_changed_its_mind_before_anything_was_written(stage: Stage, said: dict[str, str]) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    stage.push_return(dict.fromkeys(said, "S"))
    stage.judge(said)
    order = stage.new_order([line(f"NEW-{unit}", unit) for unit in said], tags=[REPLACEMENT])
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    let_rest(stage, 3600)
    stage.judge(dict.fromkeys(said, "PASS"))
    stage.wait_for(lambda: stage.exists(order, "releasing"))
    stage.judge(said)
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    let_rest(stage, -1)
    make_due(stage, "shopify.cancel_order" if len(said) == 1 else "shopify.cancel_lines")
    stage.settle()
    assert stage.state(order)[0] == ("cancelled" if len(said) == 1 else "partly_cancelled")


def let_rest(stage: Stage, seconds: float) -> None:
    """Nothing is sent to Shopify for so long."""
    with stage.runtime.database.write() as session:
        shop_id = session.scalars(select(Shop.id)).one()
        ensure_endpoint(session, shop_id, SHOPIFY)
        session.get_one(Endpoint, (shop_id, SHOPIFY)).rests_until = db_now(seconds)


def test_without_apply_hold_tag_it_goes_to_review(stage: Stage) -> None:
    stage.configure({"exchange": {"apply_hold_tag": False}})
    order = stage.new_order(LINES, tags=[REPLACEMENT])
    stage.settle()
    assert stage.state(order) == ("review", "never_held")
    assert stage.shopify_order(order)["tags"] == [REPLACEMENT]


def test_an_order_older_than_the_shops_first_live_day_is_not_held_by_us(stage: Stage) -> None:
    order = stage.new_order(LINES, tags=[REPLACEMENT], created_at="2026-11-01T10:00:00+05:30")
    stage.settle()
    assert stage.state(order) == ("review", "never_held")
    assert HOLD not in stage.shopify_order(order)["tags"]


def test_tags_are_compared_ignoring_case(stage: Stage) -> None:
    order = stage.new_order(LINES, tags=["Increff_Exchange", "INCREFF_HOLD", "vip"])
    stage.settle()
    assert stage.oms_order(order)["on_hold"]
    finish(stage)
    assert stage.state(order)[0] == "released"
    assert sorted(tag.lower() for tag in stage.shopify_order(order)["tags"]) == ["increff_exchange", "vip"]


def test_a_tag_we_never_heard_of_outlives_our_changes(stage: Stage) -> None:
    stage.configure({"exchange": {"release_tag": "qc_ok"}})
    order = stage.new_order(LINES)
    stage.settle()
    stage.sandbox.shopify.topics = set()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["gift"], [])
    finish(stage)
    assert sorted(stage.shopify_order(order)["tags"]) == sorted([REPLACEMENT, "gift", "qc_ok"])


def test_a_release_tag_is_added_and_lifts_the_hold(stage: Stage) -> None:
    stage.configure({"exchange": {"release_tag": "qc_ok", "rejected_tag": "qc_bad"}})
    order = stage.new_order(LINES)
    finish(stage)
    assert sorted(stage.shopify_order(order)["tags"]) == sorted([REPLACEMENT, "qc_ok"])
    assert stage.oms_order(order)["on_hold"] is False


def test_a_rejected_tag_marks_the_cancelled_order(stage: Stage) -> None:
    stage.configure({"exchange": {"rejected_tag": "qc_bad"}})
    order = stage.new_order(LINES)
    finish(stage, "FAIL")
    assert stage.state(order)[0] == "cancelled"
    assert "qc_bad" in stage.shopify_order(order)["tags"]


def test_the_rejected_tag_says_nothing_about_a_hold_that_was_never_written(stage: Stage) -> None:
    stage.configure({"exchange": {"rejected_tag": "qc_bad"}})
    stage.push_return({"A": "S"})
    stage.judge({"A": "FAIL"})
    refused = {"jobResult": None, "orderCancelUserErrors": [{"code": "INVALID", "field": [], "message": "a return"}]}
    fault = {"match": "CancelOrder", "status": 200, "body": {"data": {"orderCancel": refused}}}
    stage.sandbox.shopify.faults.add(fault)
    order = stage.new_order(LINES, tags=[REPLACEMENT])
    stage.wait_for(lambda: [one.state for one in stage.effects("shopify.cancel_order")] == ["parked"])
    with stage.runtime.database.write() as session:
        drop_effect(session, stage.shop_id, stage.effects("shopify.cancel_order")[0].id, "Asha")
    stage.settle()
    assert sorted(stage.shopify_order(order)["tags"]) == sorted([REPLACEMENT, "qc_bad"])
    assert stage.exchange(order["id"]).hold_decided
    assert stage.oms_calls(order) == []


def test_an_order_others_still_hold_stays_held_for_oms(stage: Stage) -> None:
    stage.configure({"exchange": {"other_hold_tags": ["fraud_check"]}})
    order = stage.new_order(LINES, tags=[REPLACEMENT, HOLD, "fraud_check"])
    finish(stage)
    tags = stage.shopify_order(order)["tags"]
    assert HOLD not in tags
    assert "fraud_check" in tags
    assert stage.oms_order(order)["on_hold"]
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], ["fraud_check"])
    stage.settle()
    assert stage.oms_order(order)["on_hold"] is False
    assert stage.state(order)[0] == "released"


def test_an_order_that_others_hold_is_given_our_tag_too(stage: Stage) -> None:
    stage.configure({"exchange": {"other_hold_tags": ["fraud_check"]}})
    order = stage.new_order(LINES, tags=[REPLACEMENT, "fraud_check"])
    stage.push_return({"A": "S"})
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], ["fraud_check"])
    stage.settle()
    assert stage.state(order) == ("awaiting_goods", "return_known")
    assert stage.oms_calls(order) == []
    finish(stage)
    assert stage.state(order)[0] == "released"


def test_our_hold_is_still_to_come_while_others_hold_the_order(stage: Stage) -> None:
    stage.configure({"exchange": {"other_hold_tags": ["fraud_check"]}})
    stage.sandbox.shopify.faults.add({"match": "AddTags", "status": 429, "headers": {"Retry-After": "1"}, "times": 2})
    order = stage.new_order(LINES, tags=[REPLACEMENT, "fraud_check"])
    stage.wait_for(lambda: any(one.reason for one in stage.effects("shopify.tag_order")))
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["vip"], ["fraud_check"])
    stage.settle()
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.state(order) == ("awaiting_return", "nothing_known")


def test_a_partners_own_hold_gets_no_second_one_from_us_where_the_partner_acts(stage: Stage) -> None:
    stage.configure({"qc": {"actor": "partner"}, "exchange": {"other_hold_tags": ["partner_hold"]}})
    order = stage.new_order(LINES, tags=[REPLACEMENT, "partner_hold"])
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], ["partner_hold"])
    stage.settle()
    assert stage.shopify_order(order)["tags"] == [REPLACEMENT]
    assert stage.oms_order(order)["on_hold"] is False


def test_our_tag_taken_off_by_hand_stays_off_while_others_hold_the_order(stage: Stage) -> None:
    stage.configure({"exchange": {"other_hold_tags": ["fraud_check"]}})
    order = stage.new_order(LINES, tags=[REPLACEMENT, "fraud_check"])
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    assert HOLD not in stage.shopify_order(order)["tags"]
    assert stage.oms_order(order)["on_hold"]


def holds(stage: Stage, order: dict[str, Any]) -> list[str]:
    """Handles of the fulfillment holds on an order."""
    return sorted(one["handle"] or "-" for one in stage.shopify_order(order)["holds"])


def test_fulfillment_holds_bind_and_only_ours_are_freed(stage: Stage) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = stage.new_order(LINES)
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    assert [one["reason"] for one in stage.shopify_order(order)["holds"]] == ["AWAITING_RETURN_ITEMS"]
    stage.sandbox.shopify.hold_order(stage.shop, order["id"], "staff-hold")
    stage.settle()
    finish(stage)
    assert stage.state(order)[0] == "released"
    assert holds(stage, order) == ["staff-hold"]


def test_a_cancel_that_our_own_hold_blocks_still_happens(stage: Stage) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    stage.sandbox.shopify.refuse_when_held = {"edit", "cancel"}
    order = stage.new_order(LINES)
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    finish(stage, "FAIL")
    assert stage.state(order)[0] == "cancelled"
    assert stage.shopify_order(order)["cancel_requests"] >= 1


def test_a_cut_that_our_own_hold_blocks_still_happens(stage: Stage) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    lines = [{"sku": f"NEW-{unit}", "quantity": 1, "properties": {"return_item_code": unit}} for unit in "AB"]
    order = stage.new_order(lines)
    stage.push_return({"A": "S", "B": "S"})
    stage.settle()
    assert holds(stage, order) == ["returnbridge"]
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert holds(stage, order) == []


def test_a_hold_lifted_by_hand_frees_our_fulfillment_hold_too(stage: Stage) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    order = stage.new_order(LINES)
    stage.settle()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    assert stage.state(order)[0] == "overridden"
    assert holds(stage, order) == []
