"""The three bodies RMS sends, field by field: names, types, limits and what is always mandatory.

Rests on Increff's pages "Create Return Order", "Push Notifications" and "Returns Processing Update". What depends on
the shop's settings, or on another field, is in `contract_conditions`. Unknown fields are ignored; null is "not given".
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from core.clock import parse_time, render_time
from core.domain.returns import PARCEL_SIZES, ReturnType, Verdict

MAX_CODE = 255  # Increff takes no text longer than this, and a shortened code names something else
MAX_QUANTITY = 1000
MAX_UNITS = 10_000  # four times what OMS takes in one order; without a bound a small body makes millions of faults
MAX_PARTS = 100  # taxes or photos of one piece
EMPTY = "must not be empty"


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(EMPTY)
    return text


def _read_number(value: object) -> float:
    """A finite number, as it came: 10 stays 10 and does not become 10.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("number too large")
    return value


def _read_time(value: object) -> datetime:
    try:
        return parse_time(value)
    except OverflowError:
        raise ValueError("not a time") from None


def _require_one_of(allowed: tuple[str, ...], value: str) -> str:
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return value


def _check_quantity(quantity: int) -> int:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise ValueError(f"must be from 1 to {MAX_QUANTITY}")
    return quantity


ORDER_TYPES = tuple(ReturnType)
REGION_TYPES = ("INDIAN", "INTERNATIONAL")
QC_STATUSES = tuple(Verdict)

_NOT_BLANK = (AfterValidator(_refuse_blank), Field(json_schema_extra={"minLength": 1}))
_TIME_SCHEMA = {
    "anyOf": [{"type": "string"}, {"type": "number"}],
    "description": "ISO 8601 with an offset, `Z` or `Z[UTC]`; or epoch seconds or milliseconds",
    "examples": ["2020-10-16T20:22:28.000+05:30"],
}

Text = Annotated[str, *_NOT_BLANK]
Identifier = Annotated[str, Field(max_length=MAX_CODE)]
Code = Annotated[str, Field(max_length=MAX_CODE), *_NOT_BLANK]
Number = Annotated[float, PlainValidator(_read_number), WithJsonSchema({"type": "number"})]
Time = Annotated[datetime, PlainValidator(_read_time), PlainSerializer(render_time), WithJsonSchema(_TIME_SCHEMA)]
Quantity = Annotated[
    int, AfterValidator(_check_quantity), Field(json_schema_extra={"minimum": 1, "maximum": MAX_QUANTITY})
]
OrderType = Annotated[
    str, AfterValidator(partial(_require_one_of, ORDER_TYPES)), Field(json_schema_extra={"enum": [*ORDER_TYPES]})
]
RegionType = Annotated[
    str, AfterValidator(partial(_require_one_of, REGION_TYPES)), Field(json_schema_extra={"enum": [*REGION_TYPES]})
]
QcStatus = Annotated[
    str, AfterValidator(partial(_require_one_of, QC_STATUSES)), Field(json_schema_extra={"enum": [*QC_STATUSES]})
]


class Part(BaseModel):
    """A JSON object of Increff's: strict types, camelCase on the wire, unknown fields ignored, null not given."""

    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, hide_input_in_errors=True, alias_generator=to_camel
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, given: Any) -> Any:
        return {name: one for name, one in given.items() if one is not None} if isinstance(given, dict) else given


# --- Create Return Order ---------------------------------------------------------------------------------------------


class SubTax(Part):
    """One tax on an item."""

    type: str | None = Field(None, description="Kind of tax, such as IGST")
    rate: Number | None = Field(None, description="Rate in per cent")
    tax_per_unit: Number | None = Field(None, description="Tax on one unit")
    tax_total: Number | None = Field(None, description="Tax in all")


class ReturnItem(Part):
    """One piece coming back: n pieces of a SKU are n elements."""

    item_code: Code = Field(description="The channel's id of this returned piece, unique within the return")
    reason: Text = Field(description="Why the customer returns it")
    channel_sku_code: Code = Field(description="The channel's SKU")
    name: str | None = Field(None, description="Product name")
    brand: str | None = Field(None, description="Brand")
    color: str | None = Field(None, description="Colour")
    category: str | None = Field(None, description="Category")
    sub_category: str | None = Field(None, description="Category within the category")
    serial_number: Identifier | None = Field(None, description="Serial number of this piece")
    price: Number | None = Field(None, description="Price")
    final_amount_paid: Number | None = Field(None, description="What the customer paid in the end")
    image_url: str | None = Field(None, description="Where a picture of the product is")
    store_credits_used: Number | None = Field(None, description="Store credit spent on it")
    sub_tax_item_data: list[SubTax] | None = Field(None, max_length=MAX_PARTS, description="The taxes on it")


class ShipmentDimension(Part):
    """Size and weight of the parcel."""

    breadth: Number = Field(PARCEL_SIZES["breadth"], description="Breadth")
    height: Number = Field(PARCEL_SIZES["height"], description="Height")
    length: Number = Field(PARCEL_SIZES["length"], description="Length")
    weight: Number = Field(PARCEL_SIZES["weight"], description="Weight in grams")


class Address(Part):
    """Where a parcel goes, or where it is fetched."""

    name: Text = Field(description="Who is asked for there")
    line1: Text = Field(description="First line")
    line2: str | None = Field(None, description="Second line")
    line3: str | None = Field(None, description="Third line")
    city: Text = Field(description="City")
    state: Text = Field(description="State")
    zip: Text = Field(description="Postal code")
    country: Text = Field(description="Country")
    email: Text = Field(description="E-mail address")
    phone: Text = Field(description="Telephone number")


