"""What a body must also fulfil, given the shop's settings or its own other fields.

Every function takes the raw body and gives `(path, words)` for each fault. It looks at the raw body, not at the model,
because a model with one wrong type tells nothing more; wrong types are the model's to name and are passed over here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from core.settings import RmsSettings
from rms_bridge.contract import EMPTY

Body = dict[str, Any]
Fault = tuple[str, str]

# "Create Return Order" marks these with no star: mandatory unless Increff fetches the AWB.
AWB_FIELDS = ("awbNumber", "transporter")

# Marked `*`: mandatory when Increff fetches the AWB from the aggregator.
FETCH_FIELDS = (
    *("orderType", "currencyCode", "regionType", "returnReason"),
    *("shipmentDimension", "dropAddress", "pickupAddress", "orderDetails"),
    *("orderItems.name", "orderItems.price", "orderItems.finalAmountPaid"),
)

# Marked `*` too, but may be null for Shiprocket.
CLICKPOST_FIELDS = ("sellerGstin", "orderDetails.invoiceNumber", "orderDetails.invoiceTime")

# Marked `*†`: mandatory when the courier asks for them, which the shop's settings list.
COURIER_FIELDS = (
    *("orderItems.brand", "orderItems.color", "orderItems.category", "orderItems.subCategory"),
    *("orderItems.serialNumber", "orderItems.subTaxItemData"),
    *("orderItems.subTaxItemData.type", "orderItems.subTaxItemData.rate"),
    *("orderItems.subTaxItemData.taxPerUnit", "orderItems.subTaxItemData.taxTotal"),
    "consigneeGstin",
)


def list_required_fields(rms: RmsSettings) -> tuple[str, ...]:
    """The fields mandatory for this shop beside those that always are. A courier field may go by its last name."""
    if rms.awb_source == "partner":
        return AWB_FIELDS
    by_aggregator = CLICKPOST_FIELDS if rms.aggregator == "CLICKPOST" else ()
    asked = [path for path in COURIER_FIELDS if any(f".{path}".endswith(f".{name}") for name in rms.courier_fields)]
    return (*FETCH_FIELDS, *by_aggregator, *asked)


def find_return_order_faults(body: Body, rms: RmsSettings) -> Iterator[Fault]:
    """Faults of a Create Return Order body beyond types: what this shop must send, a code twice, cash of nothing."""
    for path in list_required_fields(rms):
        yield from _find_absent(body, path.split("."), "")
    yield from _find_repeated_codes(body)
    details = body.get("orderDetails")
    if isinstance(details, dict) and details.get("isCod") is True and _is_not_above_zero(details.get("codValue")):
        yield "orderDetails.codValue", "must be more than 0 when isCod is true"


def find_notification_faults(body: Body) -> Iterator[Fault]:
    """A return's items must name their SKU: without it OMS cannot expect them. A forward parcel's items need none."""
    if body.get("returnOrderInfo") is None:
        return
    for name in ("items", "lineItems"):
        for path, item in _open(body.get(name), name):
            yield from _find_absent(item, ["sku"], f"{path}.")


def find_processing_update_faults(body: Body) -> Iterator[Fault]:
    """One piece judged twice with two outcomes: neither can be believed."""
    first: dict[str, tuple[str, Body]] = {}
    for path, item in _open(body.get("orderItems"), "orderItems"):
        code = item.get("itemCode")
        if isinstance(code, str):
            before, other = first.setdefault(code, (path, item))
            for name in ("channelSkuCode", "qcStatus", "qcReason"):
                if item.get(name) != other.get(name):
                    yield f"{path}.{name}", f"contradicts {before}.{name}, which has the same itemCode"


def _find_absent(part: Body, names: list[str], at: str) -> Iterator[Fault]:
    """Follow a path through objects and arrays, naming each place where nothing is given."""
    value, path = part.get(names[0]), f"{at}{names[0]}"
    words = _describe_absence(value)
    if words:
        yield path, words
    elif len(names) > 1:
        for where, one in _open(value, path):
            yield from _find_absent(one, names[1:], f"{where}.")


def _describe_absence(value: Any) -> str | None:
    if value is None:
        return "required"
    empty = value == [] or (isinstance(value, str) and not value.strip())
    return EMPTY if empty else None


def _open(value: Any, path: str) -> Iterable[tuple[str, Body]]:
    """The objects at a path: the object itself, or each one in an array, with its own path."""
    if isinstance(value, dict):
        return [(path, value)]
    if isinstance(value, list):
        return [(f"{path}[{number}]", one) for number, one in enumerate(value) if isinstance(one, dict)]
    return []


def _find_repeated_codes(body: Body) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for path, item in _open(body.get("orderItems"), "orderItems"):
        code = item.get("itemCode")
        if isinstance(code, str):
            before = first.setdefault(code, path)
            if before != path:
                yield f"{path}.itemCode", f"the same as {before}.itemCode"


def _is_not_above_zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0
