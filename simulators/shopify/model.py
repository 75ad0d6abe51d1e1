"""What a shop holds. Names follow the GraphQL schema in snake case, so most fields resolve by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from simulators.shopify.base import Location, Node, Variant

if TYPE_CHECKING:
    from simulators.shopify.order_model import Order

OPEN_STATUSES = ("OPEN", "SCHEDULED", "ON_HOLD", "IN_PROGRESS")


@dataclass(eq=False)
class Line(Node):
    """One line item. It is never removed: a cancelled line keeps `quantity` and loses `current_quantity`."""

    graphql_type: ClassVar[str] = "LineItem"
    pk: int
    order: Order
    sku: str
    quantity: int
    current_quantity: int
    price: Decimal
    total_discount_set: Decimal
    title: str
    variant: Variant
    product_pk: int
    properties: dict[str, str] = field(default_factory=dict)
    fulfilled: int = 0
    returned: int = 0
    refunded: int = 0
    requires_shipping: bool = True
    taxable: bool = True
    is_gift_card: bool = False
    restockable: bool = True

    @property
    def name(self) -> str:
        return self.title

    @property
    def custom_attributes(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.properties.items()]

    @property
    def unfulfilled_quantity(self) -> int:
        return max(0, self.current_quantity - (self.fulfilled - self.returned))

    @property
    def fulfillable_quantity(self) -> int:
        return self.unfulfilled_quantity

    @property
    def non_fulfillable_quantity(self) -> int:
        return self.quantity - self.unfulfilled_quantity

    @property
    def refundable_quantity(self) -> int:
        return self.current_quantity

    @property
    def merchant_editable(self) -> bool:
        return self.order.merchant_editable and self.unfulfilled_quantity > 0

    @property
    def fulfillment_status(self) -> str:
        return "fulfilled" if self.fulfilled >= self.quantity else "partial" if self.fulfilled else "unfulfilled"

    @property
    def unit_price(self) -> Decimal:
        """One unit after all discounts."""
        total = self.price * self.quantity - self.total_discount_set
        return (total / self.quantity).quantize(Decimal("0.01")) if self.quantity else Decimal("0.00")

    @property
    def original_unit_price_set(self) -> Decimal:
        return self.price

    @property
    def discounted_unit_price_set(self) -> Decimal:
        return self.unit_price

    @property
    def discounted_unit_price_after_all_discounts_set(self) -> Decimal:
        return self.unit_price

    @property
    def original_total_set(self) -> Decimal:
        return self.price * self.quantity

    @property
    def discounted_total_set(self) -> Decimal:
        return self.price * self.quantity - self.total_discount_set


@dataclass(eq=False)
class Hold(Node):
    graphql_type: ClassVar[str] = "FulfillmentHold"
    pk: int
    reason: str
    handle: str
    reason_notes: str | None
    app: str

    @property
    def display_reason(self) -> str:
        return self.reason.replace("_", " ").capitalize()


@dataclass(eq=False)
class FulfillmentOrderLine(Node):
    graphql_type: ClassVar[str] = "FulfillmentOrderLineItem"
    pk: int
    line_item: Line
    total_quantity: int
    remaining_quantity: int
    requires_shipping: bool = True

    @property
    def sku(self) -> str:
        return self.line_item.sku


@dataclass(eq=False)
class FulfillmentOrder(Node):
    graphql_type: ClassVar[str] = "FulfillmentOrder"
    pk: int
    order: Order
    location: Location
    created_at: datetime
    line_items: list[FulfillmentOrderLine] = field(default_factory=list)
    base_status: str = "OPEN"
    request_status: str = "UNSUBMITTED"
    fulfillment_holds: list[Hold] = field(default_factory=list)

    @property
    def status(self) -> str:
        return "ON_HOLD" if self.fulfillment_holds and self.base_status == "OPEN" else self.base_status

    @property
    def is_open(self) -> bool:
        return self.base_status in OPEN_STATUSES

    @property
    def order_id(self) -> str:
        return self.order.id

    @property
    def order_name(self) -> str:
        return self.order.name

    @property
    def updated_at(self) -> datetime:
        return self.order.updated_at

    @property
    def assigned_location(self) -> dict[str, object]:
        return {"location": self.location, "name": self.location.name, "countryCode": "IN"}

    @property
    def supported_actions(self) -> list[dict[str, str]]:
        return [{"action": action} for action in self._actions()]

    def _actions(self) -> tuple[str, ...]:
        if self.status == "ON_HOLD":
            return ("RELEASE_HOLD", "HOLD", "MOVE")
        if self.request_status in ("SUBMITTED", "CANCELLATION_REQUESTED"):
            return ("CANCEL_FULFILLMENT_ORDER",)
        if self.status in ("OPEN", "SCHEDULED"):
            return ("CREATE_FULFILLMENT", "REPORT_PROGRESS", "MOVE", "HOLD", "SPLIT")
        return ()


@dataclass(eq=False)
class FulfillmentLine(Node):
    graphql_type: ClassVar[str] = "FulfillmentLineItem"
    pk: int
    line_item: Line
    quantity: int


@dataclass(eq=False)
class Fulfillment(Node):
    graphql_type: ClassVar[str] = "Fulfillment"
    pk: int
    order: Order
    name: str
    created_at: datetime
    fulfillment_line_items: list[FulfillmentLine]
    status: str = "SUCCESS"

    @property
    def total_quantity(self) -> int:
        return sum(line.quantity for line in self.fulfillment_line_items)

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass(eq=False)
class RefundLine:
    pk: int
    line_item: Line
    quantity: int
    restock_type: str

    @property
    def restocked(self) -> bool:
        return self.restock_type in ("CANCEL", "RETURN")

    @property
    def subtotal_set(self) -> Decimal:
        return self.line_item.unit_price * self.quantity

    @property
    def price_set(self) -> Decimal:
        return self.line_item.unit_price


@dataclass(eq=False)
class Refund(Node):
    graphql_type: ClassVar[str] = "Refund"
    pk: int
    order: Order
    created_at: datetime
    total_refunded_set: Decimal
    refund_line_items: list[RefundLine] = field(default_factory=list)
    note: str | None = None

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def updated_at(self) -> datetime:
        return self.created_at