class OrderDetails(Part):
    """Money and papers of the return shipment."""

    cod_value: Number = Field(description="Cash to collect; more than 0 when isCod is true")
    invoice_number: Identifier | None = Field(None, description="Number of the invoice")
    invoice_time: Time | None = Field(None, description="When the invoice was made")
    invoice_value: Number = Field(description="Sum of the invoice")
    is_cod: bool = Field(description="True when the order was paid in cash on delivery")
    forward_shipment_number: Identifier | None = Field(None, description="The shipment the goods went out with")


class CreateReturnOrder(Part):
    """Increff: "Create Return Order"."""

    forward_order_code: Code = Field(description="The order the goods were bought with")
    return_order_code: Code = Field(description="The channel's unique code of this return")
    location_code: Code = Field(description="The warehouse that will receive the goods")
    return_order_time: Time | None = Field(None, description="When the customer asked for the return")
    return_order_status: str | None = Field(None, description="Where the return stands, in the sender's words")
    expected_date: Time | None = Field(None, description="When the goods are expected at the warehouse")
    order_items: list[ReturnItem] = Field(min_length=1, max_length=MAX_UNITS, description="One element per piece")
    order_type: OrderType | None = Field(None, description="Kind of return")
    awb_number: Identifier | None = Field(None, description="Tracking number of the courier")
    transporter: Identifier | None = Field(None, description="The courier")
    currency_code: Identifier | None = Field(None, description="Currency, such as INR")
    region_type: RegionType | None = Field(None, description="Within India or across its border")
    seller_gstin: Identifier | None = Field(None, description="The seller's tax number (GSTIN)")
    consignee_gstin: Identifier | None = Field(None, description="The receiver's tax number (GSTIN)")
    return_reason: str | None = Field(None, description="Why the order as a whole comes back")
    shipment_dimension: ShipmentDimension | None = Field(None, description="Size and weight of the parcel")
    drop_address: Address | None = Field(None, description="The warehouse's address")
    pickup_address: Address | None = Field(None, description="The customer's address")
    order_details: OrderDetails | None = Field(None, description="Money and papers of the shipment")


# --- Push Notifications ----------------------------------------------------------------------------------------------


class ReturnOrderInfo(Part):
    """Which return a notification is about."""

    return_order_id: Identifier | None = Field(None, description="The channel's code of the return")
    return_awb: Identifier | None = Field(None, description="Tracking number of the return parcel")
    transporter: Identifier | None = Field(None, description="The courier of the return parcel")
    return_order_time: Time | None = Field(None, description="When the return was asked for")


class LogisticAggregatorInfo(Part):
    """Who told RMS."""

    logistic_aggregator_name: str | None = Field(None, description="CLICKPOST, SHIPROCKET or another")
    logistic_aggregator_meta_data: dict[str, Any] | None = Field(None, description="Whatever the aggregator adds")


class NotificationItem(Part):
    """Pieces of one SKU in the parcel."""

    item_id: Identifier | None = Field(None, description="The channel's id of the item; the SKU stands in for it")
    sku: Identifier | None = Field(None, description="The channel's SKU; mandatory when the parcel is a return")
    quantity: Quantity = Field(1, description="How many pieces")


class ReturnNotification(Part):
    """Increff: "Push Notifications". About a return when `returnOrderInfo` is given, else about the forward parcel."""

    forward_order_code: Code = Field(description="The order the goods were bought with")
    forward_shipment_code: str | None = Field(None, description="The shipment the goods went out with")
    forward_awb: str | None = Field(None, description="Tracking number of the forward parcel")
    courier_name: Identifier | None = Field(None, description="The courier")
    notification_type: Text = Field(description="What happened to the parcel")
    notification_update_time: Time | None = Field(None, description="When RMS heard of it")
    return_order_info: ReturnOrderInfo | None = Field(None, description="The return; null for a forward parcel")
    logistic_aggregator_info: LogisticAggregatorInfo | None = Field(None, description="Who told RMS")
    warehouse_code: Identifier | None = Field(None, description="RMS's code of the warehouse")
    items: list[NotificationItem] | None = Field(None, max_length=MAX_UNITS, description="What is in the parcel")
    line_items: list[NotificationItem] | None = Field(None, max_length=MAX_UNITS, description="Another name of `items`")


# --- Returns Processing Update ---------------------------------------------------------------------------------------


class ProcessedItem(Part):
    """What quality control said of one piece."""

    item_code: Text = Field(description="The channel's id of the returned piece")
    channel_sku_code: Text = Field(description="The channel's SKU")
    qc_status: QcStatus = Field(description="PASS or FAIL")
    qc_reason: str | None = Field(None, description="Why it failed; the warehouse may use words of its own")
    image_urls: list[str] | None = Field(None, max_length=MAX_PARTS, description="Where photographs of the piece are")


class ReturnsProcessingUpdate(Part):
    """Increff: "Returns Processing Update"."""

    return_order_code: Code = Field(description="The channel's unique code of the return")
    forward_order_code: Code = Field(description="The order the goods were bought with")
    location_code: Identifier | None = Field(None, description="The warehouse that judged the goods")
    order_items: list[ProcessedItem] = Field(
        min_length=1, max_length=MAX_UNITS, description="One element per judged piece"
    )
