"""Our values in OMS's JSON. Rendering never decides. Increff pages: Create Outward Order, Update Order Properties,
Customer Cancellation, Create Return Order, Update Returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.clock import render_time
from core.domain.orders import Address, ForwardLine, ForwardOrder
from core.domain.returns import PARCEL_SIZES, ReturnUnit

_MAX_TEXT = 255  # Increff takes no longer text anywhere ("Possible Nuances")


def shorten(value: Any) -> Any:
    """Cut long texts to what Increff takes, visibly; everything else as it is, however deep."""
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[: _MAX_TEXT - 1] + "…"
    if isinstance(value, dict):
        return {key: shorten(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shorten(one) for one in value]
    return value


def render_address(address: Address) -> dict[str, str]:
    """An address with contact."""
    return {
        "name": address.name,
        "line1": address.line1,
        "line2": address.line2,
        "line3": "",
        "city": address.city,
        "state": address.state,
        "zip": address.zip,
        "country": address.country,
        "email": address.email,
        "phone": address.phone,
    }


def merge_lines(order: ForwardOrder, skus: Mapping[str, str]) -> list[list[ForwardLine]]:
    """OMS takes a SKU once per order: lines of one SKU at one price become one, known by the first one's id.

    Lines of one SKU at different prices stay apart; OMS will refuse them, and a person sees its words.
    """
    groups: dict[tuple[str, float, float], list[ForwardLine]] = {}
    for line in order.lines:
        groups.setdefault((skus[str(line.id)], line.unit_price, line.unit_discount), []).append(line)
    return list(groups.values())


def render_order(order: ForwardOrder, head: Mapping[str, Any], skus: Mapping[str, str]) -> dict[str, Any]:
    """`POST /orders/outward`. `head` is what was decided beforehand: code, location, hold, type and dispatch times."""
    items = [
        {
            "channelSkuCode": skus[str(group[0].id)],
            "orderItemCode": str(group[0].id),
            "quantity": sum(line.quantity for line in group),
            "sellingPricePerUnit": group[0].unit_price,
            "sellerDiscountPerUnit": group[0].unit_discount,
        }
        for group in merge_lines(order, skus)
    ]
    body = {
        **head,
        "orderTime": render_time(order.created_at),
        "isPriority": False,
        "gift": False,
        "qcStatus": "PASS",
        "paymentMethod": "COD" if order.cash_on_delivery else "NCOD",
        "packType": "PIECE",
        "shippingAddress": render_address(order.shipping),
        "billingAddress": render_address(order.billing),
        "orderItems": items,
    }
    shortened: dict[str, Any] = shorten(body)
    return shortened


def render_hold(on_hold: bool, dispatch_by: datetime, start_processing: datetime, location: str) -> dict[str, Any]:
    """`PUT /orders/{orderCode}`: the hold; the times must come along every time."""
    return {
        "onHold": on_hold,
        "dispatchByTime": render_time(dispatch_by),
        "startProcessingTime": render_time(start_processing),
        "locationCode": location,
    }


def render_cancel(totals: Mapping[str, int], skus: Mapping[str, str], location: str) -> dict[str, Any]:
    """`PUT /orders/{orderCode}/cancel`: absolute totals per line; lines with nothing cancelled are left out."""
    items = [
        {"channelSkuCode": skus[line], "orderItemCode": line, "cancelledQuantity": total}
        for line, total in totals.items()
        if total > 0
    ]
    return {"locationCode": location, "orderItems": items}


def render_return(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`POST /return/return-orders` from a Create Return Order body's facts: exactly those, long texts shortened.

    A parcel's sizes must be complete (mandatory inside, says Increff's page): what is missing is the default.
    """
    sizes = {"shipmentDimension": PARCEL_SIZES | facts["shipmentDimension"]} if "shipmentDimension" in facts else {}
    shortened: dict[str, Any] = shorten({"orderType": "CUSTOMER_RETURN", **facts, **sizes})
    return shortened


def render_return_units(head: Mapping[str, Any], units: Sequence[ReturnUnit], default_reason: str) -> dict[str, Any]:
    """`POST /return/return-orders` for a return known from notifications only: the smallest body OMS takes."""
    items = [
        {"itemCode": unit.item_code, "reason": unit.reason or default_reason, "channelSkuCode": unit.sku}
        for unit in units
    ]
    return render_return({**{key: value for key, value in head.items() if value is not None}, "orderItems": items})
