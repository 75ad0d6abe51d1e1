"""Findings appear, are repaired or cleared by themselves; what is on its way is no finding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from core.models import Effect, OmsOrder
from core.watch import DriftWatch
from tests.flows.stage import HOLD, REPLACEMENT, Stage
from tests.flows.watch_stage import await_verdict, check_drift, findings, go_by, kinds, on_sqlite, run_due, run_duty

LINES = [{"sku": "SHIRT-L", "quantity": 1}]


def new_order(stage: Stage, **facts: Any) -> dict[str, Any]:
    """A held order that all systems agree about."""
    order = stage.new_order(LINES, **facts)
    stage.settle()
    check_drift(stage)
    assert findings(stage, every=True) == []
    return order


def lose(stage: Stage) -> None:
    """The next change in Shopify is not told."""
    stage.sandbox.shopify.delivery.lose_next()


def heal(stage: Stage) -> None:
    """Work, then look again: nothing is left, and nothing had to be done by hand."""
    stage.settle()
    check_drift(stage)
    assert kinds(stage) == []


def test_free_in_shopify_and_held_in_oms_is_repaired(stage: Stage) -> None:
    order = new_order(stage)
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    check_drift(stage)
    assert kinds(stage) == ["oms_held"]
    heal(stage)
    assert stage.oms_order(order)["on_hold"] is False
    assert stage.state(order) == ("overridden", "lifted_by_hand")


@on_sqlite
def test_cancelled_in_shopify_and_not_in_oms_is_repaired(stage: Stage) -> None:
    order = new_order(stage)
    lose(stage)
    lose(stage)
    stage.sandbox.shopify.cancel_order(stage.shop, order["id"])
    check_drift(stage)
    assert kinds(stage) == ["oms_not_cancelled"]
    heal(stage)
    assert stage.oms_order(order)["status"] == "CANCELLED"


@on_sqlite
def test_a_change_that_is_nothing_to_oms_is_repaired(stage: Stage) -> None:
    order = new_order(stage)
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["vip"], [])
    check_drift(stage)
    assert kinds(stage) == ["missed_change"]
    heal(stage)
    assert len(findings(stage, every=True)) == 1


def test_a_hold_put_back_after_the_release_is_repaired(stage: Stage) -> None:
    order = await_verdict(stage)
    stage.judge({"I-1": "PASS"})
    stage.settle()
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [HOLD], [])
    check_drift(stage)
    assert kinds(stage) == ["held_again", "oms_unheld"]
    assert [one.repairs for one in findings(stage)] == [1, 1]
    assert len([one for one in stage.events("orders/updated") if one.source == "reconcile"]) == 1
    stage.settle()
    check_drift(stage)
    assert stage.state(order) == ("overridden", "held_again_by_hand")
    assert kinds(stage) == ["effect_parked"]  # OMS holds an order only when it is created: that it refused is a task


def test_a_hold_lifted_in_oms_is_left_to_a_person_and_clears_itself(stage: Stage) -> None:
    order = new_order(stage)
    row = stage.sandbox.oms._orders.find(str(order["id"]))
    row.on_hold = False
    check_drift(stage)
    check_drift(stage)
    found = findings(stage)
    assert [(one.kind, one.repairs, one.about) for one in found] == [("oms_unheld", 0, str(order["id"]))]
    assert "changed in OMS" in found[0].detail
    row.on_hold = True
    check_drift(stage)
    assert kinds(stage) == []
    assert findings(stage, every=True)[0].cleared_at is not None
    row.on_hold = False
    check_drift(stage)
    assert len(findings(stage, every=True)) == 2


@on_sqlite
def test_an_order_that_oms_lost_is_found(stage: Stage) -> None:
    new_order(stage)
    stage.sandbox.oms.reset()
    check_drift(stage)
    assert kinds(stage) == ["oms_missing"]


@on_sqlite
def test_oms_away_is_no_finding_and_what_it_acknowledged_is_compared(stage: Stage) -> None:
    order = new_order(stage)
    stage.sandbox.oms.faults.add({"match": "GET /search/order", "status": 503})
    check_drift(stage)
    assert kinds(stage) == []
    with stage.runtime.database.write() as session:
        session.execute(update(OmsOrder).values(on_hold=False))
    check_drift(stage)
    assert kinds(stage) == ["oms_unheld"]
    heal(stage)
    assert stage.oms_calls(order) == ["hold"]


def test_a_parked_effect_is_a_task_until_it_is_retried(stage: Stage) -> None:
    stage.sandbox.oms.faults.add({"match": "POST /orders/outward", "status": 400, "times": 1, "body": "no such SKU"})
    order = stage.new_order(LINES)
    stage.settle()
    parked = stage.effects("oms.create_order")[0]
    assert parked.state == "parked"
    check_drift(stage)
    found = findings(stage)
    assert [(one.kind, one.about) for one in found] == [("effect_parked", str(parked.id))]
    assert "no such SKU" in found[0].detail
    assert stage.app.test_cli_runner().invoke(args=["effects", "retry", str(parked.id)]).exit_code == 0
    heal(stage)
    assert stage.oms_order(order)["on_hold"] is True


def test_an_act_that_came_to_nothing_is_found(stage: Stage) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 60}})
    order = await_verdict(stage)
    stage.judge({"I-1": "FAIL"})
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    go_by(stage, 0.1)
    check_drift(stage)
    assert kinds(stage) == []
    with stage.runtime.database.write() as session:
        session.execute(update(Effect).where(Effect.kind == "shopify.cancel_order").values(state="dropped"))
        session.execute(update(Effect).where(Effect.kind == "shopify.tag_order").values(state="dropped"))
    check_drift(stage)
    assert kinds(stage) == ["act_lost"]
    stage.decide(order, "hold")
    check_drift(stage)
    assert kinds(stage) == []


def test_a_held_order_without_a_return_is_a_task_after_a_day(stage: Stage) -> None:
    order = new_order(stage, code=None)
    go_by(stage, 1.1)
    check_drift(stage)
    assert kinds(stage) == ["unlinked_order"]
    stage.link(order, "RET-1")
    check_drift(stage)
    assert kinds(stage) == []


@on_sqlite
def test_an_order_deleted_in_shopify_is_found(stage: Stage) -> None:
    order = new_order(stage)
    shop = stage.sandbox.shopify.shop(stage.shop)
    del shop.nodes[order["gid"]]
    check_drift(stage)
    assert kinds(stage) == ["order_gone"]


@on_sqlite
def test_what_changed_a_moment_ago_is_not_judged(stage: Stage) -> None:
    order = new_order(stage)
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    run_duty(stage, "drift")
    assert findings(stage, every=True) == []


@on_sqlite
def test_only_a_live_shop_is_checked(stage: Stage) -> None:
    new_order(stage, code=None)
    go_by(stage, 1.1)
    for mode in ("observe", "paused"):
        stage.configure({"mode": mode})
        run_due(stage)
        run_due(stage)
        assert kinds(stage) == []


@on_sqlite
def test_a_repair_that_does_not_help_is_given_up_after_three(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order = new_order(stage)
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    for _ in range(5):
        check_drift(stage)
    asked = [one for one in stage.events("orders/updated") if one.source == "reconcile"]
    assert len(asked) == 3
    assert [one.repairs for one in findings(stage)] == [3]


@on_sqlite
def test_many_exchanges_are_taken_some_at_a_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.watch._LOOKS", 2)
    orders = [stage.new_order(LINES, code=f"RET-{number}", tags=[REPLACEMENT, HOLD]) for number in range(3)]
    stage.settle()
    looked: list[int] = []
    watch = DriftWatch(
        stage.runtime, lambda _, ids: looked.extend(ids) or {}, lambda *_: pytest.fail("asked"), lambda *_: True
    )
    monkeypatch.setattr(DriftWatch, "_look_at_oms", lambda *_: {})
    waits = [watch.take_turn(stage.shop_id) for _ in range(2)]
    assert waits == [60 * 2 / 20, None]
    assert sorted(looked) == sorted(order["id"] for order in orders)
    watch.take_turn(stage.shop_id)
    assert len(looked) == 5


@on_sqlite
def test_findings_are_listed(stage: Stage) -> None:
    order = new_order(stage)
    runner = stage.app.test_cli_runner()
    assert json.loads(runner.invoke(args=["findings", "list", "--json"]).output) == []
    lose(stage)
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])
    check_drift(stage)
    listed = json.loads(runner.invoke(args=["findings", "list", "--json", "--shop", stage.shop]).output)
    assert [(one["kind"], one["about"], one["repair"]) for one in listed] == [
        ("oms_held", str(order["id"]), "tried 1 times")
    ]
    assert "oms_held" in runner.invoke(args=["findings", "list"]).output
    heal(stage)
    assert json.loads(runner.invoke(args=["findings", "list", "--json"]).output) == []
    assert len(json.loads(runner.invoke(args=["findings", "list", "--json", "--all"]).output)) == 1
