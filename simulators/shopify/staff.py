"""What people do in the shop's admin, as plain calls with plain answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulators.shopify import cancelling, editing, holding, payloads, returning
from simulators.shopify.base import Refused
from simulators.shopify.order_model import Order
from simulators.shopify.orders import add_fulfillment_order, add_line, announce_order, make_order
from simulators.shopify.state import MAIN_APP, World, new_event
from simulators.shopify.tags import split, with_tags, without_tags

View = dict[str, Any]
Ref = int | str


def plain(order: Order) -> View:
    """An order as tests and pages like to see it."""
    holds = [
        {"id": hold.id, "handle": hold.handle, "reason": hold.reason, "app": hold.app, "fulfillment_order": item.id}
        for item in order.fulfillment_orders
        for hold in item.fulfillment_holds
    ]
    return {
        "id": order.pk,
        "gid": order.id,
        "name": order.name,
        "tags": list(order.tags),
        "note_attributes": dict(order.attributes),
        "created_at": payloads.stamp(order.created_at),
        "updated_at": payloads.stamp(order.updated_at),
        "cancelled_at": payloads.stamp(order.cancelled_at),
        "cancel_reason": order.cancel_reason,
        "held": order.held,
        "holds": holds,
        "financial_status": order.display_financial_status,
        "fulfillment_status": order.display_fulfillment_status,
        "lines": [_line(line) for line in order.line_items],
        "fulfillment_orders": [{"id": item.id, "status": item.status} for item in order.fulfillment_orders],
        "returns": [{"id": item.id, "name": item.name, "status": item.status} for item in order.returns],
        "refunds_made": order.refunds_made,
        "refunded": f"{order.total_refunded_set:.2f}",
        "restocked": dict(order.restocked),
        "cancel_requests": order.cancel_requests,
    }


def _line(line: Any) -> View:
    keys = ("id", "sku", "quantity", "current_quantity", "unfulfilled_quantity", "fulfilled", "properties")
    return {key: getattr(line, key) for key in keys} | {"id": line.pk, "gid": line.id, "variant_id": line.variant.pk}


class Staff(World):
    """Each call is one action: one lock, one event, its webhooks."""

    def create_order(self, shop: str, **facts: Any) -> View:
        with self.lock:
            found = self.shop(shop)
            order = make_order(self, found, **facts)
            event = new_event()
            self.announce(found, "orders/create", payloads.order_body(found, order), event)
            return plain(order)

    def order(self, shop: str, order_id: Ref) -> View:
        with self.lock:
            return plain(self.find_order(self.shop(shop), order_id))

    def orders(self, shop: str) -> list[View]:
        with self.lock:
            return [plain(order) for order in self.shop(shop).orders.values()]

    def order_payload(self, shop: str, order_id: Ref) -> View:
        """The body a webhook about this order would carry now."""
        with self.lock:
            found = self.shop(shop)
            return payloads.order_body(found, self.find_order(found, order_id))

    def edit_tags(
        self, shop: str, order_id: Ref, add: str | Iterable[str] = (), remove: str | Iterable[str] = ()
    ) -> View:
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            order.tags = with_tags(without_tags(order.tags, remove), split(add))
            announce_order(self, found, order)
            return plain(order)

    def set_attributes(self, shop: str, order_id: Ref, attributes: Mapping[str, str | None]) -> View:
        """Merges; a null takes the attribute away."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            merged = {**order.attributes, **attributes}
            order.attributes = {key: str(value) for key, value in merged.items() if value is not None}
            announce_order(self, found, order)
            return plain(order)

    def edit_address(self, shop: str, order_id: Ref, **parts: str | None) -> View:
        """Staff correct the shipping address, as the customer asked."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            if order.shipping_address is None:
                raise Refused("the order has no shipping address")
            order.shipping_address = replace(order.shipping_address, pk=self.next_id(), **parts)
            announce_order(self, found, order)
            return plain(order)

    def cancel_order(
        self, shop: str, order_id: Ref, reason: str = "CUSTOMER", restock: bool = True, refund: bool = False
    ) -> View:
        """At once, by hand."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            cancelling.check_cancellable(self, order)
            order.refunds_made += 1 if refund else 0
            wish = cancelling.CancelWish(reason.upper(), restock, "original" if refund else None)
            cancelling.cancel_now(self, found, order, wish)
            return plain(order)

    def edit_line(self, shop: str, order_id: Ref, line_id: Ref, quantity: int, restock: bool = True) -> View:
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            line = next((item for item in order.line_items if str(line_id) in (str(item.pk), item.id)), None)
            if line is None or order.cancelled_at:
                raise Refused("no such line to edit", ["line_id"])
            if quantity < line.current_quantity - line.unfulfilled_quantity:
                raise Refused("The quantity can't be less than the fulfilled quantity", ["quantity"])
            if quantity != line.current_quantity:
                editing.apply_changes(self, found, order, [(line, quantity, restock)])
            return plain(order)

    def add_line(self, shop: str, order_id: Ref, sku: str, quantity: int = 1) -> View:
        """An order edit; what is added so has no properties."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            made = add_line(self, found, order, sku=sku, quantity=quantity)
            add_fulfillment_order(self, found, order, [(made, quantity)])
            announce_order(self, found, order, "orders/edited", moves=True)
            return plain(order)

    def fulfil(self, shop: str, order_id: Ref, lines: Mapping[Any, int] | None = None) -> View:
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            returning.fulfil(self, found, order, _numbered(lines))
            return plain(order)

    def refund_order(self, shop: str, order_id: Ref, lines: Mapping[Any, int], restock_type: str = "CANCEL") -> View:
        """Take units off by a refund, as staff often do instead of editing."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            parts = [
                {"lineItemId": f"gid://shopify/LineItem/{pk}", "quantity": count, "restockType": restock_type}
                for pk, count in (_numbered(lines) or {}).items()
            ]
            returning.refund(self, found, order, {"refundLineItems": parts})
            return plain(order)

    def hold_order(
        self, shop: str, order_id: Ref, handle: str = "staff", app: str = "staff", reason: str = "OTHER"
    ) -> View:
        """A hold by hand or by some other app on every open fulfillment order."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            for item in order.fulfillment_orders:
                if item.is_open:
                    holding.hold(self, found, item, app, {"reason": reason, "handle": handle})
            return plain(order)

    def release_holds(self, shop: str, order_id: Ref) -> View:
        """The merchant presses "release hold": all of them go."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            for item in order.fulfillment_orders:
                if item.fulfillment_holds:
                    holding.release(self, found, item, None)
            return plain(order)

    def split_order(self, shop: str, order_id: Ref) -> View:
        """Each open fulfillment order keeps its first line; the others go to a new one."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            for item in [one for one in order.fulfillment_orders if one.is_open]:
                first = item.line_items[0]
                holding.split_off(self, found, item, {first.id: first.remaining_quantity})
            return plain(order)

    def move_order(self, shop: str, order_id: Ref) -> View:
        """Another location is to send it: each open fulfillment order is replaced by a new one."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            for item in [one for one in order.fulfillment_orders if one.is_open]:
                holding.move(self, found, item)
            return plain(order)

    def submit_fulfillment(self, shop: str, order_id: Ref) -> View:
        """Send the open fulfillment orders to a fulfillment service."""
        with self.lock:
            order = self.find_order(self.shop(shop), order_id)
            for item in order.fulfillment_orders:
                if item.status == "OPEN":
                    item.request_status = "SUBMITTED"
            self.touch(order, moves=True)
            return plain(order)

    def open_return(
        self,
        shop: str,
        order_id: Ref,
        lines: Mapping[Any, int] | None = None,
        exchange: Sequence[Mapping[str, Any]] = (),
        status: str = "OPEN",
    ) -> View:
        """A return in Shopify itself; `exchange` lines make it an exchange on the same order."""
        with self.lock:
            found = self.shop(shop)
            order = self.find_order(found, order_id)
            made = returning.open_return(self, found, order, _numbered(lines), exchange, status)
            return {"id": made.id, "name": made.name, "status": made.status, "order": order.pk}

    def process_return(self, shop: str, return_id: str) -> View:
        """Its exchange lines join the order."""
        with self.lock:
            found = self.shop(shop)
            item = returning.find_return(found, return_id)
            parts = [{"id": one.id, "quantity": one.unprocessed_quantity} for one in item.exchange_line_items]
            returning.process(self, found, item, {"exchangeLineItems": parts})
            return {"id": item.id, "name": item.name, "status": item.status, "order": item.order.pk}

    def close_return(self, shop: str, return_id: str, status: str = "CLOSED") -> View:
        topics = {"CLOSED": "returns/close", "CANCELED": "returns/cancel", "DECLINED": "returns/decline"}
        topics["OPEN"] = "returns/reopen"
        with self.lock:
            found = self.shop(shop)
            item = returning.set_status(self, found, returning.find_return(found, return_id), status, topics[status])
            return {"id": item.id, "name": item.name, "status": item.status, "order": item.order.pk}

    def uninstall(self, shop: str) -> None:
        """Tokens die at once; then the app is told, and nothing more is sent."""
        with self.lock:
            found = self.shop(shop)
            self.announce(found, "app/uninstalled", {"id": found.pk, "domain": shop, "name": found.name}, new_event())
            found.installed = False
            self.tokens = {key: token for key, token in self.tokens.items() if token.shop != shop}

    def change_scopes(self, shop: str, scopes: Iterable[str]) -> None:
        """The merchant agrees to other scopes; the app's tokens carry them at once."""
        with self.lock:
            found = self.shop(shop)
            before, found.scopes = list(found.scopes), tuple(scopes)
            for token in self.tokens.values():
                if token.shop == shop and token.app == MAIN_APP:
                    token.scopes = found.scopes
            body = {"id": found.pk, "previous": before, "current": list(found.scopes)}
            self.announce(found, "app/scopes_update", body, new_event())


def _numbered(lines: Mapping[Any, int] | None) -> dict[int, int] | None:
    """JSON keys are texts; ids may also be global."""
    if lines is None:
        return None
    return {int(str(key).rsplit("/", 1)[-1]): int(count) for key, count in lines.items()}
