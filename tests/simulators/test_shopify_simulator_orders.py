"""The stand-in for Shopify: cancels, edits, holds, refunds and returns keep their rules."""

from __future__ import annotations

import pytest
from shopify_cases import GID, OPERATIONS, SHOP, Caller, snapshot, wait_for


def fulfillment_order(api, order):
    return snapshot(api, order)["fulfillmentOrders"]["nodes"][0]


def edit(api, order, sku, quantity, **more):
    """Begin and set; the answer is the session's id and the user errors of the setting."""
    calculated = api.run("OrderEditBegin", id=order["gid"])["orderEditBegin"]["calculatedOrder"]
    line = next(item for item in calculated["lineItems"]["nodes"] if item["sku"] == sku)
    asked = {"id": calculated["id"], "lineItemId": line["id"], "quantity": quantity, **more}
    return calculated["id"], api.run("OrderEditSetQuantity", **asked)["orderEditSetQuantity"]["userErrors"]


# --- cancelling -----------------------------------------------------------------------------------------------------


def cancel(api, order, **more):
    asked = {"orderId": order["gid"], "reason": "OTHER", "restock": True, **more}
    return api.run("OrderCancel", **asked)["orderCancel"]


def landed(api, told):
    ident = told["jobResult"]["id"]
    return wait_for(lambda: (found := api.run("OrderCancelResult", id=ident)["node"])["done"] and found)


def test_a_cancel_is_a_job_that_lands_later(shopify, api, order):
    told = cancel(api, order)
    assert told["job"]["done"] is False
    assert told["jobResult"]["status"] == "STARTED"
    assert snapshot(api, order)["cancelledAt"] is None
    done = landed(api, told)
    assert done["status"] == "SUCCEEDED"
    assert done["order"]["cancelledAt"]
    assert api.run("JobState", id=told["job"]["id"])["job"]["done"] is True
    now = shopify.order(SHOP, order["id"])
    assert [line["current_quantity"] for line in now["lines"]] == [0, 0]
    assert [line["quantity"] for line in now["lines"]] == [2, 1]
    assert now["restocked"] == {"TEE-M": 2, "TEE-L": 1}
    assert (now["refunds_made"], now["refunded"]) == (0, "0.00")
    again = cancel(api, order)
    assert again["orderCancelUserErrors"][0]["code"] == "INVALID"
    assert again["job"] is None
    assert [effect.kind for effect in shopify.effects] == ["orderCancel"]


def test_a_cancel_repeated_before_it_landed_refunds_twice(shopify, api, order):
    method = {"originalPaymentMethodsRefund": True}
    first, second = cancel(api, order, refundMethod=method), cancel(api, order, refundMethod=method)
    wait_for(lambda: api.run("OrderCancelResult", id=second["jobResult"]["id"])["node"]["done"])
    now = shopify.order(SHOP, order["id"])
    assert (now["cancel_requests"], now["refunds_made"]) == (2, 2)
    assert api.run("OrderCancelResult", id=first["jobResult"]["id"])["node"]["status"] == "SUCCEEDED"
    assert api.run("OrderCancelResult", id=second["jobResult"]["id"])["node"]["errors"][0]["code"] == "INVALID"


def test_refund_method_takes_exactly_one_way(shopify, api, order):
    both = {"originalPaymentMethodsRefund": True, "storeCreditRefund": {}}
    asked = {"orderId": order["gid"], "reason": "OTHER", "restock": True, "refundMethod": both}
    assert api.post(OPERATIONS, asked, "OrderCancel").json()["errors"]
    nobody = shopify.create_order(SHOP, customer=False)
    told = cancel(api, nobody, refundMethod={"storeCreditRefund": {}})
    assert told["orderCancelUserErrors"][0]["code"] == "STORE_CREDIT_REFUND_MISSING_CUSTOMER"
    assert shopify.order(SHOP, order["id"])["cancel_requests"] == 0


def test_a_cancel_is_refused_when_fulfilled_or_returned_or_unknown(shopify, api, order):
    shopify.fulfil(SHOP, order["id"], {order["lines"][0]["id"]: 1})
    assert cancel(api, order)["orderCancelUserErrors"]
    shopify.open_return(SHOP, order["id"])
    assert "return" in cancel(api, order)["orderCancelUserErrors"][0]["message"]
    told = cancel(api, {"gid": f"{GID}/Order/42"})
    assert told["orderCancelUserErrors"][0]["code"] == "NOT_FOUND"


def test_a_cancel_fails_when_the_order_ships_before_the_job_lands(shopify, api, order):
    told = cancel(api, order, refundMethod={"originalPaymentMethodsRefund": True})
    shopify.fulfil(SHOP, order["id"])
    done = wait_for(
        lambda: (found := api.run("OrderCancelResult", id=told["jobResult"]["id"])["node"])["done"] and found
    )
    assert done["status"] == "FAILED"
    assert shopify.order(SHOP, order["id"])["cancelled_at"] is None


