"""Who acts on a verdict (seed 000): the app, the partner, or nobody; and looking before acting."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import BadInput
from core.settings import parse_settings
from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities

LINES = [line("NEW-A", "A"), line("NEW-B", "B")]
PARTNER = {
    "qc": {"actor": "partner"},
}


def failed_line(stage: Stage, order: dict[str, Any]) -> int:
    """The line that replaces unit B."""
    return next(one["id"] for one in stage.shopify_order(order)["lines"] if one["sku"] == "NEW-B")


def lift(stage: Stage, order: dict[str, Any]) -> None:
    """The partner removes the hold tag."""
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])


def cut(stage: Stage, order: dict[str, Any]) -> None:
    """The partner cancels the failed line."""
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], failed_line(stage, order), 0)


def reach_verdict(stage: Stage, verdicts: dict[str, str], actor: str = "partner") -> dict[str, Any]:
    """A held order whose return is judged, with somebody else to act."""
    stage.configure({"qc": {"actor": actor}})
    order = stage.new_order(LINES)
    stage.push_return(TWO)
    stage.settle()
    stage.judge(verdicts)
    stage.settle()
    assert stage.effects("shopify.tag_order", "shopify.cancel_order", "shopify.cancel_lines") == []
    assert len(stage.sandbox.partner.received) == 1
    return order


def test_partner_releases_after_a_pass(stage: Stage) -> None:
    order = reach_verdict(stage, {"A": "PASS", "B": "PASS"})
    assert stage.state(order) == ("releasing", "qc_passed")
    lift(stage, order)
    stage.settle()
    assert stage.state(order) == ("released", "released")
    assert stage.oms_order(order)["on_hold"] is False


def test_partner_cancels_after_a_fail(stage: Stage) -> None:
    order = reach_verdict(stage, {"A": "FAIL", "B": "FAIL"})
    assert stage.state(order) == ("cancelling", "qc_failed")
    stage.sandbox.shopify.cancel_order(stage.shop, order["id"])
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.oms_calls(order) == ["cancel"]
    assert stage.oms_order(order)["on_hold"]


@pytest.mark.parametrize("steps", [(lift, cut), (cut, lift)])
@pytest.mark.parametrize("pause", ["together", "apart"])
def test_partner_cuts_and_lifts_in_either_order_and_oms_hears_the_cancel_first(
    stage: Stage, steps: tuple[Any, Any], pause: str
) -> None:
    order = reach_verdict(stage, {"A": "PASS", "B": "FAIL"})
    steps[0](stage, order)
    if pause == "apart":
        stage.wait_for(lambda: stage.sandbox.shopify.settle(0.1) and not stage.describe_waiting_now())
        assert "unhold" not in stage.oms_calls(order)
    steps[1](stage, order)
    stage.settle(30)
    assert stage.state(order)[0] == "partly_cancelled"
    assert stage.oms_calls(order) == ["cancel", "unhold"]
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}


def test_webhooks_that_come_back_late_and_reversed_change_nothing(stage: Stage) -> None:
    order = reach_verdict(stage, {"A": "PASS", "B": "FAIL"})
    stage.sandbox.shopify.delivery.hold_back()
    cut(stage, order)
    lift(stage, order)
    stage.sandbox.shopify.delivery.let_go("lifo")
    stage.settle(30)
    assert stage.oms_calls(order) == ["cancel", "unhold"]
    assert stage.state(order)[0] == "partly_cancelled"


def test_nobody_acts_is_recorded_and_followed(stage: Stage) -> None:
    order = reach_verdict(stage, {"A": "PASS", "B": "PASS"}, actor="none")
    lift(stage, order)
    stage.settle()
    assert stage.state(order)[0] == "released"


def test_two_hands_on_one_order_are_refused() -> None:
    partner = {"name": "cp", "kind": "clickpost", "url": "https://partner.example/qc"}
    with pytest.raises(BadInput, match="both would act"):
        parse_settings({"qc": {"actor": "app"}, "partners": [partner]})
    parse_settings({"qc": {"actor": "partner"}, "partners": [partner]})
    parse_settings({"qc": {"actor": "app"}, "partners": [{**partner, "events": ["tracking"]}]})


def test_an_open_return_blocks_the_cancel_and_says_so(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.settle()
    shopify = stage.sandbox.shopify
    shopify.faults.add({"match": "CancelOrder", "kind": "status", "status": 200, "times": 1, "body": REFUSED})
    stage.judge({"A": "FAIL"})
    stage.settle()
    parked = stage.effects("shopify.cancel_order")
    assert [one.state for one in parked] == ["parked"]
    assert "a return is in progress" in (parked[0].reason or "")
    assert stage.shopify_order(order)["cancelled_at"] is None


REFUSED = {
    "data": {
        "orderCancel": {
            "jobResult": None,
            "orderCancelUserErrors": [
                {"code": "INVALID", "field": ["orderId"], "message": "Cannot cancel: a return is in progress"}
            ],
        }
    }
}


def test_a_lost_answer_to_the_cancel_is_looked_up_and_never_sent_twice(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", "kind": "lose_answer", "times": 1})
    stage.judge({"A": "FAIL"})
    stage.settle(40)
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 1


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503, "body": "down"}, {"kind": "drop"}])
def test_a_passing_outage_only_delays(stage: Stage, fault: dict[str, Any]) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.oms.faults.add({**fault, "match": "PUT /orders", "times": 1})
    stage.judge({"A": "PASS"})
    stage.settle(40)
    assert stage.oms_order(order)["on_hold"] is False


def test_fulfilled_while_cooling_off_is_never_cancelled(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])
    stage.settle()
    assert stage.state(order) == ("overridden", "fulfilled_by_hand")
    assert [one.state for one in stage.effects("shopify.cancel_order")] == ["superseded"]


def test_an_in_order_exchange_is_never_cancelled_whole(stage: Stage) -> None:
    """A native exchange: its lines stand on the customer's first order."""
    order = stage.new_order([line("FIRST"), line("NEW-A", "A")])
    shopify = stage.sandbox.shopify
    first = next(one["id"] for one in stage.shopify_order(order)["lines"] if one["sku"] == "FIRST")
    stage.settle()
    shopify.fulfil(stage.shop, order["id"], {first: 1})
    shopify.open_return(stage.shop, order["id"], exchange=[{"sku": "NEW-A", "quantity": 1}])
    stage.settle()
    stage.push_return({"A": "S"})
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] in ("review", "overridden")
    assert stage.shopify_order(order)["cancel_requests"] == 0
    assert stage.effects("shopify.cancel_order") == []
