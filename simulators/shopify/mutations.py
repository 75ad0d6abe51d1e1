"""Everything that changes something. A broken rule is a user error and changes nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphql import GraphQLError

from simulators.shopify import cancelling, editing, holding, returning
from simulators.shopify.access import Info
from simulators.shopify.base import Node, Refused
from simulators.shopify.order_model import Order
from simulators.shopify.orders import announce_order
from simulators.shopify.queries import find, job_view
from simulators.shopify.resolve import Call, resolves
from simulators.shopify.state import register
from simulators.shopify.tags import normal, with_tags, without_tags

Payload = dict[str, Any]
Change = Callable[..., Payload]


def mutation(name: str, errors: str = "userErrors") -> Callable[[Change], Change]:
    """Registers the root field, counts what was accepted and turns a refusal into user errors."""

    def mark(change: Change) -> Change:
        @resolves(f"Mutation.{name}")
        @functools.wraps(change)
        def run(_source: Any, info: Info, **arguments: Any) -> Payload:
            call: Call = info.context
            try:
                payload = change(call, info, **arguments)
            except Refused as refusal:
                told = {"field": refusal.field, "message": refusal.message, "code": refusal.code}
                return {"userErrors": [told], errors: [told]}
            call.world.count(call.shop, name, app=call.token.app, **payload.pop("counted", {}))
            return {"userErrors": [], errors: [], **payload}

        return change

    return mark


def _order(call: Call, gid: str) -> Order:
    order: Order | None = find(call, gid, Order)
    if order is None:
        raise Refused("Order does not exist", ["id"], "NOT_FOUND")
    return order


def _tagged(call: Call, gid: str) -> Order:
    """Tags of a resource that is not there are no user error but a GraphQL one."""
    order: Order | None = find(call, gid, Order)
    if order is None:
        raise GraphQLError("invalid id", extensions={"code": "RESOURCE_NOT_FOUND"})
    return order


def _set_tags(call: Call, order: Order, tags: list[str]) -> Payload:
    changed = tags != order.tags
    order.tags = tags
    if changed:
        announce_order(call.world, call.shop, order)
    return {"node": order, "counted": {"order": order.pk, "tags": list(tags), "changed": changed}}


@mutation("tagsAdd")
def tags_add(call: Call, _info: Info, id: str, tags: list[str]) -> Payload:
    order = _tagged(call, id)
    return _set_tags(call, order, with_tags(order.tags, tags))


@mutation("tagsRemove")
def tags_remove(call: Call, _info: Info, id: str, tags: list[str]) -> Payload:
    order = _tagged(call, id)
    return _set_tags(call, order, without_tags(order.tags, tags))


@mutation("orderUpdate")
def order_update(call: Call, _info: Info, input: dict[str, Any]) -> Payload:
    """`tags` overwrites all tags, unlike tagsAdd."""
    order = _order(call, input["id"])
    tags = normal(input["tags"]) if "tags" in input else order.tags
    if "customAttributes" in input:
        order.attributes = {item["key"]: item["value"] for item in input["customAttributes"] or []}
    order.tags = tags
    for name, attribute in (("note", "note"), ("email", "email"), ("phone", "phone"), ("poNumber", "po_number")):
        if name in input:
            setattr(order, attribute, input[name])
    announce_order(call.world, call.shop, order)
    return {"order": order, "counted": {"order": order.pk, "fields": sorted(set(input) - {"id"})}}


@mutation("orderCancel", "orderCancelUserErrors")
def order_cancel(
    call: Call,
    _info: Info,
    order_id: str,
    reason: str,
    restock: bool,
    refund_method: dict[str, Any] | None = None,
    refund: bool | None = None,
    staff_note: str | None = None,
    **_other: Any,
) -> Payload:
    try:
        order = _order(call, order_id)
    except Refused as refusal:
        raise Refused(refusal.message, ["orderId"], "NOT_FOUND") from refusal
    method = cancelling.refund_method(call.world, order, refund_method or {}, refund)
    wish = cancelling.CancelWish(reason, restock, method, staff_note)
    job = cancelling.start_cancel(call.world, call.shop, order, wish)
    counted = {"order": order.pk, "refund": method, "restock": restock, "reason": reason}
    return {"job": job_view(job), "jobResult": job, "counted": counted}


@mutation("orderEditBegin")
def order_edit_begin(call: Call, _info: Info, id: str) -> Payload:
    order = _order(call, id)
    session = editing.begin(call.world, call.shop, order)
    return {**_edit_view(session), "counted": {"order": order.pk}}


def _edit_view(session: editing.EditSession) -> Payload:
    return {"orderEditSession": session, "calculatedOrder": editing.CalculatedOrder(session)}


@mutation("orderEditSetQuantity")
def order_edit_set_quantity(
    call: Call,
    _info: Info,
    id: str,
    line_item_id: str,
    quantity: int,
    restock: bool = False,
    **_other: Any,
) -> Payload:
    session = editing.find_session(call.shop, id)
    line = editing.set_quantity(call.world, session, line_item_id, quantity, bool(restock))
    counted = {"order": session.order.pk, "line": line.pk, "quantity": quantity}
    return {"calculatedLineItem": line, **_edit_view(session), "counted": counted}


@mutation("orderEditCommit")
def order_edit_commit(
    call: Call, _info: Info, id: str, notify_customer: bool | None = None, staff_note: str | None = None
) -> Payload:
    session = editing.find_session(call.shop, id)
    order = editing.commit(call.world, call.shop, session, staff_note, bool(notify_customer))
    quantities = {str(line.pk): line.current_quantity for line in order.line_items}
    return {
        "order": order,
        "successMessages": ["Order updated"],
        "counted": {"order": order.pk, "quantities": quantities},
    }


@mutation("fulfillmentOrderHold")
def hold(call: Call, _info: Info, id: str, fulfillment_hold: dict[str, Any]) -> Payload:
    item = holding.find_fulfillment_order(call.shop, id)
    made, rest = holding.hold(call.world, call.shop, item, call.token.app, fulfillment_hold)
    counted = {"order": item.order.pk, "fulfillment_order": item.pk, "handle": made.handle}
    return {
        "fulfillmentHold": made,
        "fulfillmentOrder": item,
        "remainingFulfillmentOrder": rest,
        "counted": counted,
    }


@mutation("fulfillmentOrderReleaseHold")
def release(
    call: Call, _info: Info, id: str, hold_ids: list[str] | None = None, external_id: str | None = None
) -> Payload:
    item = holding.find_fulfillment_order(call.shop, id)
    gone = holding.release(call.world, call.shop, item, hold_ids)
    counted = {"order": item.order.pk, "fulfillment_order": item.pk, "released": [found.handle for found in gone]}
    return {"fulfillmentOrder": item, "counted": counted}


@mutation("fulfillmentOrderCancel")
def cancel_fulfillment_order(call: Call, _info: Info, id: str) -> Payload:
    item = holding.find_fulfillment_order(call.shop, id)
    old, made = holding.cancel_request(call.world, call.shop, item)
    return {"fulfillmentOrder": old, "replacementFulfillmentOrder": made, "counted": {"order": item.order.pk}}


@mutation("refundCreate")
def refund_create(call: Call, info: Info, input: dict[str, Any]) -> Payload:
    """`@idempotent` is mandatory at run time though the schema does not say so."""
    key = _idempotency_key(info)
    before = call.shop.nodes.get(f"idempotent:{key}")
    if before is not None:
        wish, made = before
        if wish != input:
            raise GraphQLError(
                "The idempotency key was used with other parameters.",
                extensions={"code": "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"},
            )
        return {"refund": made, "order": made.order, "counted": {"order": made.order.pk, "replayed": True}}
    order = _order(call, input["orderId"])
    made = returning.refund(call.world, call.shop, order, input)
    call.shop.nodes[f"idempotent:{key}"] = (input, made)
    return {"refund": made, "order": order, "counted": {"order": order.pk, "amount": str(made.total_refunded_set)}}


def _idempotency_key(info: Info) -> str:
    for directive in info.field_nodes[0].directives or ():
        if directive.name.value == "idempotent" and directive.arguments:
            value: Any = directive.arguments[0].value
            key = info.variable_values.coerced.get(value.name.value) if value.kind == "variable" else value.value
            if key:
                return str(key)
    raise GraphQLError(
        "The @idempotent directive is required for this mutation but was not provided.",
        extensions={"code": "BAD_REQUEST"},
    )


@mutation("returnProcess")
def return_process(call: Call, _info: Info, input: dict[str, Any]) -> Payload:
    item = returning.process(call.world, call.shop, returning.find_return(call.shop, input["returnId"]), input)
    return {"return": item, "counted": {"return": item.pk}}


@mutation("returnClose")
def return_close(call: Call, _info: Info, id: str) -> Payload:
    item = returning.find_return(call.shop, id)
    returning.set_status(call.world, call.shop, item, "CLOSED", "returns/close")
    return {"return": item, "counted": {"return": item.pk}}


class BulkOperation(Node):
    """Accepted and then left alone: nothing here exports anything."""

    graphql_type = "BulkOperation"
    status, type, object_count, root_object_count = "CREATED", "QUERY", "0", "0"

    def __init__(self, pk: int, query: str, created_at: Any) -> None:
        self.pk, self.query, self.created_at = pk, query, created_at


@mutation("bulkOperationRunQuery")
def bulk(call: Call, _info: Info, query: str, **_other: Any) -> Payload:
    made = BulkOperation(call.world.next_id(), query, call.world.now())
    register(call.shop, made)
    return {"bulkOperation": made, "counted": {}}
