"""The stand-in for Shopify, driven over a real socket: documents, refusals, paging, tags."""

from __future__ import annotations

import re
import time

import pytest
import requests
from shopify_cases import GID, OPERATIONS, SHOP, Caller, snapshot

# --- every document -------------------------------------------------------------------------------------------------


def test_every_written_document_runs_on_a_suitable_order(shopify, api, order):
    ran = set()

    def run(operation, **variables):
        ran.add(operation)
        data = api.run(operation, **variables)
        assert [errors for value in data.values() if isinstance(value, dict) for errors in user_errors(value)] == []
        return data

    def user_errors(value):
        return value.get("userErrors") or value.get("orderCancelUserErrors") or []

    snap = run("OrderSnapshot", id=order["gid"])["order"]
    held = snap["fulfillmentOrders"]["nodes"][0]["id"]
    assert len(run("FulfillmentOrderLines", id=held)["fulfillmentOrder"]["lineItems"]["nodes"]) == 2
    assert len(run("OrdersUpdatedSince", query="tag:REPLACEMENT")["orders"]["nodes"]) == 1
    run("TagsAdd", id=order["gid"], tags=["new"])
    run("TagsRemove", id=order["gid"], tags=["new"])
    run("SwapTags", id=order["gid"], add=["in"], remove=["hold"])
    hold = {"reason": "AWAITING_RETURN_ITEMS", "handle": "ours"}
    made = run("HoldFulfillmentOrder", id=held, hold=hold)["fulfillmentOrderHold"]["fulfillmentHold"]
    run("ReleaseFulfillmentOrder", id=held, holdIds=[made["id"]])
    session = run("OrderEditBegin", id=order["gid"])["orderEditBegin"]["calculatedOrder"]
    line = session["lineItems"]["nodes"][0]["id"]
    run("OrderEditSetQuantity", id=session["id"], lineItemId=line, quantity=1)
    run("OrderEditCommit", id=session["id"])
    refund = {"orderId": order["gid"], "note": "n", "transactions": []}
    refund["refundLineItems"] = [{"lineItemId": snap["lineItems"]["nodes"][0]["id"], "quantity": 1}]
    run("RefundCreate", input=refund, key="k1")
    shopify.submit_fulfillment(SHOP, order["id"])
    run("CancelSubmittedFulfillmentOrder", id=held)
    job = run("OrderCancel", orderId=order["gid"], reason="OTHER", restock=True)["orderCancel"]
    run("JobState", id=job["job"]["id"])
    run("OrderCancelResult", id=job["jobResult"]["id"])
    exchanged = shopify.create_order(SHOP)
    shopify.fulfil(SHOP, exchanged["id"])
    returned = shopify.open_return(SHOP, exchanged["id"], exchange=[{"sku": "NEW"}])
    found = run("OrderReturns", id=exchanged["gid"])["order"]["returns"]["nodes"][0]
    parts = [{"id": found["exchangeLineItems"]["nodes"][0]["id"], "quantity": 1}]
    run("ReturnProcess", input={"returnId": returned["id"], "exchangeLineItems": parts})
    run("ReturnClose", id=returned["id"])
    run("InstallationState")
    run("ShopSubscriptions")
    run("BulkOrders", query="{ orders { edges { node { id } } } }")
    assert ran == set(re.findall(r"^(?:query|mutation) (\w+)", OPERATIONS, re.M))
    assert len(ran) == 22


