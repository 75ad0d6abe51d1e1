"""The bodies RMS and OMS send, built from a small description (reference §§2.1, 2.4, 2.6)."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
ADDRESS = {
    "name": "Asha Rao",
    "line1": "12 Lake Road",
    "line2": "2nd floor",
    "line3": None,
    "city": "Bengaluru",
    "state": "Karnataka",
    "zip": "560076",
    "country": "INDIA",
    "email": "asha@example.com",
    "phone": "9999999999",
}


def iso_now() -> str:
    """The form Increff sends most: milliseconds and an offset (reference §6)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def return_order_body(code: str, forward: str, items: list[Json], without: Collection[str], **overrides: Any) -> Json:
    """A Create Return Order body with all sections; one element is one unit (reference §2.1)."""
    body = {
        "forwardOrderCode": forward,
        "returnOrderCode": code,
        "locationCode": "Wid234",
        "returnOrderTime": iso_now(),
        "returnOrderStatus": "RETURN_CREATED",
        "expectedDate": iso_now(),
        "orderItems": [_return_item(item) for item in items],
        "orderType": "CUSTOMER_RETURN",
        "awbNumber": f"AWB{code}",
        "transporter": "Delhivery",
        "currencyCode": "INR",
        "regionType": "INDIAN",
        "returnReason": "Customer return",
        "sellerGstin": "29AADCP7081J1ZY",
        "consigneeGstin": "29AAHCT2518N1ZW",
        "shipmentDimension": {"breadth": 10.0, "height": 10.0, "length": 10.0, "weight": 200.0},
        "dropAddress": {**ADDRESS, "name": "Warehouse 234"},
        "pickupAddress": dict(ADDRESS),
        "orderDetails": {
            "codValue": 0.0,
            "invoiceNumber": f"INV-{forward}",
            "invoiceTime": iso_now(),
            "invoiceValue": 100.0 * len(items),
            "isCod": False,
            "forwardShipmentNumber": f"S{forward}",
        },
        **overrides,
    }
    return {name: value for name, value in body.items() if name not in without}


def _return_item(item: Json) -> Json:
    more = {name: value for name, value in item.items() if name not in ("sku", "itemCode", "reason")}
    return {
        "itemCode": item["itemCode"],
        "reason": item.get("reason", "Different Size"),
        "channelSkuCode": item.get("sku"),
        "name": "Cotton shirt",
        "brand": "Demo",
        "color": "Black",
        "category": "Apparel",
        "subCategory": "Shirt",
        "serialNumber": None,
        "price": 100.0,
        "finalAmountPaid": 100.0,
        "imageUrl": None,
        "storeCreditsUsed": 0.0,
        "subTaxItemData": [{"type": "IGST", "rate": 5.0, "taxPerUnit": 5.0, "taxTotal": 5.0}],
        **more,
    }


def notification_body(
    code: str | None, forward: str, kind: str, items: list[Json] | None, awb: str | None, **overrides: Any
) -> Json:
    """A Push Notification. Without a return code it is about the forward shipment (reference §2.4)."""
    about_return = {
        "returnOrderId": code,
        "returnAwb": awb if awb is not None else f"AWB{code}",
        "transporter": "Delhivery",
        "returnOrderTime": int(time.time()),
    }
    lines = [
        {
            "itemId": item.get("itemId", item.get("itemCode")),
            "sku": item.get("sku"),
            "quantity": item.get("quantity", 1),
        }
        for item in items or []
    ]
    return {
        "forwardOrderCode": forward,
        "forwardShipmentCode": None,
        "forwardAwb": awb if code is None else None,
        "courierName": "SELF",
        "notificationType": kind,
        "notificationUpdateTime": int(time.time()),
        "returnOrderInfo": about_return if code is not None else None,
        "logisticAggregatorInfo": {
            "logisticAggregatorName": "CLICKPOST",
            "logisticAggregatorMetaData": {"Account Code": "demo"},
        },
        "warehouseCode": None,
        "items": lines or None,
        **overrides,
    }


def verdict_body(code: str, forward: str, verdicts: list[Json], **overrides: Any) -> Json:
    """A Returns Processing Update; also the body of OMS's Return Order Acknowledgement (reference §§2.6, 4)."""
    return {
        "returnOrderCode": code,
        "forwardOrderCode": forward,
        "locationCode": "Wid234",
        "orderItems": [_verdict_item(verdict) for verdict in verdicts],
        **overrides,
    }


def _verdict_item(verdict: Json) -> Json:
    """One element of a Returns Processing Update; reason and pictures are null on PASS (reference §2.6)."""
    failed = verdict.get("status", "PASS") != "PASS"
    return {
        "itemCode": verdict["itemCode"],
        "channelSkuCode": verdict.get("sku", verdict.get("channelSkuCode")),
        "qcStatus": verdict.get("status", "PASS"),
        "qcReason": verdict.get("reason", "OTHER_DAMAGE" if failed else None),
        "imageUrls": verdict.get("imageUrls"),
    }
