"""What the settings page calls each key of the settings document (DESIGN §7): label, help, and words for choices."""

from __future__ import annotations

SECTIONS: dict[str, tuple[str, str]] = {
    "exchange": ("Exchanges", "Which orders are replacements, what holds them, and how they name their return."),
    "qc": ("Quality control", "What a verdict from the warehouse leads to."),
    "cancel": ("Cancelling", "How a replacement order is cancelled in Shopify when its goods failed."),
    "oms": ("Increff OMS", "Where orders are told to, and how they are called there."),
    "rms": ("Increff RMS", "How returns are described to us."),
}

LABELS: dict[str, tuple[str, str]] = {
    "mode": ("What Returnbridge does", ""),
    "exchange.replacement_tag": ("Tag of replacement orders", "An order with this tag is an exchange (custom tag 1)."),
    "exchange.hold_tag": (
        "Hold tag",
        "Holds the order until the goods have passed (custom tag 2). Change it, and orders on hold get it too.",
    ),
    "exchange.other_hold_tags": (
        "Other tags that hold",
        "One a line. Tags of other apps: while one is there, the order stays on hold. We never remove them.",
    ),
    "exchange.release_tag": ("Release tag", "Added when the hold is lifted. Leave empty for none."),
    "exchange.rejected_tag": ("Rejected tag", "Added when the goods failed. Leave empty for none."),
    "exchange.apply_hold_tag": (
        "Put the hold tag on",
        "A new replacement order that comes without the hold tag is given it.",
    ),
    "exchange.fulfillment_hold": (
        "Hold fulfillment in Shopify too",
        "Binds every warehouse, not only those that read tags. Only our own hold is ever lifted.",
    ),
    "exchange.link_attribute": ("Attribute with the return code", "The order attribute that names the return order."),
    "exchange.link_tag_prefix": ("Tag prefix with the return code", "A tag that begins so names the return order."),
    "exchange.unit_property": (
        "Line property with unit codes",
        "Names the returned units that a line replaces. All of them are waited for.",
    ),
    "qc.actor": ("Who acts on a verdict", "Only one hand may act on an order."),
    "qc.wait_for": ("When to act", ""),
    "qc.on_fail": ("When every unit failed", ""),
    "qc.on_mixed": ("When some units failed", ""),
    "qc.reasons": ("What a QC reason counts as", "A failed unit with this reason counts as chosen here instead."),
    "qc.verdict_deadline_days": ("Days to a verdict", "Counted from the goods' arrival at the warehouse."),
    "qc.on_deadline": ("When no verdict came in time", ""),
    "qc.max_hold_days": ("Longest hold, in days", "After that a person is asked."),
    "cancel.refund": ("Refund", "What a cancelled order gives back. Most replacement orders were paid by the return."),
    "cancel.restock": ("Restock the items", ""),
    "cancel.notify_customer": ("Tell the customer", "Shopify sends its cancellation mail."),
    "cancel.reason": ("Reason shown in Shopify", ""),
    "cancel.cooling_off_minutes": (
        "Minutes before a cancel",
        "A cancel cannot be undone. Until then another verdict or a person can stop it.",
    ),
    "oms.base_url": ("Address", "Begins with https://"),
    "oms.auth_username": ("User name", "Sent as authUsername."),
    "oms.auth_password": ("Password", "Sent as authPassword."),
    "oms.auth_domain": ("Domain name", "Sent as authDomainName. Leave empty unless Increff gave you one."),
    "oms.calls_per_minute": ("Calls a minute", "Increff allows 200 for each client; shops that share one divide them."),
    "oms.sync": ("Which orders OMS hears of", ""),
    "oms.create_orders": (
        "Create orders in OMS",
        "Off when others do. Holds and cancels are still told.",
    ),
    "oms.order_code": ("Order code", "What an order is called in OMS."),
    "oms.sku": ("SKU", "What an item is called in OMS."),
    "oms.order_type": ("Order type", ""),
    "oms.replacement_order_type": ("Order type of replacements", ""),
    "oms.locations": ("Locations", "Shopify location id and its code in OMS."),
    "oms.default_location": ("Default location", "For locations not listed. Leave empty to have such orders wait."),
    "oms.dispatch_within_hours": ("Dispatch within, in hours", "The promise told to OMS for a new order."),
    "rms.awb_source": ("Who gets the AWB", ""),
    "rms.aggregator": ("Aggregator", ""),
    "rms.courier_fields": ("Fields your courier asks for", "One a line, by Increff's names."),
    "rms.warehouses": ("Warehouses", "Warehouse code in RMS and its location code in OMS."),
    "rms.rto_without_return": ("A parcel returned to origin", "That comes back without a return order."),
    "rms.default_return_reason": ("Reason when none is given", ""),
    "partners.name": ("Name", "Small letters, digits, - and _."),
    "partners.kind": ("Kind", ""),
    "partners.url": ("Address", "Where we post to."),
    "partners.headers": ("Headers", "Their values are kept secret."),
    "partners.events": ("Gets", ""),
}

