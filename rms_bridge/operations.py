"""What the published contract says in words of each bridge endpoint: the part no model knows (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rms_bridge.contract import CreateReturnOrder, ReturnNotification, ReturnsProcessingUpdate
from rms_bridge.partners import clickpost, shiprocket

BRIDGE = "bridge"  # the credential headers authUsername and authPassword
COMMON_ANSWERS = (400, 401, 408, 413, 415, 429, 500, 503)
HOOK_ANSWERS = (400, 401, 408, 413, 429, 500, 503)


@dataclass(frozen=True)
class Operation:
    """One endpoint. Without a `body` the composition root names the model that validates it."""

    path: str
    tag: str
    title: str
    words: str
    examples: Mapping[str, Any]
    body: type[BaseModel] | None = None
    rules: tuple[str, ...] = ()  # what the schema cannot say: a breach is a 400 too
    header: str = BRIDGE  # or the name of a hook's own key header
    answers: tuple[int, ...] = COMMON_ANSWERS
    extra: Mapping[str, str] = field(default_factory=dict)  # status -> name of a response, beside or instead of those


_SMALLEST_RETURN = {
    "forwardOrderCode": "108",
    "returnOrderCode": "100079",
    "locationCode": "Wid234",
    "orderItems": [
        {"itemCode": "I1", "reason": "Too small", "channelSkuCode": "10007345"},
        {"itemCode": "I2", "reason": "Too small", "channelSkuCode": "10007345"},
    ],
    "awbNumber": "HYN403",
    "transporter": "transporter",
}
_DATED_RETURN = {
    **_SMALLEST_RETURN,
    "returnOrderCode": "100078",
    "returnOrderTime": "2020-10-16T20:22:28.000+05:30",
    "returnOrderStatus": "RETURN_CREATED",
    "expectedDate": "2020-10-16T20:22:28.000+05:30",
    "orderType": "CUSTOMER_RETURN",
}
_RETURN_PICKED_UP = {
    "forwardOrderCode": "108",
    "courierName": "SELF",
    "notificationType": "PICKED_UP",
    "returnOrderInfo": {
        "returnOrderId": "100078",
        "returnAwb": "HYN402",
        "transporter": "transporter",
        "returnOrderTime": 1602859948,
    },
    "logisticAggregatorInfo": {"logisticAggregatorName": "CLICKPOST", "logisticAggregatorMetaData": {}},
    "items": [{"itemId": "I10098", "sku": "10007345", "quantity": 1}],
}
_FORWARD_DELIVERED = {
    "forwardOrderCode": "108",
    "forwardAwb": "FWD402",
    "courierName": "SELF",
    "notificationType": "DELIVERED",
    "notificationUpdateTime": 1678949844,
    "returnOrderInfo": None,
    "logisticAggregatorInfo": {"logisticAggregatorName": "SHIPROCKET", "logisticAggregatorMetaData": {}},
    "items": None,
}
_MIXED_VERDICT = {
    "returnOrderCode": "100078",
    "forwardOrderCode": "108",
    "locationCode": "Wid234",
    "orderItems": [
        {"itemCode": "I10098", "channelSkuCode": "10007345", "qcStatus": "PASS"},
        {
            "itemCode": "I10099",
            "channelSkuCode": "10007346",
            "qcStatus": "FAIL",
            "qcReason": "STAIN_DAMAGE",
            "imageUrls": ["https://example.com/qc/1.jpg"],
        },
    ],
}
_VERDICT_RULES = (
    "Two elements of `orderItems` with one `itemCode` must agree in `channelSkuCode`, `qcStatus` and `qcReason`.",
)

OPERATIONS = (
    Operation(
        path="/rms/return-orders",
        tag="RMS",
        title="Create Return Order",
        words="A customer's parcel is coming back, in full: the goods, the warehouse, the courier. "
        "Sent again with the same content it changes nothing.",
        body=CreateReturnOrder,
        rules=(
            "Which fields are mandatory beside the always mandatory ones depends on the shop's setting "
            "`rms.awb_source`; each such field says when. Mandatory text must not be blank.",
            "`itemCode` differs in each element of `orderItems`.",
            "`orderDetails.codValue` is more than 0 when `orderDetails.isCod` is true.",
        ),
        examples={"smallest": _SMALLEST_RETURN, "dated": _DATED_RETURN},
    ),
    Operation(
        path="/rms/notifications",
        tag="RMS",
        title="Push Notification",
        words="A tracking update. It is about a return when `returnOrderInfo` is given or when it tells of an RTO, "
        "else about the parcel on its way to the customer, which is recorded and changes nothing.",
        body=ReturnNotification,
        rules=(
            "When `returnOrderInfo` is given, each element of `items` and `lineItems` must name its `sku`.",
            "The pieces of a return are at most 10,000 in all, and each must be nameable: "
            "n pieces of item I go by I-1 to I-n, of at most 255 characters, no two alike.",
        ),
        examples={"return picked up": _RETURN_PICKED_UP, "forward parcel delivered": _FORWARD_DELIVERED},
    ),
    Operation(
        path="/rms/returns-processing-updates",
        tag="RMS",
        title="Returns Processing Update",
        words="What quality control said of pieces that came back. Verdicts may come in several calls, "
        "and may be corrected by sending the piece again.",
        body=ReturnsProcessingUpdate,
        rules=_VERDICT_RULES,
        examples={"one piece passed, one failed": _MIXED_VERDICT},
    ),
    Operation(
        path="/oms/return-acknowledgements",
        tag="OMS",
        title="Return Order Acknowledgement",
        words="The same verdicts by another door. What RMS has told already changes nothing.",
        body=ReturnsProcessingUpdate,
        rules=_VERDICT_RULES,
        examples={"one piece passed, one failed": _MIXED_VERDICT},
    ),
    Operation(
        path="/oms/seller-cancellations",
        tag="OMS",
        title="Seller Cancellation",
        words="The warehouse cannot serve these pieces: they are cancelled in Shopify before we answer. "
        "Quantities are absolute totals, so a repeat is harmless. Allow 45 seconds for the answer; a 503 asks "
        "for the same call again.",
        rules=("`orderItemCode` differs in each element of `orderItems`.",),
        examples={
            "one piece": {
                "orderCode": "5361000000108",
                "locationCode": "Wid234",
                "orderItems": [
                    {"channelSkuCode": "10007345", "orderItemCode": "14974593958185", "cancelledQuantity": 1}
                ],
            }
        },
        extra={"200": "SellerAnswer", "503": "SellerNotFinished"},
    ),
    Operation(
        path="/hooks/clickpost/{key}",
        tag="Partners",
        title="Clickpost tracking webhook",
        words="Where Clickpost is wired to us directly. Only the fields below are read; every one may be missing, of "
        "another type or new. An empty body or `{}` is a test and stores nothing.",
        body=clickpost.Message,
        header="webhook_key",
        answers=HOOK_ANSWERS,
        examples={
            "return picked up": {
                "waybill": "HYN402",
                "clickpost_status_code": 4,
                "clickpost_status_description": "PickedUp",
                "return_reference_number": "100078",
                "forward_order_id": "108",
                "additional": {"is_rvp": True},
            }
        },
    ),
    Operation(
        path="/hooks/st/{key}",
        tag="Partners",
        title="Shiprocket tracking webhook",
        words="Where Shiprocket is wired to us directly. Only the fields below are read; every one may be missing, of "
        "another type or new. An empty body or `{}` is a test and stores nothing.",
        body=shiprocket.Message,
        header="x-api-key",
        answers=HOOK_ANSWERS,
        examples={
            "return picked up": {
                "awb": "HYN402",
                "courier_name": "Delhivery",
                "current_status": "RETURN PICKED UP",
                "current_status_id": 32,
                "sr_order_id": 348456385,
                "is_return": 1,
            }
        },
    ),
)
