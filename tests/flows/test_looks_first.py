"""Look before acting: each thing that can be in the way ends under a name that a person can read (section 8)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now
from core.models import Effect
from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_races import make_due
from tests.flows.watch_stage import on_sqlite

pytestmark = on_sqlite
ERRORS: list[list[dict[str, Any]]] = [
    [{"code": "INVALID", "field": ["orderId"], "message": "Cannot cancel: a return is in progress"}],
    [{"code": None, "field": None, "message": "Cannot cancel: a return is in progress"}],
    [{"code": "NOT_FOUND", "field": None, "message": None}, {"message": "a return is in progress"}],
]


def start(stage: Stage, said: dict[str, str]) -> dict[str, Any]:
    """What the verdicts ask for cools off; from here on no webhook tells us anything."""
    stage.configure({"cancel": {"cooling_off_minutes": 10}})
    order = stage.new_order([line(f"NEW-{unit}", unit, 2) for unit in TWO])
    stage.push_return(TWO)
    stage.settle()
    stage.sandbox.shopify.topics = set()
    stage.judge(said)
    stage.wait_for(lambda: stage.exists(order, "cancelling"))
    return order


def act(stage: Stage, kind: str) -> tuple[str, str]:
    """The cooling-off time is over: how the effect ends, and in which words."""
    make_due(stage, kind)
    stage.wait_for(lambda: stage.effects(kind)[-1].state in ("done", "parked", "superseded"))
    effect = stage.effects(kind)[-1]
    return effect.state, effect.reason or ""


def first_line(stage: Stage, order: dict[str, Any], sku: str) -> int:
    return next(int(one["id"]) for one in stage.shopify_order(order)["lines"] if one["sku"] == sku)


def cancel_whole(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.cancel_order(stage.shop, order["id"])


def ship_a_part(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.fulfil(stage.shop, order["id"], {first_line(stage, order, "NEW-B"): 2})


def ship_all(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.fulfil(stage.shop, order["id"])


def lift(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], [], [HOLD])


def edit(stage: Stage, order: dict[str, Any]) -> None:
    stage.sandbox.shopify.edit_line(stage.shop, order["id"], first_line(stage, order, "NEW-B"), 0)


@pytest.mark.parametrize(
    ("done", "end", "words"),
    [
        (cancel_whole, "done", ""),
        (ship_a_part, "parked", "fulfilled in part or whole"),
        (ship_all, "parked", "fulfilled in part or whole"),
        (lift, "parked", "the hold was lifted in Shopify in the meantime"),
    ],
)
def test_before_a_cancel(stage: Stage, done: Any, end: str, words: str) -> None:
    order = start(stage, dict.fromkeys(TWO, "FAIL"))
    done(stage, order)
    state, reason = act(stage, "shopify.cancel_order")
    assert (state, words in reason) == (end, True)
    assert stage.shopify_order(order)["cancel_requests"] == 0


@pytest.mark.parametrize(
    ("done", "end", "words"),
    [
        (cancel_whole, "done", ""),
        (ship_a_part, "parked", "fulfilled"),
        (lift, "parked", "the hold was lifted in Shopify in the meantime"),
        (edit, "done", ""),
    ],
)
def test_before_a_cut(stage: Stage, done: Any, end: str, words: str) -> None:
    order = start(stage, {"A": "PASS", "B": "FAIL"})
    done(stage, order)
    before = quantities(stage, order)
    state, reason = act(stage, "shopify.cancel_lines")
    assert (state, words in reason) == (end, True)
    assert quantities(stage, order) == before


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize(
    ("kind", "call", "field", "said"),
    [
        ("shopify.cancel_order", "CancelOrder", "orderCancel.orderCancelUserErrors", {"A": "FAIL", "B": "FAIL"}),
        ("shopify.cancel_lines", "BeginEdit", "orderEditBegin.userErrors", {"A": "PASS", "B": "FAIL"}),
    ],
)
def test_a_refusal_in_any_form_is_shown(
    stage: Stage, kind: str, call: str, field: str, said: dict[str, str], errors: list[dict[str, Any]]
) -> None:
    order = start(stage, said)
    root, name = field.split(".")
    body = {"data": {root: {"jobResult": None, "calculatedOrder": None, name: errors}}}
    stage.sandbox.shopify.faults.add({"match": call, "status": 200, "body": body})
    state, reason = act(stage, kind)
    assert state == "parked"
    assert "Shopify refused to" in reason
    assert "a return is in progress" in reason
    assert "None" not in reason
    assert stage.shopify_order(order)["cancelled_at"] is None


@pytest.mark.parametrize(("refund", "looks"), [("none", 1), ("original", 6)])
def test_a_lost_cancel_that_gives_money_back_is_looked_for_longer(stage: Stage, refund: str, looks: int) -> None:
    """It never reached Shopify; only after that many looks is it sent a second time."""
    stage.configure({"cancel": {"refund": refund}})
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    stage.settle()
    stage.sandbox.shopify.faults.add({"match": "CancelOrder", "kind": "drop", "times": 1})
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: any(one.unclear_since for one in stage.effects("shopify.cancel_order")))
    for _ in range(looks):
        assert stage.shopify_order(order)["cancel_requests"] == 0
        age(stage)
        stage.wait_for(lambda: not stage.describe_waiting_now())
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 1


def age(stage: Stage) -> None:
    """The time that the cancel was to rest has passed."""
    with stage.runtime.database.write() as session:
        kind = Effect.kind == "shopify.cancel_order"
        session.execute(
            update(Effect).where(kind, Effect.unclear_since.isnot(None)).values(unclear_since=db_now(-3600))
        )
    make_due(stage, "shopify.cancel_order")
