"""The three privacy topics: what is held of a customer, forget a customer, forget a shop (shopify.md §2.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Permanent
from core.flows import privacy
from core.flows.installations import end_installation
from core.flows.privacy import Person, Traces
from core.models import Event, Shop
from core.reading import read_object
from core.registry import Delivery, Outcome, handled, ignored
from core.relay.inbox import read_body
from core.runtime import Runtime

_BATCH = 200


def parse_person(body: dict[str, Any], orders_key: str) -> Person:
    """The customer of a `customers/*` payload. What is absent or odd is left out; orders may be named alone."""
    customer = body.get("customer")
    customer = customer if isinstance(customer, dict) else {}
    contacts = tuple(one for one in (customer.get("email"), customer.get("phone")) if isinstance(one, str) and one)
    orders = body.get(orders_key)
    listed = [one for one in orders if _is_id(one)] if isinstance(orders, list) else []
    customer_id = customer.get("id")
    return Person(customer_id if _is_id(customer_id) else None, contacts, tuple(listed))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


@dataclass(frozen=True)
class Found:
    """What was found of a person: the traces, the messages that name it, and Shopify's number of the request."""

    traces: Traces
    event_ids: list[int]
    request: str


@dataclass(frozen=True)
class PersonHandler:
    """Finds what is held of a customer, messages included, which are opened one after the other."""

    runtime: Runtime
    orders_key: str

    def read(self, delivery: Delivery) -> Found:
        """Traces and messages. No transaction is open for longer than one batch."""
        body = read_object(delivery.body)
        person = parse_person(body, self.orders_key)
        with self.runtime.database.read() as session:
            traces = privacy.find_traces(session, delivery.shop_id, person)
        asked = body.get("data_request")
        request = asked.get("id") if isinstance(asked, dict) else None
        return Found(traces, list(self._find_messages(delivery, traces)), str(request or delivery.id)[:64])

    def _find_messages(self, delivery: Delivery, traces: Traces) -> Iterator[int]:
        after = 0
        while True:
            query = select(Event.id).where(Event.shop_id == delivery.shop_id, Event.id > after, Event.body.isnot(None))
            with self.runtime.database.read() as session:
                ids = list(session.scalars(query.order_by(Event.id).limit(_BATCH)))
                yield from [one for one in ids if self._names(session, delivery.shop_id, one, traces)]
            if not ids:
                return
            after = ids[-1]

    def _names(self, session: Session, shop_id: int, event_id: int, traces: Traces) -> bool:
        try:
            body = read_body(session, self.runtime.keyring, shop_id, event_id)
        except Permanent:
            return False  # its key is gone: nobody can read it any more
        try:
            return traces.are_in(json.loads(body))
        except (ValueError, RecursionError):
            text = body.decode("utf-8", "replace")
            return traces.are_in([text, *text.split()])

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """What is to be done with what was found."""
        raise NotImplementedError


class DataRequest(PersonHandler):
    """`customers/data_request`: the merchant answers the customer; we say what is held."""

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """A finding. The request itself names the customer, so its body goes."""
        messages = [one for one in facts.event_ids if one != delivery.id]
        words = privacy.note_data_request(session, delivery.shop_id, facts.request, facts.traces, len(messages))
        _drop_body(session, delivery)
        return handled(words)


class CustomerRedact(PersonHandler):
    """`customers/redact`: messages and texts of the customer's orders go."""

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """Forget."""
        others = [one for one in facts.event_ids if one != delivery.id]
        privacy.forget_messages(session, delivery.shop_id, others)
        privacy.forget_person(session, delivery.shop_id, facts.traces)
        _drop_body(session, delivery)
        return handled(f"a customer of {len(facts.traces.order_ids)} order(s) was forgotten, {len(others)} message(s)")


@dataclass(frozen=True)
class ShopRedact:
    """`shop/redact`, 48 hours after the app was removed."""

    def read(self, delivery: Delivery) -> None:
        """The shop is the one that was verified; nothing of the body is needed."""

    def apply(self, session: Session, delivery: Delivery, facts: None) -> Outcome:
        """Forget, unless the app has been installed again since."""
        shop = session.get_one(Shop, delivery.shop_id)
        again = shop.uninstalled_at is not None and shop.removed_at is None
        if again:
            return ignored("the app has been installed again since it was removed")
        end_installation(session, shop)
        privacy.forget_shop(session, shop, delivery.id)
        return handled("everything of the shop was forgotten")


def _drop_body(session: Session, delivery: Delivery) -> None:
    session.get_one(Event, delivery.id).body = None
    session.flush()
