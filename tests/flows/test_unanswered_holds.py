"""A hold or unhold that OMS was sent and did not answer may have been done: until OMS acknowledges a newer one, what it
believes is not known, and the order's hold is asked for rather than taken for granted."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.db import db_now
from core.flows import orders
from core.flows.interventions import drop_effect
from core.models import Effect
from core.registry import Job
from core.relay.outbox import is_in_doubt
from tests.flows.stage import HOLD, Stage
from tests.flows.test_races import line, next_second, think_all


def settle_unclear(stage: Stage) -> None:
    """What is unclear has rested; then everything that is due is done."""
    with stage.runtime.database.write() as session:
        session.execute(update(Effect).where(Effect.unclear_since.isnot(None)).values(unclear_since=db_now(-3600)))
        session.execute(update(Effect).where(Effect.state == "pending").values(due_at=db_now(-1)))
    stage.settle()


def edit(stage: Stage, order: dict[str, Any], *, hold: bool) -> None:
    """Staff puts the hold tag on or takes it off."""
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], *(([HOLD], []) if hold else ([], [HOLD])))


def lose_unhold(stage: Stage, kind: str) -> dict[str, Any]:
    """An order whose hold staff lifted, and OMS was told so and did not answer."""
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    stage.sandbox.oms.faults.add({"match": "PUT /orders", "kind": kind, "times": 1})
    edit(stage, order, hold=False)
    think_all(stage)
    stage.wait_for(lambda: any(one.unclear_since for one in stage.effects("oms.unhold_order")))
    return order


@pytest.mark.parametrize("kind", ["lose_answer", "drop"])
def test_a_hold_that_comes_back_is_asked_for_though_oms_never_acknowledged_the_unhold(stage: Stage, kind: str) -> None:
    order = lose_unhold(stage, kind)
    edit(stage, order, hold=True)
    think_all(stage)
    settle_unclear(stage)
    assert stage.oms_calls(order)[-1] == "hold"
    refused = [one.reason for one in stage.effects("oms.hold_order") if one.state == "parked"]
    assert stage.oms_order(order)["on_hold"] or refused


def test_the_refused_hold_stays_in_sight_when_the_order_is_seen_again(stage: Stage) -> None:
    order = lose_unhold(stage, "lose_answer")
    edit(stage, order, hold=True)
    think_all(stage)
    settle_unclear(stage)
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["vip"], [])
    stage.settle()
    assert [one.state for one in stage.effects("oms.hold_order")] == ["parked"]
    assert not stage.oms_order(order)["on_hold"]


def hold_again_during(stage: Stage, order: dict[str, Any]) -> None:
    """Once, while OMS is being told to free the order, its hold comes back and is thought about."""
    deliverers = stage.runtime.registry.deliverers
    deliverer = deliverers["oms.unhold_order"]

    def send(job: Job, request: Any) -> Any:
        deliverers["oms.unhold_order"] = deliverer
        edit(stage, order, hold=True)
        think_all(stage)
        return deliverer.send(job, request)

    deliverers["oms.unhold_order"] = Mock(wraps=deliverer, send=send)


def free_while_the_hold_comes_back(stage: Stage, fault: dict[str, Any] | None) -> dict[str, Any]:
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    if fault:
        stage.sandbox.oms.faults.add({"match": "PUT /orders", **fault, "times": 1})
    hold_again_during(stage, order)
    edit(stage, order, hold=False)
    stage.settle()
    settle_unclear(stage)
    return order


@pytest.mark.parametrize("fault", [None, {"kind": "lose_answer"}, {"kind": "drop"}], ids=str)
def test_a_hold_that_comes_back_while_the_unhold_is_on_its_way_is_asked_for(
    stage: Stage, fault: dict[str, Any] | None
) -> None:
    order = free_while_the_hold_comes_back(stage, fault)
    assert stage.oms_calls(order)[-1] == "hold"
    refused = [one.reason for one in stage.effects("oms.hold_order") if one.state == "parked"]
    assert stage.oms_order(order)["on_hold"] or refused


def test_it_is_not_when_oms_refused_that_unhold(stage: Stage) -> None:
    order = free_while_the_hold_comes_back(stage, {"kind": "status", "status": 422})
    assert stage.oms_order(order)["on_hold"]
    assert "hold" not in stage.oms_calls(order)
    assert not stage.describe_waiting_now()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_an_unhold_that_is_begun_while_the_hold_that_came_back_is_thought_about_is_in_doubt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    edit(stage, order, hold=False)
    think_all(stage)
    [unhold] = stage.effects("oms.unhold_order")

    def find_doubt_then_begin(session: Session, shop_id: int, aspect: str) -> bool:
        monkeypatch.undo()
        found = is_in_doubt(session, shop_id, aspect)
        with stage.runtime.database.write() as other:
            begun = {"state": "sending", "started": True, "lease_until": db_now(60)}
            other.execute(update(Effect).where(Effect.id == unhold.id).values(begun))
        return found

    monkeypatch.setattr(orders, "is_in_doubt", find_doubt_then_begin)
    edit(stage, order, hold=True)
    think_all(stage)
    assert [one.state for one in stage.effects("oms.hold_order")] == ["pending"]


@pytest.mark.parametrize("kind", ["lose_answer", "drop"])
def test_a_hold_lifted_put_back_and_lifted_again_ends_free_in_oms(stage: Stage, kind: str) -> None:
    order = lose_unhold(stage, kind)
    for hold in (True, False):
        edit(stage, order, hold=hold)
        think_all(stage)
    settle_unclear(stage)
    assert stage.oms_order(order)["on_hold"] is False
    assert not stage.describe_waiting_now()


def test_a_person_who_drops_the_refused_hold_has_looked_there(stage: Stage) -> None:
    order = lose_unhold(stage, "lose_answer")
    edit(stage, order, hold=True)
    think_all(stage)
    settle_unclear(stage)
    [refused] = stage.effects("oms.hold_order")
    with stage.runtime.database.write() as session:
        drop_effect(session, stage.shop_id, refused.id, "Asha")
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["vip"], [])
    stage.settle()
    assert [one.state for one in stage.effects("oms.hold_order")] == ["dropped"]


def test_an_unhold_in_doubt_that_was_given_up_does_not_keep_the_hold_from_oms(stage: Stage) -> None:
    order = lose_unhold(stage, "lose_answer")
    with stage.runtime.database.write() as session:
        doubtful = update(Effect).where(Effect.kind == "oms.unhold_order")
        session.execute(doubtful.values(state="parked", reason="given up after 50 attempts"))
    edit(stage, order, hold=True)
    think_all(stage)
    settle_unclear(stage)
    assert [one.state for one in stage.effects("oms.unhold_order")] == ["superseded"]
    assert stage.oms_calls(order)[-1] == "hold"
