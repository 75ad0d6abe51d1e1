"""OMS's JSON in our words (Increff: Seller Cancellation API)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from core.errors import BadInput
from core.reading import describe_faults

Code = Annotated[str, Field(min_length=1, max_length=255)]


class SellerCancelledItem(BaseModel):
    """One line: `cancelledQuantity` is the absolute total that OMS has cancelled of it."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)
    channel_sku_code: Code = Field(description="SKU of the line")
    order_item_code: Code = Field(description="The line, as it was told at creation")
    cancelled_quantity: int = Field(
        ge=0, le=1_000_000, description="Pieces of the line cancelled so far, all told; never less than was told before"
    )


class SellerCancellation(BaseModel):
    """`PUT {client}/seller-cancellation`: OMS cannot serve these pieces."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel, hide_input_in_errors=True)
    order_code: Code = Field(description="The order, by the code it was created with")
    location_code: Annotated[str, Field(max_length=255)] | None = Field(None, description="The warehouse; not needed")
    order_items: list[SellerCancelledItem] = Field(
        min_length=1, max_length=2500, description="The lines with pieces that cannot be served"
    )


@dataclass(frozen=True)
class SellerCancelled:
    """What OMS has cancelled: its order code, and absolute totals by line id."""

    code: str
    totals: dict[str, int]


def parse_seller_cancellation(body: dict[str, Any]) -> SellerCancelled:
    """Raises BadInput with every fault; the same line twice is one."""
    try:
        parsed = SellerCancellation.model_validate(body)
    except ValidationError as error:
        raise BadInput(describe_faults(error)) from None
    totals = {item.order_item_code: item.cancelled_quantity for item in parsed.order_items}
    if len(totals) < len(parsed.order_items):
        raise BadInput(["orderItems: the same orderItemCode is given twice"])
    return SellerCancelled(parsed.order_code, totals)
