"""Orders of which something has left already: nothing is sent out twice, and the rest is not forgotten."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from core.models import OmsOrder
from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line
from tests.flows.test_races import next_second
from tests.flows.watch_stage import on_sqlite


@pytest.mark.parametrize("part", [False, True], ids=["whole", "in part"])
def test_an_order_that_shipped_before_oms_heard_of_it_is_not_made_there(stage: Stage, part: bool) -> None:
    stage.sandbox.shopify.topics = {"orders/updated"}
    items = [{"sku": "X", "quantity": 1}, {"sku": "Y", "quantity": 1}]
    order = stage.sandbox.shopify.create_order(stage.shop, line_items=items, tags=["vip"])
    first = stage.shopify_order(order)["lines"][0]["id"]
    stage.sandbox.shopify.fulfil(stage.shop, order["id"], {first: 1} if part else None)
    stage.settle()
    stage.configure({"oms": {"sync": "all"}})
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["note"], [])
    stage.settle()
    assert stage.oms_order(order) is None
    made = stage.effects("oms.create_order")
    assert [one.state for one in made] == (["parked"] if part else [])
    if part:
        assert "by hand" in (made[0].reason or "")


@on_sqlite
def test_one_that_has_shipped_in_part_is_adopted_where_oms_has_it(stage: Stage) -> None:
    """As after a restored backup, or where another connector made it."""
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.settle()
    with stage.runtime.database.write() as session:
        session.execute(delete(OmsOrder))
    stage.sandbox.shopify.fulfil(stage.shop, order["id"], {stage.shopify_order(order)["lines"][0]["id"]: 1})
    stage.settle()
    assert [one.state for one in stage.effects("oms.create_order")] == ["done", "done"]
    assert len([one for one in stage.sandbox.oms.calls if one["path"] == "/orders/outward"]) == 1
    with stage.runtime.database.read() as session:
        assert session.get(OmsOrder, (stage.shop_id, order["id"])) is not None


@on_sqlite
def test_an_order_that_ships_by_hand_while_its_creation_waits_for_a_person_is_not_made_by_a_retry(stage: Stage) -> None:
    refusal = {"match": "POST /orders/outward", "kind": "status", "status": 400, "body": {"message": "no"}}
    stage.sandbox.oms.faults.add({**refusal, "times": 1})
    order = stage.new_order([line("NEW-A", "A")])
    stage.wait_for(lambda: [one.state for one in stage.effects("oms.create_order")] == ["parked"])
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    stage.wait_for(lambda: stage.exists(order, "overridden"))
    (parked,) = stage.effects("oms.create_order")
    stage.app.test_cli_runner().invoke(args=["effects", "retry", str(parked.id)])
    stage.settle()
    assert [one.state for one in stage.effects("oms.create_order")] == ["superseded"]
    assert stage.oms_order(order) is None


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "cancelling")])
def test_what_is_left_of_an_order_of_which_a_piece_was_shipped_by_hand_waits_for_qc(
    stage: Stage, said: str, end: str
) -> None:
    order = stage.new_order([line("NEW-A", "A"), line("NEW-B", "B")])
    stage.push_return(TWO)
    stage.settle()
    stage.sandbox.shopify.fulfil(stage.shop, order["id"], {stage.shopify_order(order)["lines"][0]["id"]: 1})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    stage.judge(dict.fromkeys(TWO, said))
    stage.wait_for(lambda: stage.exists(order, end))
    stage.wait_for(lambda: not stage.describe_waiting())
    assert (HOLD in stage.shopify_order(order)["tags"]) == (said == "FAIL")
    parked = [one.reason for one in stage.effects("shopify.cancel_order") if one.state == "parked"]
    assert parked == (["the order has been fulfilled in part or whole: it is not cancelled"] if said == "FAIL" else [])
