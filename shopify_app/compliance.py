"""The three privacy topics: what is held of a customer, forget a customer, forget a shop (shopify.md §2.7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeGuard

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.errors import Permanent
from core.flows import privacy
from core.flows.installations import end_installation
from core.flows.privacy import Person, Traces
from core.models import Event, Shop
from core.reading import read_object
from core.registry import Delivery, Outcome, handled, ignored
from core.relay.inbox import ALWAYS, open_body, record_event
from core.runtime import Runtime

_BATCH = 200
_MOST_SHOWN = 50  # messages that a finding names
_STRETCH_SECONDS = 8.0  # well within the lease


def parse_person(body: dict[str, Any], orders_key: str) -> Person:
    """The customer of a `customers/*` payload. What is absent or odd is left out; orders may be named alone."""
    customer = body.get("customer")
    customer = customer if isinstance(customer, dict) else {}
    contacts = tuple(one for one in (customer.get("email"), customer.get("phone")) if isinstance(one, str) and one)
    orders = body.get(orders_key)
    listed = [one for one in orders if _is_id(one)] if isinstance(orders, list) else []
    customer_id = customer.get("id")
    return Person(customer_id if _is_id(customer_id) else None, contacts, tuple(listed))


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


@dataclass(frozen=True)
class Found:
    """What was found of a person: the traces, the messages of this stretch that name it, and where to go on."""

    body: dict[str, Any]
    traces: Traces
    event_ids: list[int]
    after: int | None

    @property
    def counted(self) -> int:
        """Messages found so far."""
        before = self.body.get("counted")
        return len(self.event_ids) + (before if _is_id(before) else 0)

    @property
    def shown(self) -> list[int]:
        """Those of them that are named in a finding: the first ones."""
        before = self.body.get("shown")
        known = [one for one in before if _is_id(one)] if isinstance(before, list) else []
        return [*known, *self.event_ids][:_MOST_SHOWN]


@dataclass(frozen=True)
class PersonHandler:
    """Finds what is held of a customer, messages included, which are opened one after the other.

    A shop may hold a great many: after a while the rest is left to another event, which goes on where this one ended.
    """

    runtime: Runtime
    orders_key: str

    def read(self, delivery: Delivery) -> Found:
        """Traces, and messages of one stretch. No transaction is open for longer than one batch."""
        body = read_object(delivery.body)
        with self.runtime.database.read() as session:
            traces = privacy.find_traces(session, delivery.shop_id, parse_person(body, self.orders_key))
        after, found, end = body.get("after"), list[int](), monotonic() + _STRETCH_SECONDS
        place: int | None = after if _is_id(after) else 0
        while place is not None and monotonic() < end:
            named, place = self._search(delivery, traces, place)
            found += named
        return Found(body, traces, found, place)

    def _search(self, delivery: Delivery, traces: Traces, after: int) -> tuple[list[int], int | None]:
        """One batch: the messages that name the person, and the last one looked at; None when there are no more."""
        query = select(Event).where(Event.shop_id == delivery.shop_id, Event.id > after, Event.body.isnot(None))
        with self.runtime.database.read() as session:
            events = session.scalars(query.order_by(Event.id).limit(_BATCH)).all()
        named = [one.id for one in events if one.id != delivery.id and self._names(one, traces)]
        return named, events[-1].id if len(events) == _BATCH else None

    def _names(self, event: Event, traces: Traces) -> bool:
        try:
            body = open_body(self.runtime.keyring, event)
        except Permanent:
            return False  # its key is gone: nobody can read it any more
        text = body.decode("utf-8", "replace")
        if not traces.may_be_in(text):
            return False
        try:
            return traces.are_in(json.loads(body))
        except (ValueError, RecursionError):
            return traces.are_in([text, *text.split()])

    def _go_on(self, session: Session, delivery: Delivery, facts: Found) -> None:
        """The rest is another event of the same topic. This one's body names the customer, and goes."""
        session.get_one(Event, delivery.id).body = None
        session.flush()
        if facts.after is not None:
            record_event(
                session,
                self.runtime.keyring,
                shop_id=delivery.shop_id,
                source=delivery.source,
                topic=delivery.topic,
                delivery_id=f"{delivery.id}@{facts.after}",
                body=json.dumps(
                    {**facts.body, "after": facts.after, "counted": facts.counted, "shown": facts.shown}
                ).encode(),
                priority=ALWAYS,
            )

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """What is to be done with what was found."""
        raise NotImplementedError


class DataRequest(PersonHandler):
    """`customers/data_request`: the merchant answers the customer; we say what is held."""

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """A finding, once everything was looked at."""
        self._go_on(session, delivery, facts)
        if facts.after is not None:
            return handled(f"{facts.counted} raw message(s) so far")
        asked = facts.body.get("data_request")
        number = asked.get("id") if isinstance(asked, dict) else None
        about = str(number or delivery.id)[:64]
        words = privacy.note_data_request(session, delivery.shop_id, about, facts.traces, facts.counted, facts.shown)
        return handled(words)


class CustomerRedact(PersonHandler):
    """`customers/redact`: messages and texts of the customer's orders go."""

    def apply(self, session: Session, delivery: Delivery, facts: Found) -> Outcome:
        """Forget."""
        privacy.forget_messages(session, delivery.shop_id, facts.event_ids)
        privacy.forget_person(session, delivery.shop_id, facts.traces)
        self._go_on(session, delivery, facts)
        words = f"a customer of {len(facts.traces.order_ids)} order(s) was forgotten, {facts.counted} message(s)"
        return handled(words + (" so far" if facts.after is not None else ""))


@dataclass(frozen=True)
class ShopRedact:
    """`shop/redact`, 48 hours after the app was removed."""

    def read(self, delivery: Delivery) -> None:
        """The shop is the one that was verified; nothing of the body is needed."""

    def apply(self, session: Session, delivery: Delivery, facts: None) -> Outcome:
        """Forget, unless the app has been installed again since.

        A token that Shopify refuses tells that it was removed once more, of which nobody may have told us.
        """
        shop = session.get_one(Shop, delivery.shop_id)
        again = shop.uninstalled_at is not None and shop.removed_at is None and shop.refused_at is None
        if again:
            return ignored("the app has been installed again since it was removed")
        end_installation(session, shop)
        privacy.forget_shop(session, shop, delivery.id)
        return handled("everything of the shop was forgotten")