CHOICES: dict[str, dict[str, str]] = {
    "mode": {"observe": "Observe", "live": "Live", "paused": "Paused"},
    "qc.actor": {"app": "Returnbridge", "partner": "The returns partner", "none": "Nobody: only record it"},
    "qc.wait_for": {"all_units": "When every unit has a verdict", "each_unit": "With each unit's verdict"},
    "qc.on_fail": {"cancel": "Cancel the order", "review": "Ask a person"},
    "qc.on_mixed": {
        "cancel_failed_lines": "Cancel the failed lines, release the rest",
        "cancel_order": "Cancel the order",
        "review": "Ask a person",
    },
    "qc.reasons": {"pass": "Passed", "fail": "Failed", "review": "Ask a person"},
    "qc.on_deadline": {"review": "Ask a person", "release": "Release the order", "cancel": "Cancel the order"},
    "cancel.refund": {"none": "None", "original": "To the original payment", "store_credit": "As store credit"},
    "cancel.reason": {
        "CUSTOMER": "Customer changed or cancelled",
        "DECLINED": "Payment declined",
        "FRAUD": "Fraudulent order",
        "INVENTORY": "Items unavailable",
        "OTHER": "Other",
        "STAFF": "Staff error",
    },
    "oms.sync": {"exchanges": "Exchanges only", "all": "All orders", "none": "None"},
    "oms.order_code": {"id": "Shopify's order id", "name": "The order's name, without #"},
    "oms.sku": {"sku": "The SKU", "variant_id": "Shopify's variant id"},
    "rms.awb_source": {"partner": "The returns partner", "increff": "Increff"},
    "rms.aggregator": {"CLICKPOST": "Clickpost", "SHIPROCKET": "Shiprocket", "NONE": "None"},
    "rms.rto_without_return": {"park": "Park it: ask a person", "create": "Create a return order in OMS"},
    "partners.kind": {
        "clickpost": "Clickpost",
        "returns_prime": "Returns Prime",
        "shiprocket": "Shiprocket",
        "generic": "Another",
    },
    "partners.events": {"qc": "QC verdicts", "return": "New returns", "tracking": "Tracking"},
}

MODES = {
    "observe": "Everything is decided and shown; nothing is sent to any system.",
    "live": "What is decided is done: tags, holds and cancels in Shopify, calls to OMS and partners.",
    "paused": "Messages are kept and nothing is decided or sent until you choose another mode.",
}
UNITS = {
    "oms.locations": ("Shopify location id", "Code in OMS"),
    "rms.warehouses": ("Warehouse in RMS", "Location in OMS"),
    "qc.reasons": ("QC reason", "Counts as"),
    "partners.headers": ("Header", "Value"),
}
