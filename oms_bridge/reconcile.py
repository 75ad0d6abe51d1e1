"""Looking at an order in OMS, for the drift check: `GET /search/order` (increff.md §3.4)."""

from __future__ import annotations

from typing import Any

from core.domain.differences import OmsSight
from core.errors import Permanent
from core.runtime import Runtime
from oms_bridge.client import OmsClient, says_absent

_UNKNOWN_WORDS = ("404", "not found", "does not exist", "no order")


def look_at_order(client: OmsClient, shop_id: int, code: str, location: str) -> OmsSight:
    """The order as OMS shows it. Raises Fault; a refusal that does not say "no such order" proves nothing."""
    params = {"orderCode": code, "locationCode": location}
    answer = client.call(shop_id, "GET", "/search/order", params=params, looking=True)
    if not says_absent(answer):
        return parse_order(answer.read_json())
    said = f"OMS answered {answer.status}: {answer.excerpt()}"
    if any(words in said.lower() for words in _UNKNOWN_WORDS):
        return OmsSight(known=False)
    raise Permanent(said)


def parse_order(found: Any) -> OmsSight:
    """The page shows no hold in the answer, so one that is missing there is not known. Raises Permanent."""
    items = found.get("orderItems") or found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise Permanent("OMS answered a search for an order without its lines")
    held = found.get("onHold")
    lines = [one for one in items if isinstance(one, dict) and str(one.get("orderItemCode", "")).isdecimal()]
    cancelled = {int(one["orderItemCode"]): int(one.get("cancelledQuantity") or 0) for one in lines}
    return OmsSight(known=True, on_hold=held if isinstance(held, bool) else None, cancelled=cancelled)


def make_look(runtime: Runtime) -> Any:
    """`look_at_order` over a runtime."""
    client = OmsClient(runtime)
    return lambda shop_id, code, location: look_at_order(client, shop_id, code, location)
