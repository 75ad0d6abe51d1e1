"""Returns as they really come: provisional then full, without an AWB, RTO, ended, linked by weaker rules."""

from __future__ import annotations

from typing import Any

import pytest

from core.models import ReturnOrder, ReturnUnitRow
from tests.flows.stage import Stage

NOON = "2026-11-20T12:00:00.000+05:30"
INVOICE = {"codValue": 0, "invoiceNumber": "INV-1", "invoiceTime": NOON, "invoiceValue": 100, "isCod": False}
TIMES: dict[str, Any] = {"returnOrderTime": NOON, "expectedDate": NOON, "orderDetails": INVOICE}
LINES = [{"sku": "NEW-A", "quantity": 1}]


def notify(
    stage: Stage, kind: str, items: dict[str, int] | None = None, code: str | None = "RET-1", **facts: Any
) -> None:
    """RMS pushes a tracking notification; items: id -> quantity."""
    listed = [{"itemId": item, "sku": "S", "quantity": quantity} for item, quantity in (items or {"A": 1}).items()]
    facts.setdefault("awb", "AWB-1")
    answer = stage.sandbox.rms.notify(code, "108", kind, listed, **facts)
    assert answer[0] == 200, answer


def told(stage: Stage, code: str = "RET-1") -> dict[str, Any]:
    """The return as OMS has it."""
    found = stage.sandbox.oms.return_order(code)
    assert found is not None
    return found


def units(stage: Stage, code: str = "RET-1") -> list[str]:
    """Item codes we know of a return."""
    with stage.runtime.database.read() as session:
        rows = session.query(ReturnUnitRow.item_code).join(ReturnOrder, ReturnOrder.id == ReturnUnitRow.return_id)
        return [row[0] for row in rows.filter(ReturnOrder.code == code).order_by(ReturnUnitRow.position)]


@pytest.mark.parametrize("kind", ["RETURN_ORDER_PLACED", "IN_TRANSIT", "DELIVERED", "SOMETHING_NEW"])
def test_first_sight_at_any_status_creates_the_expectation(stage: Stage, kind: str) -> None:
    stage.configure({"rms": {"warehouses": {"WH1": "Wid999"}}})
    notify(stage, kind, {"A": 2}, warehouseCode="WH1")
    stage.settle()
    assert told(stage)["body"]["locationCode"] == "Wid999"
    assert [one["itemCode"] for one in told(stage)["body"]["orderItems"]] == ["A-1", "A-2"]
    assert told(stage)["status"] == kind


def test_statuses_never_go_back_and_unknown_ones_do_not_advance(stage: Stage) -> None:
    for kind in ("IN_TRANSIT", "DELIVERED", "RETURN_PICKED_UP", "SOMETHING_NEW", "IN_TRANSIT"):
        notify(stage, kind)
        stage.settle()
    assert told(stage)["status"] == "DELIVERED"
    assert stage.sandbox.oms.effects["returns_created"] == 1


def test_a_full_body_replaces_provisional_units_until_a_verdict_exists_and_then_adds_to_them(stage: Stage) -> None:
    notify(stage, "IN_TRANSIT", {"A": 2})
    stage.settle()
    assert units(stage) == ["A-1", "A-2"]
    stage.push_return({"X": "S", "Y": "S"}, awbNumber="AWB-1")
    stage.settle()
    assert units(stage) == ["X", "Y"]
    stage.judge({"X": "PASS"}, "RET-2")
    notify(stage, "IN_TRANSIT", {"X": 1}, "RET-2", awb="AWB-2")
    stage.settle()
    stage.push_return({"X": "S", "Z": "S"}, "RET-2", awbNumber="AWB-2")
    stage.settle()
    assert units(stage, "RET-2") == ["X", "Z"]
    assert "Z came to light" in (stage.events("return_order")[-1].reason or "")


def test_the_same_body_again_is_ignored_and_another_content_is_a_conflict(stage: Stage) -> None:
    for _ in range(2):
        stage.push_return({"A": "S"}, **TIMES)
        stage.settle()  # what waits together is thought about side by side, in any order
    stage.push_return({"A": "S"}, returnOrderStatus="RETURN_PICKED_UP", **TIMES)
    stage.settle()
    stage.push_return({"A": "S", "B": "S"}, **TIMES)
    stage.settle()
    outcomes = [one.outcome for one in stage.events("return_order")]
    assert outcomes == ["handled", "ignored", "handled", "parked"]
    assert stage.sandbox.oms.effects["returns_created"] == 1
    assert units(stage) == ["A"]


def test_an_empty_awb_waits_for_the_push_that_has_it(stage: Stage) -> None:
    notify(stage, "RETURN_ORDER_PLACED", awb="")
    stage.settle()
    assert stage.sandbox.oms.return_order("RET-1") is None
    parked = stage.events("notification")[0]
    assert parked.outcome == "parked"
    assert "AWB" in (parked.reason or "")
    notify(stage, "AWB_GENERATED")
    stage.settle()
    assert told(stage)["awb"] == "AWB-1"


def test_no_items_are_parked_until_they_come(stage: Stage) -> None:
    assert stage.sandbox.rms.notify("RET-1", "108", "IN_TRANSIT", None, awb="AWB-1")[0] == 200
    stage.settle()
    assert stage.sandbox.oms.return_order("RET-1") is None
    assert "items" in (stage.events("notification")[0].reason or "")
    stage.push_return({"A": "S"}, awbNumber="AWB-1")
    stage.settle()
    assert told(stage)["body"]["orderItems"][0]["itemCode"] == "A"


