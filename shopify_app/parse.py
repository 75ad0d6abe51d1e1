"""Shopify's JSON in our words: REST-shaped webhook payloads and GraphQL answers become the same OrderSnapshot."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.clock import parse_time
from core.domain.orders import (
    Address,
    ForwardLine,
    ForwardOrder,
    Fulfillment,
    FulfillmentOrder,
    OrderLine,
    OrderSnapshot,
    find_return_codes,
    split_codes,
)
from core.errors import BadInput
from core.reading import describe_faults
from core.settings import ExchangeSettings
from shopify_app.gids import read_gid

ORIGINAL_ORDER = "original_order"
HOLD_HANDLE = "returnbridge"
Time = Annotated[datetime, BeforeValidator(parse_time)]
Id = Annotated[int, Field(ge=1, lt=2**63)]


class _Named(BaseModel):
    """`{name, value}` in webhooks, `{key, value}` in GraphQL; the value may be anything."""

    name: str = Field(validation_alias=AliasChoices("name", "key"))
    value: Any = None


class _Line(BaseModel):
    id: Id
    sku: str | None = None
    variant_id: int | None = None
    quantity: int
    current_quantity: int | None = None  # absent from old fixtures only
    fulfillable_quantity: int = 0
    properties: list[_Named] = []


class _OrderPayload(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    id: Id
    name: str
    tags: str = ""
    created_at: Time
    updated_at: Time
    cancelled_at: Time | None = None
    fulfillment_status: str | None = None
    note_attributes: list[_Named] = []
    line_items: list[_Line]


_FULFILLMENT = {"fulfilled": Fulfillment.FULL, "partial": Fulfillment.PARTIAL, "restocked": Fulfillment.FULL}


def parse_order_webhook(body: dict[str, Any], rules: ExchangeSettings) -> OrderSnapshot:
    """An `orders/*` payload (REST Order resource). Raises BadInput when it is not one."""
    try:
        payload = _OrderPayload.model_validate(body)
    except ValidationError as error:
        raise BadInput(describe_faults(error)) from None
    return _make_snapshot(
        id=payload.id,
        name=payload.name,
        tags=[tag.strip() for tag in payload.tags.split(",") if tag.strip()],
        created_at=payload.created_at,
        updated_at=payload.updated_at,
        cancelled_at=payload.cancelled_at,
        fulfillment=_FULFILLMENT.get(payload.fulfillment_status or "", Fulfillment.NONE),
        lines=[_make_line(line, rules) for line in payload.line_items],
        attributes=payload.note_attributes,
        rules=rules,
    )


def _make_line(line: _Line, rules: ExchangeSettings) -> OrderLine:
    return OrderLine(
        id=line.id,
        sku=line.sku or "",
        variant_id=line.variant_id,
        quantity=line.quantity,
        current_quantity=line.quantity if line.current_quantity is None else line.current_quantity,
        fulfillable_quantity=line.fulfillable_quantity,
        unit_codes=_find_unit_codes(line.properties, rules),
    )


def _find_unit_codes(properties: Iterable[_Named], rules: ExchangeSettings) -> tuple[str, ...]:
    named = [split_codes(str(one.value or "")) for one in properties if one.name == rules.unit_property]
    return named[0] if named else ()


def _make_snapshot(*, attributes: list[_Named], rules: ExchangeSettings, **facts: Any) -> OrderSnapshot:
    """Only what links an order to its return is taken from its attributes: others may hold personal data."""
    named = {one.name: str(one.value or "") for one in attributes}
    rule, codes = find_return_codes(named, facts["tags"], rules.link_attribute, rules.link_tag_prefix)
    return OrderSnapshot(
        **{**facts, "tags": tuple(facts["tags"]), "lines": tuple(facts["lines"])},
        return_codes=codes,
        link_rule=rule,
        original_order=named.get(ORIGINAL_ORDER) or _find_original(facts["tags"]),
    )


def _find_original(tags: Iterable[str]) -> str | None:
    prefix = f"{ORIGINAL_ORDER}:"
    return next((tag[len(prefix) :].strip() or None for tag in tags if tag.casefold().startswith(prefix)), None)


_DISPLAY = {
    "FULFILLED": Fulfillment.FULL,
    "RESTOCKED": Fulfillment.FULL,
    "PARTIALLY_FULFILLED": Fulfillment.PARTIAL,
}


def parse_display_status(status: str | None) -> Fulfillment:
    """GraphQL's displayFulfillmentStatus; ON_HOLD, SCHEDULED, IN_PROGRESS and the like have shipped nothing."""
    return _DISPLAY.get(status or "", Fulfillment.NONE)