# --- editing --------------------------------------------------------------------------------------------------------


def test_an_edit_has_effect_only_at_the_commit(shopify, api, order):
    session, errors = edit(api, order, "TEE-M", 1, restock=True)
    assert errors == []
    assert shopify.order(SHOP, order["id"])["lines"][0]["current_quantity"] == 2
    told = api.run("OrderEditCommit", id=session)["orderEditCommit"]
    assert [line["currentQuantity"] for line in told["order"]["lineItems"]["nodes"]] == [1, 1]
    now = shopify.order(SHOP, order["id"])
    assert (now["lines"][0]["quantity"], now["restocked"], now["refunded"]) == (2, {"TEE-M": 1}, "0.00")
    assert api.run("OrderEditCommit", id=session)["orderEditCommit"]["userErrors"]


def test_calculated_lines_have_the_numbers_of_the_lines(api, order):
    calculated = api.run("OrderEditBegin", id=order["gid"])["orderEditBegin"]["calculatedOrder"]
    numbers = [line["id"].rsplit("/", 1)[1] for line in calculated["lineItems"]["nodes"]]
    assert numbers == [str(line["id"]) for line in order["lines"]]
    assert all("CalculatedLineItem" in line["id"] for line in calculated["lineItems"]["nodes"])


def test_an_edit_conflicts_with_another_change(shopify, api, order):
    session, _ = edit(api, order, "TEE-M", 0)
    other, _ = edit(api, order, "TEE-L", 0)
    assert api.run("OrderEditCommit", id=other)["orderEditCommit"]["userErrors"] == []
    told = api.run("OrderEditCommit", id=session)["orderEditCommit"]
    assert "changed" in told["userErrors"][0]["message"]
    assert shopify.order(SHOP, order["id"])["lines"][0]["current_quantity"] == 2
    shopify.edit_session_seconds = 0
    _, errors = edit(api, order, "TEE-M", 0)
    assert "expired" in errors[0]["message"]


def test_an_edit_keeps_away_from_fulfilled_and_held_units(shopify, api, order):
    shopify.fulfil(SHOP, order["id"], {order["lines"][0]["id"]: 1})
    _, errors = edit(api, order, "TEE-M", 0)
    assert "fulfilled" in errors[0]["message"]
    shopify.hold_order(SHOP, order["id"])
    _, errors = edit(api, order, "TEE-M", 1)
    assert "hold" in errors[0]["message"]
    shopify.release_holds(SHOP, order["id"])
    _, errors = edit(api, order, "TEE-M", 1)
    assert errors == []


def test_no_edit_without_a_change_or_on_a_cancelled_order(shopify, api, order):
    session, _ = edit(api, order, "TEE-M", 2)
    assert api.run("OrderEditCommit", id=session)["orderEditCommit"]["userErrors"]
    shopify.cancel_order(SHOP, order["id"])
    assert api.run("OrderEditBegin", id=order["gid"])["orderEditBegin"]["userErrors"]
    assert snapshot(api, order)["merchantEditable"] is False


# --- holds ----------------------------------------------------------------------------------------------------------


def hold(api, target, handle="ours", **more):
    asked = {"reason": "AWAITING_RETURN_ITEMS", "handle": handle, **more}
    return api.run("HoldFulfillmentOrder", id=target, hold=asked)["fulfillmentOrderHold"]


def test_holds_have_handles_limits_and_owners(shopify, api, order):
    target = fulfillment_order(api, order)["id"]
    made = hold(api, target)["fulfillmentHold"]
    assert made["heldByRequestingApp"] is True
    assert hold(api, target)["userErrors"][0]["code"] == "DUPLICATE_FULFILLMENT_HOLD_HANDLE"
    other = Caller(shopify.start(), shopify.install(SHOP, "other"))
    assert hold(other, target)["userErrors"] == []
    for number in range(9):
        assert hold(api, target, f"h{number}")["userErrors"] == []
    assert hold(api, target, "h10")["userErrors"][0]["code"] == "FULFILLMENT_ORDER_HOLD_LIMIT_REACHED"
    now = fulfillment_order(api, order)
    assert now["status"] == "ON_HOLD"
    assert snapshot(api, order)["displayFulfillmentStatus"] == "ON_HOLD"
    assert sum(item["heldByRequestingApp"] for item in now["fulfillmentHolds"]) == 10
    assert {"action": "RELEASE_HOLD"} in now["supportedActions"]
    told = api.run("ReleaseFulfillmentOrder", id=target, holdIds=[made["id"]])["fulfillmentOrderReleaseHold"]
    assert len(told["fulfillmentOrder"]["fulfillmentHolds"]) == 10
    document = "mutation($id: ID!) { fulfillmentOrderReleaseHold(id: $id) { userErrors { code } } }"
    api.ask(document, {"id": target})
    assert fulfillment_order(api, order)["fulfillmentHolds"] == []
    unknown = f"{GID}/FulfillmentOrder/1"
    assert hold(api, unknown)["userErrors"][0]["code"] == "FULFILLMENT_ORDER_NOT_FOUND"


