"""The bodies OMS accepts, field by field (reference §§2.1, 2.8, 3.1–3.3)."""

from __future__ import annotations

from collections.abc import Collection

from simulators.oms.checks import (
    Field,
    each,
    flag,
    free,
    may,
    moment,
    need,
    number,
    one_of,
    positive,
    shape,
    text,
    whole,
)

# Reference §9 no. 15: the newer page's limit.
MOST_ITEMS = 2500
# Reference §3.1: the older sample codes and the newer table's words.
ORDER_TYPES = ("SO", "STO", "RTV", "RPO", "PO", "SALES", "PURCHASE", "STOCK_TRANSFER", "REPLACEMENT", "RETURN")
RETURN_TYPES = ("SELF_SHIP", "CUSTOMER_RETURN", "RETURN_TO_ORIGIN")
REGIONS = ("INDIAN", "INTERNATIONAL")
TAX_NUMBERS = ("rate", "taxPerUnit", "taxTotal")
ADDRESS_PARTS = ("name", "line1", "city", "state", "zip", "country", "email", "phone")
ATTRIBUTES = shape(
    *(may(f"attribute{n}", text) for n in range(1, 11)), may("channelMetadata", free), may("currency", text)
)

# The page does not say which parts of a forward order's address are mandatory.
FORWARD_ADDRESS = shape(*(may(part, text) for part in (*ADDRESS_PARTS, "line2", "line3")))
RETURN_ADDRESS = shape(*(need(part, text) for part in ADDRESS_PARTS), may("line2", text), may("line3", text))

OUTWARD_ORDER: tuple[Field, ...] = (
    need("orderCode", text),
    may("parentOrderCode", text),
    may("locationCode", text),
    may("isSplitRequired", flag),
    need("orderTime", moment),
    need("orderType", one_of(*ORDER_TYPES)),
    need("onHold", flag),
    may("isPriority", flag),
    may("gift", flag),
    need("qcStatus", one_of("PASS", "FAIL")),
    need("dispatchByTime", moment),
    need("startProcessingTime", moment),
    need("paymentMethod", one_of("COD", "NCOD")),
    may("packType", one_of("PIECE", "BULK")),
    may(
        "taxBreakupForms",
        each(
            need("channelSkuId", text),
            need("baseSellingPricePerUnit", number),
            need("taxItemForms", each(need("type", text), need("rate", number), need("taxPerUnit", number))),
        ),
    ),
    need("shippingAddress", FORWARD_ADDRESS),
    need("billingAddress", FORWARD_ADDRESS),
    need(
        "orderItems",
        each(
            need("channelSkuCode", text),
            need("orderItemCode", text),
            need("quantity", positive),
            need("sellingPricePerUnit", number),
            may("sellerDiscountPerUnit", number),
            may("channelDiscountPerUnit", number),
            may("shippingChargePerUnit", number),
            may("minExpiry", text),
            may("giftOptions", free),
            may("orderItemCustomAttributes", ATTRIBUTES),
            most=MOST_ITEMS,
        ),
    ),
    may("orderCustomAttributes", ATTRIBUTES),
)

ORDER_PROPERTIES: tuple[Field, ...] = (
    need("onHold", flag),
    need("dispatchByTime", moment),
    need("startProcessingTime", moment),
    may("locationCode", text),
    may("deliveredAt", moment),
    may("orderStatus", one_of("DELIVERED", "CREATED")),
)

CANCELLATION: tuple[Field, ...] = (
    may("locationCode", text),
    need(
        "orderItems", each(need("channelSkuCode", text), need("orderItemCode", text), need("cancelledQuantity", whole))
    ),
)

RETURN_UPDATE: tuple[Field, ...] = (
    need("returnOrderCode", text),
    need("locationCode", text),
    may("transporter", text),
    may("trackingCode", text),
    may("returnOrderStatus", text),
    may("expectedDate", moment),
    may("returnOrderAttributes", ATTRIBUTES),
    may("returnOrderItemAttributes", each(need("orderItemCode", text), need("channelSkuCode", text))),
)

ADDED_ITEMS: tuple[Field, ...] = (
    need("orderCode", text),
    need("returnOrderCode", text),
    need("locationCode", text),
    need(
        "returnLineItems",
        each(
            need("channelReturnItemCode", text),
            need("channelSkuCode", text),
            may("subOrderCode", text),
            may("reasonForReturn", text),
            may("price", number),
        ),
    ),
)

RETURN_SEARCH: tuple[Field, ...] = (need("awbNumber", text), need("transporter", text))


def return_order(fetches_awb: bool, aggregator: str, courier_fields: Collection[str]) -> tuple[Field, ...]:
    """The Create Return Order form. `*` and `*†` fields count only when Increff must fetch the AWB (reference §2.1)."""
    clickpost = fetches_awb and aggregator == "CLICKPOST"
    dimension = shape(*(need(side, number) for side in ("breadth", "height", "length", "weight")))
    return (
        need("forwardOrderCode", text),
        need("returnOrderCode", text),
        need("locationCode", text),
        may("returnOrderTime", moment),
        may("returnOrderStatus", text),
        may("expectedDate", moment),
        need("orderItems", each(*_return_item(fetches_awb, courier_fields), most=MOST_ITEMS)),
        Field("orderType", one_of(*RETURN_TYPES), fetches_awb),
        Field("awbNumber", text, not fetches_awb),
        Field("transporter", text, not fetches_awb),
        Field("currencyCode", text, fetches_awb),
        Field("regionType", one_of(*REGIONS), fetches_awb),
        Field("sellerGstin", text, clickpost),
        Field("consigneeGstin", text, fetches_awb and "consigneeGstin" in courier_fields),
        Field("returnReason", text, fetches_awb),
        Field("shipmentDimension", dimension, fetches_awb),
        Field("dropAddress", RETURN_ADDRESS, fetches_awb),
        Field("pickupAddress", RETURN_ADDRESS, fetches_awb),
        Field("orderDetails", shape(*_order_details(clickpost)), fetches_awb),
    )


def _return_item(fetches_awb: bool, courier_fields: Collection[str]) -> tuple[Field, ...]:
    taxed = fetches_awb and "subTaxItemData" in courier_fields
    tax = (Field("type", text, taxed), *(Field(part, number, taxed) for part in TAX_NUMBERS))
    for_courier = [
        Field(name, text, fetches_awb and name in courier_fields)
        for name in ("brand", "color", "category", "subCategory", "serialNumber")
    ]
    return (
        need("itemCode", text),
        need("reason", text),
        need("channelSkuCode", text),
        Field("name", text, fetches_awb),
        *for_courier,
        Field("price", number, fetches_awb),
        Field("finalAmountPaid", number, fetches_awb),
        may("imageUrl", text),
        may("storeCreditsUsed", number),
        Field("subTaxItemData", each(*tax), taxed),
    )


def _order_details(clickpost: bool) -> tuple[Field, ...]:
    return (
        need("codValue", number),
        Field("invoiceNumber", text, clickpost),
        Field("invoiceTime", moment, clickpost),
        need("invoiceValue", number),
        need("isCod", flag),
        may("forwardShipmentNumber", text),
    )