def test_what_a_create_order_call_elsewhere_needs(shopify, order):
    token = shopify.install(SHOP, "reader", ["write_orders", "read_products", "read_locations", *FULFILL])
    api = Caller(shopify.start(), token)
    found = api.ask(
        """query($id: ID!) { order(id: $id) { createdAt currencyCode paymentGatewayNames email phone
        customAttributes { key value } totalShippingPriceSet { shopMoney { amount currencyCode } }
        shippingAddress { name address1 address2 city province zip countryCodeV2 country phone }
        billingAddress { name zip } metafields(first: 2) { nodes { id } } taxLines { title }
        lineItems(first: 5) { nodes { sku name variant { id } customAttributes { key value }
          discountedUnitPriceAfterAllDiscountsSet { shopMoney { amount } } totalDiscountSet { shopMoney { amount } } } }
        fulfillmentOrders(first: 2) { nodes { assignedLocation { name location { id } } } } } }""",
        {"id": order["gid"]},
    )
    assert "errors" not in found
    told = found["data"]["order"]
    assert told["customAttributes"] == [{"key": "rma", "value": "R-1"}]
    assert told["lineItems"]["nodes"][0]["discountedUnitPriceAfterAllDiscountsSet"]["shopMoney"]["amount"] == "500.00"
    assert told["lineItems"]["nodes"][1]["customAttributes"] == [{"key": "item", "value": "u1,u2"}]
    assert told["shippingAddress"]["countryCodeV2"] == "IN"
    assert told["email"].endswith("@example.com")
    location = told["fulfillmentOrders"]["nodes"][0]["assignedLocation"]["location"]["id"]
    assert location == f"{GID}/Location/655441491"
    assert told["metafields"] == {"nodes": []}
    assert told["taxLines"] == []
    shopify.customer_data_level = 1
    document = "query($id: ID!) { order(id: $id) { name email shippingAddress { zip } } }"
    assert api.ask(document, {"id": order["gid"]})["data"]["order"] == {
        "name": order["name"],
        "email": None,
        "shippingAddress": None,
    }


FULFILL = ["read_merchant_managed_fulfillment_orders"]