def parse_order_answer(order: dict[str, Any], lines: list[dict[str, Any]], rules: ExchangeSettings) -> OrderSnapshot:
    """The `order` of READ_ORDER with the lines of all its pages."""
    return _make_snapshot(
        id=read_gid(order["id"]),
        name=order["name"],
        tags=order["tags"],
        created_at=parse_time(order["createdAt"]),
        updated_at=parse_time(order["updatedAt"]),
        cancelled_at=parse_time(order["cancelledAt"]) if order["cancelledAt"] else None,
        fulfillment=parse_display_status(order["displayFulfillmentStatus"]),
        lines=[_parse_line_answer(line, rules) for line in lines],
        attributes=[_Named.model_validate(one) for one in order["customAttributes"]],
        rules=rules,
        in_order=_is_in_order(order),
        fulfillment_orders=parse_fulfillment_orders(order["fulfillmentOrders"]["nodes"]),
    )


def _is_in_order(order: dict[str, Any]) -> bool:
    """True for a native exchange: its lines are on this order, or, while something of it is still to ship, may be.

    Lines of an exchange join the order when its return is processed. Of an order that has shipped as a whole there is
    nothing to hold before that, and what has shipped is not the exchange.
    """
    exchanged = [one for part in order["returns"]["nodes"] for one in part["exchangeLineItems"]["nodes"]]
    shipped = parse_display_status(order["displayFulfillmentStatus"]) is Fulfillment.FULL
    return any(one["lineItems"] or not shipped for one in exchanged)


def parse_fulfillment_orders(nodes: list[dict[str, Any]]) -> tuple[FulfillmentOrder, ...]:
    """Fulfillment orders with our part in their holds."""
    return tuple(
        FulfillmentOrder(
            id=read_gid(node["id"]),
            ours=bool(find_our_holds(node)),
            holdable=any(one["action"] == "HOLD" for one in node["supportedActions"]),
        )
        for node in nodes
    )


def find_our_holds(node: dict[str, Any]) -> list[str]:
    """Ids of the holds this app placed, by its handle; never another app's or a person's."""
    return [
        one["id"] for one in node["fulfillmentHolds"] if one["heldByRequestingApp"] and one["handle"] == HOLD_HANDLE
    ]


def _parse_line_answer(line: dict[str, Any], rules: ExchangeSettings) -> OrderLine:
    return OrderLine(
        id=read_gid(line["id"]),
        sku=line["sku"] or "",
        variant_id=None,  # asking for the variant would need read_products
        quantity=line["quantity"],
        current_quantity=line["currentQuantity"],
        fulfillable_quantity=line["unfulfilledQuantity"],
        unit_codes=_find_unit_codes([_Named.model_validate(one) for one in line["customAttributes"]], rules),
    )


def parse_forward_order(order: dict[str, Any], lines: list[dict[str, Any]]) -> ForwardOrder:
    """The `order` of READ_FORWARD_ORDER. Lines with nothing left are no part of what OMS is told."""
    shipping = order["shippingAddress"] or order["billingAddress"] or {}
    gateways = " ".join(order["paymentGatewayNames"]).casefold()
    places = order["fulfillmentOrders"]["nodes"]
    location = (places[0]["assignedLocation"]["location"] or {}).get("id") if places else None
    return ForwardOrder(
        created_at=parse_time(order["createdAt"]),
        cash_on_delivery="cash on delivery" in gateways or "cash_on_delivery" in gateways or "cod" in gateways.split(),
        location_id=read_gid(location) if location else None,
        shipping=_parse_address(shipping, order),
        billing=_parse_address(order["billingAddress"] or shipping, order),
        lines=tuple(_parse_forward_line(line) for line in lines if line["currentQuantity"] > 0),
    )


def _parse_address(address: dict[str, Any], order: dict[str, Any]) -> Address:
    return Address(
        name=address.get("name") or "",
        line1=address.get("address1") or "",
        line2=address.get("address2") or "",
        city=address.get("city") or "",
        state=address.get("province") or "",
        zip=address.get("zip") or "",
        country=address.get("country") or "",
        email=order["email"] or "",
        phone=address.get("phone") or order["phone"] or "",
    )


def _parse_forward_line(line: dict[str, Any]) -> ForwardLine:
    price = float(line["originalUnitPriceSet"]["shopMoney"]["amount"])
    paid = float(line["discountedUnitPriceAfterAllDiscountsSet"]["shopMoney"]["amount"])
    return ForwardLine(
        id=read_gid(line["id"]),
        sku=line["sku"] or "",
        quantity=line["currentQuantity"],
        unit_price=price,
        unit_discount=round(price - paid, 2),
    )
