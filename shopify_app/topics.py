"""The webhook topics we take: declared in `shopify.app.toml`, handled in `handlers.py`, each with a fixture."""

from __future__ import annotations

SOURCE = "shopify"
API_VERSION = "2026-10"  # of Admin calls and of webhook payloads alike
SCOPES = (  # the same as in `shopify.app.toml`
    "write_orders",
    "write_order_edits",
    "read_returns",
    "write_merchant_managed_fulfillment_orders",
    "read_locations",
)

RETURN_TOPICS = tuple(
    f"returns/{what}" for what in ("approve", "cancel", "close", "decline", "process", "reopen", "request", "update")
)
FULFILLMENT_TOPICS = ("fulfillment_orders/moved", "fulfillment_orders/split", "fulfillment_holds/released")
COLLAPSING_TOPIC = "orders/updated"  # tells the whole newest state; a create or a cancel says more than its state
ORDER_TOPICS = ("orders/create", "orders/updated", "orders/cancelled")
APP_TOPICS = ("app/uninstalled", "app/scopes_update")
COMPLIANCE_TOPICS = ("customers/data_request", "customers/redact", "shop/redact")