# --- refusals of the API --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ order(id: 1) { nonsense } }", "undefinedField"),
        ("mutation { tagsAdd(id: 1, tag: 2) { node { id } } }", "argumentNotAccepted"),
        ("mutation { tagsAdd(id: 1) { node { id } } }", "missingRequiredArguments"),
        ("query($id: Int!) { order(id: $id) { id } }", "variableMismatch"),
        ("query($id: ID!) { order(id: $id) { id } }", "INVALID_VARIABLE"),
    ],
)
def test_a_document_that_does_not_fit_the_schema_is_refused(api, document, code):
    answer = api.ask(document)
    assert answer["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer


def test_a_wrong_token_or_shop_gets_401(shopify, api, order):
    shopify.add_shop("two.myshopify.com", "shpat_two")
    for token in ("", "nonsense", "shpat_two"):
        answer = Caller(shopify.start(), token).post("{ shop { id } }")
        assert answer.status_code == 401
        assert answer.json()["errors"].startswith("[API] Invalid API key")
    other = Caller(shopify.start(), "shpat_two", "two.myshopify.com").run("OrderSnapshot", id=order["gid"])
    assert other["order"] is None


def test_a_missing_scope_denies_the_field_and_nothing_else(shopify, api, order):
    poor = Caller(shopify.start(), shopify.install(SHOP, "poor", ["read_orders"]))
    answer = poor.ask(f'mutation {{ tagsAdd(id: "{order["gid"]}", tags: ["x"]) {{ node {{ id }} }} }}')
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert "x" not in shopify.order(SHOP, order["id"])["tags"]
    answer = api.ask(
        "query($id: ID!) { order(id: $id) { name lineItems(first: 1) { nodes { variant { id } } } } }",
        {"id": order["gid"]},
    )
    assert answer["errors"][0]["extensions"]["requiredAccess"] == "`read_products` access scope."
    assert answer["data"]["order"]["lineItems"]["nodes"] == [{"variant": None}]
    denied = poor.ask("query($id: ID!) { node(id: $id) { ... on FulfillmentOrder { status } } }", {"id": order["gid"]})
    assert "errors" not in denied


def test_a_null_where_none_is_allowed_is_an_error(api, order):
    answer = api.ask("query($id: ID!) { order(id: $id) { risk { recommendation } } }", {"id": order["gid"]})
    assert answer["data"] == {"order": None}
    assert "non-null" in answer["errors"][0]["message"]


def test_throttling_executes_nothing_and_says_what_it_wants(shopify, api, order):
    shopify.drain(SHOP, leave=3)
    answer = api.post(OPERATIONS, {"id": order["gid"], "tags": ["late"]}, "TagsAdd")
    assert answer.status_code == 200
    body = answer.json()
    cost = body["extensions"]["cost"]
    assert body["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in body
    assert cost["actualQueryCost"] is None
    assert cost["requestedQueryCost"] > cost["throttleStatus"]["currentlyAvailable"]
    assert "late" not in shopify.order(SHOP, order["id"])["tags"]
    wait = (cost["requestedQueryCost"] - cost["throttleStatus"]["currentlyAvailable"]) / 100
    time.sleep(wait + 0.05)
    assert api.run("TagsAdd", id=order["gid"], tags=["late"])["tagsAdd"]["userErrors"] == []


def test_cost_is_given_back_when_less_was_found(api, order):
    first = api.post(OPERATIONS, {"id": order["gid"]}, "OrderSnapshot").json()["extensions"]["cost"]
    assert 0 < first["actualQueryCost"] < first["requestedQueryCost"]
    assert first["throttleStatus"]["maximumAvailable"] == 2000
    assert first["throttleStatus"]["currentlyAvailable"] >= 2000 - first["actualQueryCost"] - 1
    wide = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id } } } } }"
    assert api.ask(wide)["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_paging_goes_through_all_orders_once(shopify, api):
    made = [shopify.create_order(SHOP, tags="page")["gid"] for _ in range(7)]
    shopify.create_order(SHOP, tags="other")
    seen, after = [], None
    while True:
        found = api.run("OrdersUpdatedSince", query="tag:'page' AND updated_at:>='2020-01-01'", first=3, after=after)
        seen += [node["id"] for node in found["orders"]["nodes"]]
        after = found["orders"]["pageInfo"]["endCursor"]
        if not found["orders"]["pageInfo"]["hasNextPage"]:
            break
    assert sorted(seen) == sorted(made)
    assert api.run("OrdersUpdatedSince", query="updated_at:>'2999-01-01'")["orders"]["nodes"] == []
    assert api.ask('{ orders(first: 2, after: "nonsense") { nodes { id } } }')["errors"]
    odd = api.ask('{ orders(first: 2, query: "frobnicate:7 tag:other") { nodes { name } } }')
    assert len(odd["data"]["orders"]["nodes"]) == 1
    assert odd["extensions"]["search"][0]["warnings"][0]["field"] == "frobnicate"


def test_orders_older_than_sixty_days_are_hidden(shopify, api):
    old = shopify.create_order(SHOP, created_at="2020-01-01T00:00:00+05:30")
    assert snapshot(api, old) is None
    assert api.run("OrdersUpdatedSince", query="")["orders"]["nodes"] == []


# --- tags and attributes --------------------------------------------------------------------------------------------


def test_tags_ignore_case_split_at_commas_and_have_limits(shopify, api, order):
    run = api.run("TagsAdd", id=order["gid"], tags=["HOLD", "a, b", " "])["tagsAdd"]
    assert run["node"]["tags"] == ["a", "b", "Hold", "replacement"]
    assert api.run("TagsRemove", id=order["gid"], tags=["REPLACEMENT"])["tagsRemove"]["node"]["tags"] == [
        "a",
        "b",
        "Hold",
    ]
    assert api.run("SwapTags", id=order["gid"], add=["c"], remove=["hOLD"])["removed"]["node"]["tags"] == [
        "a",
        "b",
        "c",
    ]
    api.run("SwapTags", id=order["gid"], add=["Hold"], remove=["c"])
    assert api.run("TagsAdd", id=order["gid"], tags=["x" * 41])["tagsAdd"]["userErrors"]
    assert api.run("TagsAdd", id=order["gid"], tags=[f"t{n}" for n in range(251)])["tagsAdd"]["userErrors"]
    assert shopify.order(SHOP, order["id"])["tags"] == ["a", "b", "Hold"]
    answer = api.post(OPERATIONS, {"id": f"{GID}/Order/1", "tags": ["x"]}, "TagsAdd").json()
    assert answer["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"


def test_order_update_overwrites_tags(shopify, api, order):
    document = (
        "mutation($input: OrderInput!) { orderUpdate(input: $input) { order { tags note } userErrors { field } } }"
    )
    given = {"id": order["gid"], "tags": ["only"], "note": "n", "customAttributes": [{"key": "k", "value": "v"}]}
    told = api.ask(document, {"input": given})["data"]["orderUpdate"]
    assert told == {"order": {"tags": ["only"], "note": "n"}, "userErrors": []}
    assert shopify.order(SHOP, order["id"])["note_attributes"] == {"k": "v"}


def test_answers_name_version_and_request(api):
    answer = api.post("{ shop { id } }")
    assert answer.headers["X-Shopify-API-Version"] == "2026-10"
    assert answer.headers["X-Request-Id"]
    assert requests.get(api.url, timeout=5).status_code == 404