def test_items_that_come_with_a_later_notification_are_taken(stage: Stage) -> None:
    stage.sandbox.rms.notify("RET-1", "108", "IN_TRANSIT", None, awb="AWB-1")
    stage.settle()
    notify(stage, "DELIVERED", {"A": 2})
    stage.settle()
    assert units(stage) == ["A-1", "A-2"]
    assert told(stage)["status"] == "DELIVERED"


def test_an_rto_without_items_is_the_whole_parcel_where_the_order_is_known(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 2}, {"sku": "NEW-B", "quantity": 1}], code=None)
    stage.settle()
    first, second = (str(one["id"]) for one in stage.shopify_order(order)["lines"])
    stage.sandbox.rms.notify("RTO-1", str(order["id"]), "RTO", None, awb="AWB-9")
    stage.settle()
    items = told(stage, "RTO-1")["body"]["orderItems"]
    assert [(one["itemCode"], one["channelSkuCode"]) for one in items] == [
        (f"{first}-1", "NEW-A"),
        (f"{first}-2", "NEW-A"),
        (second, "NEW-B"),
    ]


def test_rto_is_a_return_to_origin(stage: Stage) -> None:
    notify(stage, "RTO", code="RTO-9")
    stage.settle()
    assert told(stage, "RTO-9")["body"]["orderType"] == "RETURN_TO_ORIGIN"


@pytest.mark.parametrize(("rule", "created"), [("park", False), ("create", True)])
def test_rto_that_nobody_named(stage: Stage, rule: str, created: bool) -> None:
    stage.configure({"rms": {"rto_without_return": rule}})
    stage.sandbox.rms.notify(
        None, "108", "RTO", [{"itemId": "A", "sku": "S", "quantity": 1}], forwardAwb="FWD-7", returnOrderInfo=None
    )
    stage.settle()
    assert (stage.sandbox.oms.return_order("RTO-FWD-7") is not None) == created
    assert stage.events("notification")[0].outcome == ("handled" if created else "parked")


@pytest.mark.parametrize("kind", ["CANCELLED", "PICKUP_CANCELLED", "LOST", "RETURN_REJECTED"])
def test_a_return_that_ends_without_arriving_sends_its_exchange_to_review(stage: Stage, kind: str) -> None:
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"}, awbNumber="AWB-1")
    stage.settle()
    notify(stage, kind)
    stage.settle()
    assert stage.state(order) == ("review", "return_ended")


def test_hand_to_hand_exchange_gates_nothing(stage: Stage) -> None:
    order = stage.new_order(LINES)
    stage.push_return({"A": "S"}, awbNumber="AWB-1")
    stage.settle()
    notify(stage, "EXCHANGE_PICKUP")
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"


@pytest.mark.parametrize("first", ["order", "return"])
def test_linked_by_the_original_order_when_exactly_one_return_is_open(stage: Stage, first: str) -> None:
    steps = {
        "order": lambda: stage.sandbox.shopify.create_order(
            stage.shop,
            tags=["increff_exchange", "increff_hold"],
            line_items=LINES,
            note_attributes={"original_order": "#108"},
        ),
        "return": lambda: stage.push_return({"A": "S"}),
    }
    steps[first]()
    stage.settle()
    steps["return" if first == "order" else "order"]()
    stage.settle()
    stage.judge({"A": "PASS"})
    stage.settle()
    order = next(one for one in stage.sandbox.shopify.orders(stage.shop))
    assert stage.state(order)[0] == "released"


def test_two_open_returns_of_one_order_are_not_guessed_between(stage: Stage) -> None:
    stage.push_return({"A": "S"}, "RET-1")
    stage.push_return({"B": "S"}, "RET-2", awbNumber="AWB-2")
    stage.settle()  # both are known before the order comes
    order = stage.sandbox.shopify.create_order(
        stage.shop,
        tags=["increff_exchange", "increff_hold"],
        line_items=LINES,
        note_attributes={"original_order": "108"},
    )
    stage.settle()
    assert stage.state(order)[0] == "awaiting_return"


def test_linked_by_a_tag(stage: Stage) -> None:
    order = stage.new_order(LINES, None, tags=["increff_exchange", "increff_hold", "Return:RET-1"])
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"


def test_awb_fetched_by_increff_follows_by_update(stage: Stage) -> None:
    stage.configure({"rms": {"awb_source": "increff"}})
    stage.sandbox.oms.let_increff_fetch_awbs()
    stage.push_return({"A": "S"}, awbNumber=None, transporter=None)
    stage.settle()
    assert [one.reason for one in stage.effects("oms.expect_return")] == [None]
    assert "awbNumber" not in told(stage)["body"]
    notify(stage, "AWB_GENERATED", awb="AWB-77")
    stage.settle()
    assert told(stage)["awb"] == "AWB-77"


def test_a_new_awb_is_not_taken_back_by_what_is_old(stage: Stage) -> None:
    """The parcel was given to another courier; then the first body comes again, and a notification from before."""
    stage.push_return({"A": "S"}, awbNumber="AWB-1", **TIMES)
    notify(stage, "AWB_GENERATED", awb="AWB-1", notificationUpdateTime=1763600000)
    stage.settle()
    notify(stage, "OUT_FOR_PICKUP", awb="AWB-2", notificationUpdateTime=1763700000)
    stage.settle()
    assert told(stage)["awb"] == "AWB-2"
    stage.push_return({"A": "S"}, awbNumber="AWB-1", **TIMES)
    notify(stage, "PICKUP_SCHEDULED", awb="AWB-1", notificationUpdateTime=1763650000)
    stage.settle()
    assert told(stage)["awb"] == "AWB-2"
    assert [one.outcome for one in stage.events("return_order")] == ["handled", "ignored"]
