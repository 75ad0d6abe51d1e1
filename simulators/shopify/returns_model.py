"""Returns and exchanges that live on the order itself (Shopify's own kind)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from simulators.shopify.base import Node
from simulators.shopify.model import FulfillmentLine, Line
from simulators.shopify.order_model import Order


@dataclass(eq=False)
class ReturnLine(Node):
    graphql_type: ClassVar[str] = "ReturnLineItem"
    pk: int
    fulfillment_line_item: FulfillmentLine
    quantity: int
    processed_quantity: int = 0
    refunded_quantity: int = 0
    return_reason: str = "SIZE_TOO_SMALL"
    return_reason_note: str = ""

    @property
    def unprocessed_quantity(self) -> int:
        return self.quantity - self.processed_quantity

    @property
    def processable_quantity(self) -> int:
        return self.unprocessed_quantity

    @property
    def refundable_quantity(self) -> int:
        return self.quantity - self.refunded_quantity


@dataclass(eq=False)
class ExchangeLine(Node):
    graphql_type: ClassVar[str] = "ExchangeLineItem"
    pk: int
    variant_pk: int
    variant_sku: str
    quantity: int
    processed_quantity: int = 0
    line_items: list[Line] = field(default_factory=list)

    @property
    def unprocessed_quantity(self) -> int:
        return self.quantity - self.processed_quantity

    @property
    def processable_quantity(self) -> int:
        return self.unprocessed_quantity

    @property
    def variant_id(self) -> str:
        return f"gid://shopify/ProductVariant/{self.variant_pk}"


@dataclass(eq=False)
class Disposition(Node):
    graphql_type: ClassVar[str] = "ReverseFulfillmentOrderDisposition"
    pk: int
    type: str
    quantity: int
    created_at: datetime


@dataclass(eq=False)
class ReverseLine(Node):
    graphql_type: ClassVar[str] = "ReverseFulfillmentOrderLineItem"
    pk: int
    fulfillment_line_item: FulfillmentLine
    total_quantity: int
    dispositions: list[Disposition] = field(default_factory=list)


@dataclass(eq=False)
class ReverseFulfillmentOrder(Node):
    graphql_type: ClassVar[str] = "ReverseFulfillmentOrder"
    pk: int
    order: Order
    line_items: list[ReverseLine]
    status: str = "OPEN"


@dataclass(eq=False)
class Return(Node):
    graphql_type: ClassVar[str] = "Return"
    pk: int
    order: Order
    name: str
    created_at: datetime
    status: str
    return_line_items: list[ReturnLine]
    exchange_line_items: list[ExchangeLine]
    reverse_fulfillment_orders: list[ReverseFulfillmentOrder]
    closed_at: datetime | None = None

    @property
    def total_quantity(self) -> int:
        return sum(line.quantity for line in self.return_line_items)
