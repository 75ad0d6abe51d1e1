"""What fails after something was changed in Shopify: the change counts as one that may have been made (law 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.flows.interventions import retry_effect
from core.models import Effect
from tests.flows.stage import HOLD, Stage
from tests.flows.test_mixed import TWO, line, quantities
from tests.flows.test_races import make_due, start, think_all
from tests.flows.test_tags_and_holds import holds

CUT, CANCEL = "shopify.cancel_lines", "shopify.cancel_order"
FAULTS: list[dict[str, Any]] = [
    {"status": 503},
    {"status": 429, "headers": {"Retry-After": "5"}},
    {"kind": "drop"},
]
NAMED_NOTHING = {"data": {"orderCancel": {"jobResult": None, "orderCancelUserErrors": []}}}
BLOCKED = [{"code": "INVALID", "field": ["orderId"], "message": "a return is in progress"}]
REFUSED = {"data": {"orderCancel": {"jobResult": None, "orderCancelUserErrors": BLOCKED}}}

NOT_HELD = {"data": {"fulfillmentOrderHold": {"userErrors": [{"code": "TAKEN", "field": ["id"], "message": "no"}]}}}


def after(stage: Stage, patch: pytest.MonkeyPatch, operation: str, act: Callable[[], object]) -> None:
    """Each time that Shopify has answered such a call of ours, something happens before the next one."""
    send = stage.runtime.http.send

    def send_then_act(*args: Any, **sent: Any) -> Any:
        answer = send(*args, **sent)
        body = sent.get("json_body")
        if isinstance(body, dict) and f" {operation}(" in body.get("query", ""):
            act()
        return answer

    patch.setattr(stage.runtime.http, "send", send_then_act)


def fail(stage: Stage, operation: str, fault: dict[str, Any], times: int = 1) -> None:
    """The next calls of an operation fail."""
    stage.sandbox.shopify.faults.add({"match": operation, "times": times, **fault})


def has_failed(stage: Stage) -> bool:
    """Every fault so far was met."""
    faults = stage.sandbox.shopify.faults.listing()
    return bool(faults) and all(one["hits"] for one in faults)


def last(stage: Stage, kind: str) -> Effect:
    return stage.effects(kind)[-1]


def bind(stage: Stage, refusing: set[str], units: dict[str, str] = TWO) -> dict[str, Any]:
    """A held order that our own fulfillment hold is on, which may stand in Shopify's way."""
    stage.configure({"exchange": {"fulfillment_hold": True}})
    stage.sandbox.shopify.refuse_when_held = refusing
    order = start(stage, units)
    assert holds(stage, order) == ["returnbridge"]
    return order


def count_calls(stage: Stage, operation: str) -> int:
    return sum(one["operation"] == operation for one in stage.sandbox.shopify.requests)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cut_whose_read_back_fails_is_never_taken_back_as_unsent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    order = start(stage, TWO)
    after(stage, monkeypatch, "CommitEdit", lambda: fail(stage, "ReadLines", fault))
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert (last(stage, CUT).started, last(stage, CUT).unclear_since is not None) == (True, True)
    stage.judge({"B": "PASS"})
    think_all(stage)
    make_due(stage, CUT)
    stage.settle()
    assert stage.state(order) == ("review", "changed_too_late")
    assert quantities(stage, order) == {"NEW-A": 1, "NEW-B": 0}
    assert HOLD in stage.shopify_order(order)["tags"]
    assert [one.state for one in stage.effects(CUT)] == ["done"]
    assert count_calls(stage, "CommitEdit") == 1


@pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[1]])
def test_a_hold_that_cannot_be_put_back_hides_nothing_of_the_cut(
    stage: Stage, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    order = bind(stage, {"edit"})
    fail(stage, "CommitEdit", {"kind": "lose_answer"})
    fail(stage, "HoldFulfillmentOrder", fault)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert last(stage, CUT).unclear_since is not None
    assert f"order {order['id']}: our hold could not be put back" in caplog.text
    make_due(stage, CUT)
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert count_calls(stage, "CommitEdit") == 1


@pytest.mark.parametrize("fault", [FAULTS[0], {"status": 200, "body": NOT_HELD}])
def test_a_cut_that_was_made_is_done_though_the_hold_cannot_be_put_back(stage: Stage, fault: dict[str, Any]) -> None:
    order = bind(stage, {"edit"})
    fail(stage, "HoldFulfillmentOrder", fault)
    stage.judge({"A": "PASS", "B": "FAIL"})
    stage.settle()
    assert stage.state(order)[0] == "partly_cancelled"
    assert has_failed(stage)
    assert (last(stage, CUT).state, last(stage, CUT).unclear_since) == ("done", None)


@pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[2], {"status": 200, "body": REFUSED}])
def test_a_cancel_that_fails_without_our_hold_leaves_the_hold_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    order = bind(stage, {"cancel"}, {"A": "S"})
    after(stage, monkeypatch, "ReleaseFulfillmentOrder", lambda: fail(stage, "CancelOrder", fault))
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert holds(stage, order) == ["returnbridge"]
    effect = last(stage, CANCEL)
    assert effect.state == ("parked" if "body" in fault else "pending")
    assert (effect.unclear_since is None) == ("body" in fault)
    assert ("a return is in progress" in (effect.reason or "")) == ("body" in fault)


