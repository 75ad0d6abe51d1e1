"""The tags that hold are called otherwise by the settings: nobody lifted a hold, so nobody is freed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now
from core.errors import BadInput
from core.models import Effect
from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities
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
def test_lines_that_failed_go_and_the_rest_is_freed_everywhere(stage: Stage) -> None:
    cooling = {"cancel": {"cooling_off_minutes": 10}}
    stage.configure(cooling)
    order = hold_two(stage)
    stage.judge({"A": "FAIL", "B": "PASS"})
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    stage.configure({**NEW, **cooling})
    stage.wait_for(lambda: not any(one.outcome is None for one in stage.events("saved")))
    with stage.runtime.database.write() as session:
        session.execute(update(Effect).where(Effect.kind == "shopify.cancel_lines").values(due_at=db_now()))
    stage.settle()
    assert stage.state(order) == ("partly_cancelled", "partly_cancelled")
    assert quantities(stage, order) == {"NEW-A": 0, "NEW-B": 1}
    assert stage.oms_calls(order) == ["cancel", "unhold"]


@on_sqlite
@pytest.mark.parametrize("actor", ["partner", "none"])
def test_where_somebody_else_acts_it_is_refused_as_nobody_would_take_ours_off_again(stage: Stage, actor: str) -> None:
    theirs = {"qc": {"actor": actor}}
    stage.configure(theirs)
    order = hold_two(stage)
    with pytest.raises(BadInput, match=r"1 order\(s\) are on hold .* other_hold_tags"):
        stage.configure({**theirs, **NEW})
    stage.configure({**theirs, "exchange": {"hold_tag": "qc_hold", "other_hold_tags": [HOLD]}})
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    assert "qc_hold" not in stage.shopify_order(order)["tags"]
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    stage.settle()
    assert stage.oms_calls(order) == ["unhold"]


@on_sqlite
def test_one_more_tag_of_others_changes_nothing_for_who_is_on_hold(stage: Stage) -> None:
    theirs = {"exchange": {"other_hold_tags": ["partner_hold"], "apply_hold_tag": False}}
    stage.configure(theirs)
    order = stage.new_order([line("NEW-A", "A")], tags=["increff_exchange", "partner_hold"])
    stage.settle()
    stage.configure({"exchange": {**theirs["exchange"], "other_hold_tags": ["partner_hold", "fraud_hold"]}})
    stage.settle()
    assert HOLD not in stage.shopify_order(order)["tags"]
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], ["partner_hold"])
    stage.settle()
    assert stage.state(order) == ("overridden", "lifted_by_hand")


@on_sqlite
def test_a_shop_that_only_observes_is_given_no_holds(stage: Stage) -> None:
    stage.configure({"mode": "observe"})
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    stage.configure({"mode": "observe", **NEW})
    stage.settle()
    assert not stage.exchange(order["id"]).hold_decided


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