def test_a_hold_stops_the_warehouse_and_a_tag_does_not(shopify, api, order):
    hold(api, fulfillment_order(api, order)["id"])
    with pytest.raises(ValueError, match="on hold"):
        shopify.fulfil(SHOP, order["id"])
    shopify.release_holds(SHOP, order["id"])
    shopify.fulfil(SHOP, order["id"])
    assert "Hold" in shopify.order(SHOP, order["id"])["tags"]
    assert hold(api, fulfillment_order(api, order)["id"])["userErrors"][0]["code"] == "TAKEN"


def test_a_hold_on_some_lines_splits_the_fulfillment_order(api, order):
    target = fulfillment_order(api, order)["id"]
    line = api.run("FulfillmentOrderLines", id=target)["fulfillmentOrder"]["lineItems"]["nodes"][0]["id"]
    for parts, code in (
        ([{"id": line, "quantity": 0}], "GREATER_THAN_ZERO"),
        ([{"id": line, "quantity": 3}], "INVALID_LINE_ITEM_QUANTITY"),
        ([{"id": line, "quantity": 1}] * 2, "DUPLICATED_FULFILLMENT_ORDER_LINE_ITEMS"),
    ):
        assert hold(api, target, fulfillmentOrderLineItems=parts)["userErrors"][0]["code"] == code
    part = [{"id": line, "quantity": 1}]
    told = hold(api, target, fulfillmentOrderLineItems=part)
    assert told["fulfillmentOrder"]["status"] == "ON_HOLD"
    assert told["remainingFulfillmentOrder"]["status"] == "OPEN"
    told = hold(api, target, "second", fulfillmentOrderLineItems=part)
    assert told["userErrors"][0]["code"] == "FULFILLMENT_ORDER_NOT_SPLITTABLE"


# --- refunds and returns --------------------------------------------------------------------------------------------


def test_a_refund_needs_its_key_and_is_made_once(shopify, api, order):
    given = {"orderId": order["gid"], "refundLineItems": []}
    pay = {"amount": "100.00", "gateway": "razorpay", "kind": "REFUND", "orderId": order["gid"]}
    given["transactions"] = [pay]
    bare = "mutation($input: RefundInput!) { refundCreate(input: $input) { refund { id } } }"
    assert "@idempotent" in api.ask(bare, {"input": given})["errors"][0]["message"]
    first = api.run("RefundCreate", input=given, key="k")["refundCreate"]["refund"]
    assert first["totalRefundedSet"]["shopMoney"]["amount"] == "100.00"
    assert api.run("RefundCreate", input=given, key="k")["refundCreate"]["refund"] == first
    assert shopify.order(SHOP, order["id"])["refunds_made"] == 1
    changed = api.post(OPERATIONS, {"input": {**given, "note": "n"}, "key": "k"}, "RefundCreate").json()
    assert changed["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    pay["amount"] = "100000"
    assert api.run("RefundCreate", input=given, key="k2")["refundCreate"]["userErrors"]


def test_an_exchange_on_the_same_order_adds_its_line_when_processed(shopify, api, order):
    shopify.fulfil(SHOP, order["id"])
    made = shopify.open_return(SHOP, order["id"], {order["lines"][0]["id"]: 1}, exchange=[{"sku": "TEE-XL"}])
    found = api.run("OrderReturns", id=order["gid"])["order"]["returns"]["nodes"][0]
    line, swap = found["returnLineItems"]["nodes"][0], found["exchangeLineItems"]["nodes"][0]
    assert line["fulfillmentLineItem"]["lineItem"]["id"] == order["lines"][0]["gid"]
    assert swap["lineItems"] == []
    parts = {"returnLineItems": [{"id": line["id"], "quantity": 1}]}
    parts["exchangeLineItems"] = [{"id": swap["id"], "quantity": 1}]
    told = api.run("ReturnProcess", input={"returnId": made["id"], **parts})["returnProcess"]
    assert told["userErrors"] == []
    skus = {item["sku"]: item["current_quantity"] for item in shopify.order(SHOP, order["id"])["lines"]}
    assert skus == {"TEE-M": 1, "TEE-L": 1, "TEE-XL": 1}
    twice = api.run("ReturnProcess", input={"returnId": made["id"], **parts})["returnProcess"]
    assert twice["userErrors"][0]["code"] == "INVALID"
