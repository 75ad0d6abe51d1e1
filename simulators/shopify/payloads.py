"""The REST-shaped bodies that webhooks carry; keys as in recorded deliveries (94 for an order)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from simulators.shopify.base import Address, Customer
from simulators.shopify.model import Fulfillment, Hold, Line, Refund
from simulators.shopify.order_model import ZERO, Order
from simulators.shopify.returns_model import Return
from simulators.shopify.state import SHOP_TIME, Shop

Json = dict[str, Any]

NULL_KEYS = (
    "browser_ip",
    "cart_token",
    "checkout_id",
    "checkout_token",
    "client_details",
    "company",
    "current_total_additional_fees_set",
    "current_total_duties_set",
    "customer_locale",
    "device_id",
    "landing_site",
    "landing_site_ref",
    "merchant_of_record_app_id",
    "original_total_additional_fees_set",
    "original_total_duties_set",
    "reference",
    "referring_site",
    "source_identifier",
    "source_url",
    "user_id",
    "payment_terms",
)
EMPTY_KEYS = ("discount_codes", "tax_lines", "discount_applications")
FALSE_KEYS = ("buyer_accepts_marketing", "duties_included", "estimated_taxes", "tax_exempt")
ZERO_SETS = ("total_cash_rounding_payment_adjustment_set", "total_cash_rounding_refund_adjustment_set")
PRICED = (
    "current_subtotal_price",
    "current_total_discounts",
    "current_total_price",
    "current_total_tax",
    "subtotal_price",
    "total_discounts",
    "total_price",
    "total_tax",
)


def stamp(moment: datetime | None) -> str | None:
    """In the shop's own time, whole seconds."""
    return moment.astimezone(SHOP_TIME).isoformat(timespec="seconds") if moment else None


def money_set(amount: Decimal, currency: str) -> Json:
    money = {"amount": f"{amount:.2f}", "currency_code": currency}
    return {"shop_money": money, "presentment_money": dict(money)}


def order_body(shop: Shop, order: Order) -> Json:
    """The full Order resource as it is now."""
    first = {"id": order.pk}  # as in recorded deliveries
    body = {**first, **_constant(shop), **_facts(shop, order), **_amounts(order)}
    body["line_items"] = [line_body(line, order.currency_code) for line in order.line_items]
    body["fulfillments"] = [_fulfillment(item) for item in order.fulfillments]
    body["refunds"] = [refund_body(item) for item in order.refunds]
    body["returns"] = [{"id": item.pk, "admin_graphql_api_id": item.id} for item in order.returns]
    body["shipping_lines"] = [_shipping_line(order)]
    return body


def _constant(shop: Shop) -> Json:
    body: Json = dict.fromkeys(NULL_KEYS)
    body.update({key: [] for key in EMPTY_KEYS})
    body.update(dict.fromkeys(FALSE_KEYS, False))
    body.update({key: money_set(ZERO, shop.currency) for key in ZERO_SETS})
    return body | {
        "app_id": 580111,
        "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
        "source_name": "web",
        "total_tip_received": "0.00",
        "total_weight": 0,
    }


def _facts(shop: Shop, order: Order) -> Json:
    return {
        "id": order.pk,
        "admin_graphql_api_id": order.id,
        "cancel_reason": order.cancel_reason.lower() if order.cancel_reason else None,
        "cancelled_at": stamp(order.cancelled_at),
        "closed_at": stamp(order.closed_at),
        "confirmation_number": f"SIM{order.number}",
        "confirmed": order.confirmed,
        "contact_email": order.email,
        "created_at": stamp(order.created_at),
        "currency": order.currency_code,
        "customer": _customer(order.customer) if order.customer else None,
        "email": order.email or "",
        "financial_status": order.display_financial_status.lower(),
        "fulfillment_status": fulfillment_status(order),
        "location_id": order.location.pk,
        "name": order.name,
        "note": order.note,
        "note_attributes": [{"name": key, "value": value} for key, value in order.attributes.items()],
        "number": order.number - 1000,
        "order_number": order.number,
        "order_status_url": f"https://{shop.domain}/{shop.pk}/orders/sim{order.pk}/authenticate?key=sim",
        "payment_gateway_names": order.payment_gateway_names,
        "phone": order.phone,
        "po_number": order.po_number,
        "presentment_currency": order.currency_code,
        "processed_at": stamp(order.processed_at),
        "tags": ", ".join(order.tags),
        "taxes_included": order.taxes_included,
        "test": order.test,
        "token": f"sim{order.pk}",
        "updated_at": stamp(order.updated_at),
        "shipping_address": address_body(order.shipping_address),
        "billing_address": address_body(order.billing_address),
    }


def _amounts(order: Order) -> Json:
    body: Json = {}
    for key in PRICED:
        amount: Decimal = getattr(order, key + "_set")
        body[key] = f"{amount:.2f}"
        body[key + "_set"] = money_set(amount, order.currency_code)
    for key in ("total_shipping_price_set", "current_shipping_price_set"):
        body[key] = money_set(getattr(order, key), order.currency_code)
    body["total_line_items_price"] = f"{order.total_line_items_price:.2f}"
    body["total_line_items_price_set"] = money_set(order.total_line_items_price, order.currency_code)
    return body | {"total_outstanding": f"{order.total_outstanding_set:.2f}"}


def fulfillment_status(order: Order) -> str | None:
    named = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}
    if order.cancelled_at and order.restocked:
        return "restocked"
    return named.get(order.display_fulfillment_status)


