"""An order: its lines, its money and the states Shopify derives from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from simulators.shopify.base import Address, Customer, Location, Node
from simulators.shopify.model import Fulfillment, FulfillmentOrder, Line, Refund

if TYPE_CHECKING:
    from simulators.shopify.returns_model import Return

ZERO = Decimal("0.00")


@dataclass(eq=False)
class Order(Node):
    graphql_type: ClassVar[str] = "Order"
    pk: int
    name: str
    number: int
    created_at: datetime
    updated_at: datetime
    currency_code: str
    location: Location
    email: str | None
    phone: str | None
    shipping_address: Address | None
    billing_address: Address | None
    customer: Customer | None
    payment_gateway_names: list[str]
    paid: bool
    total_shipping_price_set: Decimal
    attributes: dict[str, str] = field(default_factory=dict)
    note: str | None = None
    po_number: str | None = None
    tags: list[str] = field(default_factory=list)
    line_items: list[Line] = field(default_factory=list)
    fulfillment_orders: list[FulfillmentOrder] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    staff_note: str | None = None
    closed_at: datetime | None = None
    pending_authorization: bool = False
    edited: bool = False
    confirmed: bool = True
    test: bool = False
    taxes_included: bool = True
    # Counts what happened to money and stock, so that a test can see a second cancel or refund.
    cancel_requests: int = 0
    refunds_made: int = 0
    restocked: dict[str, int] = field(default_factory=dict)
    # Moves with everything an order edit could collide with; tags and attributes do not count.
    version: int = 0

    @property
    def custom_attributes(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.attributes.items()]

    @property
    def held(self) -> bool:
        return any(item.status == "ON_HOLD" for item in self.fulfillment_orders)

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def presentment_currency_code(self) -> str:
        return self.currency_code

    @property
    def cancellation(self) -> dict[str, str | None] | None:
        return {"staffNote": self.staff_note} if self.cancelled_at else None

    @property
    def merchant_editable(self) -> bool:
        return not self.merchant_editable_errors

    @property
    def merchant_editable_errors(self) -> list[str]:
        if self.cancelled_at:
            return ["The order has been cancelled and can't be edited"]
        return ["The order is archived and can't be edited"] if self.closed else []

    @property
    def return_status(self) -> str:
        found = {item.status for item in self.returns}
        for status, answer in (("OPEN", "IN_PROGRESS"), ("REQUESTED", "RETURN_REQUESTED"), ("CLOSED", "RETURNED")):
            if status in found:
                return answer
        return "NO_RETURN"

    @property
    def display_fulfillment_status(self) -> str:
        fulfilled = sum(line.fulfilled for line in self.line_items)
        waiting = sum(line.unfulfilled_quantity for line in self.line_items)
        if fulfilled:
            return "PARTIALLY_FULFILLED" if waiting else "FULFILLED"
        return "ON_HOLD" if self.held else "UNFULFILLED"

    @property
    def fulfillable(self) -> bool:
        return not self.cancelled_at and any(line.unfulfilled_quantity for line in self.line_items)

    @property
    def display_financial_status(self) -> str:
        if self.pending_authorization:
            return "AUTHORIZED"
        if not self.paid:
            return "VOIDED" if self.cancelled_at else "PENDING"
        if not self.total_refunded_set:
            return "PAID"
        return "REFUNDED" if self.total_refunded_set >= self.total_price_set else "PARTIALLY_REFUNDED"

    @property
    def fully_paid(self) -> bool:
        return self.paid

    @property
    def subtotal_price_set(self) -> Decimal:
        return sum((line.discounted_total_set for line in self.line_items), ZERO)

    @property
    def current_subtotal_price_set(self) -> Decimal:
        return sum((line.unit_price * line.current_quantity for line in self.line_items), ZERO)

    @property
    def total_line_items_price(self) -> Decimal:
        return sum((line.original_total_set for line in self.line_items), ZERO)

    @property
    def total_discounts_set(self) -> Decimal:
        return sum((line.total_discount_set for line in self.line_items), ZERO)

    @property
    def current_total_discounts_set(self) -> Decimal:
        return self.total_discounts_set

    @property
    def total_price_set(self) -> Decimal:
        return self.subtotal_price_set + self.total_shipping_price_set

    @property
    def original_total_price_set(self) -> Decimal:
        return self.total_price_set

    @property
    def current_total_price_set(self) -> Decimal:
        return self.current_subtotal_price_set + self.current_shipping_price_set

    @property
    def current_shipping_price_set(self) -> Decimal:
        return ZERO if self.cancelled_at else self.total_shipping_price_set

    @property
    def total_received_set(self) -> Decimal:
        return self.total_price_set if self.paid else ZERO

    @property
    def total_refunded_set(self) -> Decimal:
        return sum((refund.total_refunded_set for refund in self.refunds), ZERO)

    @property
    def total_tax_set(self) -> Decimal:
        return ZERO

    @property
    def current_total_tax_set(self) -> Decimal:
        return ZERO

    @property
    def total_outstanding_set(self) -> Decimal:
        return ZERO if self.cancelled_at else self.current_total_price_set - self.total_received_set