def test_a_hold_that_was_never_there_is_not_put_on(stage: Stage) -> None:
    order = start(stage)
    fail(stage, "CancelOrder", {"status": 200, "body": REFUSED})
    fail(stage, "ReadFulfillmentOrders", FAULTS[0])
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert holds(stage, order) == []
    assert count_calls(stage, "HoldFulfillmentOrder") == 0


def test_a_hold_that_may_be_off_is_put_on_when_it_cannot_be_lifted(stage: Stage) -> None:
    order = bind(stage, {"cancel"}, {"A": "S"})
    fail(stage, "ReleaseFulfillmentOrder", {"kind": "lose_answer"})
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert holds(stage, order) == ["returnbridge"]


def test_a_cancel_that_shopify_slows_down_goes_on_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Until then nothing may be called there, the hold included: that is logged, and the cancel keeps its fault."""
    order = bind(stage, {"cancel"}, {"A": "S"})
    after(stage, monkeypatch, "ReleaseFulfillmentOrder", lambda: fail(stage, "CancelOrder", FAULTS[1]))
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    assert "429" in (last(stage, CANCEL).reason or "")
    assert (last(stage, CANCEL).started, last(stage, CANCEL).unclear_since) == (False, None)
    assert f"order {order['id']}: our hold could not be put back: Throttled" in caplog.text
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")


def test_a_cancel_that_goes_on_without_our_hold_is_not_held_again(stage: Stage) -> None:
    order = bind(stage, {"cancel"}, {"A": "S"})
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert count_calls(stage, "HoldFulfillmentOrder") == 1


def test_a_lost_cancel_is_looked_up_and_made_though_the_hold_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold that was put back makes the job fail: the look finds nothing cancelled, and the next try lifts it."""
    order = bind(stage, {"cancel"}, {"A": "S"})
    lose = once(lambda: fail(stage, "CancelOrder", {"kind": "lose_answer"}), lambda: True)
    after(stage, monkeypatch, "ReleaseFulfillmentOrder", lose)
    stage.judge({"A": "FAIL"})
    stage.settle(40)
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 2


def once(act: Callable[[], object], when: Callable[[], object]) -> Callable[[], None]:
    """The act, the first time that something holds."""
    done: list[object] = []

    def act_once() -> None:
        if not done and when():
            done.append(act())

    return act_once


@pytest.mark.parametrize("refusing", [None, set(), {"cancel"}])
def test_a_cancel_whose_job_failed_is_held_again_and_a_retry_begins_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refusing: set[str] | None
) -> None:
    """Between Shopify's taking the cancel and its job, something comes in the way."""
    order = start(stage) if refusing is None else bind(stage, refusing, {"A": "S"})
    shopify = stage.sandbox.shopify
    there = shopify.find_order(shopify.shop(stage.shop), order["id"])
    block = once(lambda: setattr(there, "pending_authorization", True), lambda: there.cancel_requests)
    after(stage, monkeypatch, "CancelOrder", block)
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: last(stage, CANCEL).state == "parked")
    assert "a pending payment authorization" in (last(stage, CANCEL).reason or "")
    assert holds(stage, order) == ([] if refusing is None else ["returnbridge"])
    assert there.cancel_requests == 1
    there.pending_authorization = False
    with stage.runtime.database.write() as session:
        retry_effect(session, stage.shop_id, last(stage, CANCEL).id, "Asha")
    stage.wait_for(lambda: last(stage, CANCEL).state == "done")
    assert stage.shopify_order(order)["cancelled_at"] is not None
    assert there.cancel_requests == 2


def test_a_job_that_our_hold_made_fail_is_followed_by_one_without_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = bind(stage, set(), {"A": "S"})
    shopify = stage.sandbox.shopify
    after(stage, monkeypatch, "CancelOrder", lambda: setattr(shopify, "refuse_when_held", {"cancel"}))
    stage.judge({"A": "FAIL"})
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 2


def test_a_cancel_for_which_no_job_is_named_settles_before_it_is_looked_at(stage: Stage) -> None:
    order = start(stage, {"A": "S"})
    fail(stage, "CancelOrder", {"status": 200, "body": NAMED_NOTHING})
    stage.judge({"A": "FAIL"})
    stage.wait_for(lambda: has_failed(stage))
    effect = last(stage, CANCEL)
    assert effect.unclear_since is not None
    assert "waiting" not in effect.progress
    assert "named no job" in (effect.reason or "")
    make_due(stage, CANCEL)
    stage.settle()
    assert stage.state(order) == ("cancelled", "cancelled")
    assert stage.shopify_order(order)["cancel_requests"] == 1


@pytest.mark.parametrize(
    ("call", "kind", "verdict", "left"),
    [
        ("HoldFulfillmentOrder", "shopify.hold_order", None, ["returnbridge"]),
        ("ReleaseFulfillmentOrder", "shopify.release_order", "PASS", []),
    ],
)
def test_a_hold_whose_read_back_fails_may_be_on_or_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str, kind: str, verdict: str | None, left: list[str]
) -> None:
    stage.configure({"exchange": {"fulfillment_hold": True}})
    after(stage, monkeypatch, call, once(lambda: fail(stage, "ReadFulfillmentOrders", FAULTS[0]), lambda: True))
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    if verdict:
        stage.settle()
        stage.judge({"A": verdict})
    stage.wait_for(lambda: has_failed(stage))
    assert (last(stage, kind).started, last(stage, kind).unclear_since is not None) == (True, True)
    make_due(stage, kind)
    stage.settle()
    assert holds(stage, order) == left
    assert count_calls(stage, call) == 1