def line_body(line: Line, currency: str) -> Json:
    return {
        "id": line.pk,
        "admin_graphql_api_id": line.id,
        "attributed_staffs": [],
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.fulfillable_quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": line.fulfillment_status if line.fulfilled else None,
        "gift_card": line.is_gift_card,
        "grams": 250,
        "name": line.name,
        "price": f"{line.price:.2f}",
        "price_set": money_set(line.price, currency),
        "product_exists": True,
        "product_id": line.product_pk,
        "properties": [{"name": key, "value": value} for key, value in line.properties.items()],
        "quantity": line.quantity,
        "requires_shipping": line.requires_shipping,
        "sku": line.sku,
        "taxable": line.taxable,
        "title": line.title,
        "total_discount": f"{line.total_discount_set:.2f}",
        "total_discount_set": money_set(line.total_discount_set, currency),
        "variant_id": line.variant.pk,
        "variant_inventory_management": "shopify",
        "variant_title": None,
        "vendor": None,
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }


def address_body(address: Address | None) -> Json | None:
    if address is None:
        return None
    keys = "first_name address1 phone city zip province country last_name address2 company name country_code"
    body = {key: getattr(address, key) for key in keys.split()}
    return body | {"province_code": address.province_code, "latitude": None, "longitude": None}


def _customer(customer: Customer) -> Json:
    keys = ("first_name", "last_name", "email", "phone")
    body = {"id": customer.pk, "admin_graphql_api_id": customer.id, "tags": "", "state": "disabled"}
    return body | {key: getattr(customer, key) for key in keys}


def _shipping_line(order: Order) -> Json:
    price = order.total_shipping_price_set
    body: Json = {"id": order.pk + 1, "title": "Standard", "code": "Standard", "source": "shopify", "phone": None}
    body |= {"price": f"{price:.2f}", "price_set": money_set(price, order.currency_code)}
    body |= {"discounted_price": f"{price:.2f}", "discounted_price_set": money_set(price, order.currency_code)}
    empty = {"carrier_identifier": None, "requested_fulfillment_service_id": None, "is_removed": False}
    return body | empty | {"tax_lines": [], "discount_allocations": []}


def _fulfillment(item: Fulfillment) -> Json:
    body: Json = {"id": item.pk, "admin_graphql_api_id": item.id, "order_id": item.order.pk, "name": item.name}
    body |= {"status": item.status.lower(), "service": "manual", "location_id": item.order.location.pk}
    body |= {"created_at": stamp(item.created_at), "updated_at": stamp(item.updated_at), "shipment_status": None}
    lines = [
        line_body(line.line_item, item.order.currency_code) | {"quantity": line.quantity}
        for line in item.fulfillment_line_items
    ]
    return body | {"tracking_company": None, "tracking_number": None, "tracking_numbers": [], "line_items": lines}


def refund_body(refund: Refund) -> Json:
    currency = refund.order.currency_code
    lines = [
        {
            "id": line.pk,
            "line_item_id": line.line_item.pk,
            "location_id": refund.order.location.pk if line.restocked else None,
            "quantity": line.quantity,
            "restock_type": line.restock_type.lower(),
            "subtotal": float(line.subtotal_set),
            "subtotal_set": money_set(line.subtotal_set, currency),
            "total_tax": 0.0,
            "line_item": line_body(line.line_item, currency),
        }
        for line in refund.refund_line_items
    ]
    body: Json = {"id": refund.pk, "admin_graphql_api_id": refund.id, "order_id": refund.order.pk}
    body |= {"created_at": stamp(refund.created_at), "processed_at": stamp(refund.processed_at), "note": refund.note}
    restock = any(line.restocked for line in refund.refund_line_items)
    return body | {
        "restock": restock,
        "user_id": None,
        "order_adjustments": [],
        "transactions": _transactions(refund),
        "refund_line_items": lines,
    }


def _transactions(refund: Refund) -> list[Json]:
    if not refund.total_refunded_set:
        return []
    amount = f"{refund.total_refunded_set:.2f}"
    body: Json = {"id": refund.pk + 1, "order_id": refund.order.pk, "kind": "refund", "status": "success"}
    return [body | {"amount": amount, "currency": refund.order.currency_code, "created_at": stamp(refund.created_at)}]


def return_body(item: Return) -> Json:
    lines = [
        {
            "id": line.pk,
            "admin_graphql_api_id": line.id,
            "fulfillment_line_item": {
                **_ref(line.fulfillment_line_item),
                "line_item": _ref(line.fulfillment_line_item.line_item),
            },
            "quantity": line.quantity,
            "return_reason": line.return_reason.lower(),
            "return_reason_note": line.return_reason_note,
            "customer_note": None,
            "restocking_fee": None,
        }
        for line in item.return_line_items
    ]
    exchanges = [
        {**_ref(line), "line_item": _ref(line.line_items[0]) if line.line_items else None}
        for line in item.exchange_line_items
    ]
    body: Json = {**_ref(item), "status": item.status.lower(), "order": _ref(item.order), "name": item.name}
    body |= {"total_return_line_items": len(lines), "return_line_items": lines, "return_shipping_fees": []}
    return body | {"exchange_line_items": exchanges, "total_exchange_line_items": len(exchanges)}


def hold_body(order: Order, gid: str, hold: Hold) -> Json:
    """fulfillment_holds/added and /released."""
    told = {"id": hold.id, "handle": hold.handle, "reason": hold.reason.lower(), "reason_notes": hold.reason_notes}
    return {"fulfillment_order": {"id": gid, "order_id": order.pk}, "fulfillment_hold": told}


def _ref(thing: Any) -> Json:
    return {"id": thing.pk, "admin_graphql_api_id": thing.id}
