"""Forgetting people and shops when Shopify asks for it (shopify.md §2.7); what is held of whom is in docs/privacy.md.

Nothing about a customer has a column of its own (law 11). What may name one is a raw message, a text somebody wrote
about a return, and the words of a far side: of the customer's orders and returns these go, and the bare facts stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from core.db import Base, db_now
from core.domain.differences import Difference, Kind
from core.domain.phones import holds_number, may_hold_number, read_number
from core.flows.audit import audit
from core.flows.findings import keep_findings
from core.flows.linking import spell_code
from core.models import (
    Attempt,
    AuditEntry,
    AuditHead,
    Effect,
    Event,
    Exchange,
    ExchangeHistory,
    ExchangeLink,
    Finding,
    OmsOrder,
    Order,
    ReturnOrder,
    ReturnUnitRow,
    Shop,
    VerdictRow,
)

SHOPIFY = "Shopify"  # who asks, in the audit log
FORGOTTEN = "forgotten at the customer's request"
_SHORTEST_WORD = 5  # of a contact that is looked for inside longer texts
_REQUEST_DAYS = 30


@dataclass(frozen=True)
class Person:
    """A customer as Shopify names one: ids as numbers, contacts as texts."""

    customer_id: int | None
    contacts: tuple[str, ...]
    order_ids: tuple[int, ...]


@dataclass(frozen=True)
class Traces:
    """What a person's rows and messages are known by."""

    order_ids: frozenset[int]
    return_ids: frozenset[int]
    codes: frozenset[str]  # every id and code that a message may name
    contacts: frozenset[str]  # case folded
    numbers: frozenset[str] = frozenset()  # those of the contacts that are telephone numbers, as bare digits

    @property
    def abouts(self) -> set[str]:
        """What effects and findings are about."""
        return {*map(str, self.order_ids), *self.codes}

    def may_be_in(self, text: str) -> bool:
        """False when a message cannot name the person: quick, for most do not. An escape may hide anything."""
        lowered = text.casefold()
        named = any(code in text for code in self.codes) or any(one in lowered for one in self.contacts)
        return named or "\\" in text or any(may_hold_number(text, one) for one in self.numbers)

    def are_in(self, value: Any) -> bool:
        """True when a JSON value names the person: a code as a whole, a contact also within a text, however dialled."""
        return any(self._is_named(str(one)) for one in _list_scalars(value))

    def _is_named(self, text: str) -> bool:
        named = text.removeprefix("#") in self.codes or any(one in text.casefold() for one in self.contacts)
        return named or any(holds_number(text, one) for one in self.numbers)


def _list_scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _list_scalars(one)
    elif value is not None and not isinstance(value, bool):
        yield value


def find_traces(session: Session, shop_id: int, person: Person) -> Traces:
    """From the person's orders to their returns, and on to what replaces them."""
    orders, returns = set(person.order_ids), set[int]()
    codes = {str(one) for one in (*orders, person.customer_id) if one is not None}
    while True:
        before = len(orders), len(returns)
        for order in session.scalars(select(Order).where(Order.shop_id == shop_id, Order.order_id.in_(orders))):
            codes |= {order.name.removeprefix("#"), *order.return_codes}
        for row in session.scalars(_find_returns(shop_id, codes)):
            returns.add(row.id)
            codes |= {one for one in (row.code, row.awb) if one}
        orders |= set(session.scalars(_find_linked_orders(shop_id, codes)))
        codes |= {str(one) for one in orders}
        if before == (len(orders), len(returns)):
            break
    contacts = frozenset(one.casefold() for one in person.contacts if len(one) >= _SHORTEST_WORD)
    numbers = frozenset(number for one in contacts if (number := read_number(one)))
    return Traces(frozenset(orders), frozenset(returns), frozenset(codes), contacts, numbers)


def _find_returns(shop_id: int, codes: Iterable[str]) -> Any:
    spelled = [one for code in codes for one in spell_code(code)]
    named = or_(ReturnOrder.forward_code.in_(spelled), ReturnOrder.code.in_(codes))
    return select(ReturnOrder).where(ReturnOrder.shop_id == shop_id, named)


def _find_linked_orders(shop_id: int, codes: Iterable[str]) -> Any:
    links = select(ExchangeLink.exchange_id).where(ExchangeLink.shop_id == shop_id, ExchangeLink.return_code.in_(codes))
    return select(Exchange.order_id).where(Exchange.shop_id == shop_id, Exchange.id.in_(links))


def forget_messages(session: Session, shop_id: int, event_ids: Iterable[int]) -> None:
    """Raw messages go; one that nobody had thought about yet is thought about no more."""
    where = (Event.shop_id == shop_id, Event.id.in_(event_ids))
    waiting = {"outcome": "ignored", "ended_at": db_now(), "lease_until": None, "fence": Event.fence + 1}
    session.execute(update(Event).where(*where, Event.outcome.is_(None)).values(waiting))
    session.execute(update(Event).where(*where).values(body=None, reason=FORGOTTEN))


def forget_person(session: Session, shop_id: int, traces: Traces) -> None:
    """Texts about the person's orders and returns go; ids, codes, SKUs, states and times stay."""
    orders = {"shop_id": shop_id, "order_id": traces.order_ids}
    for model in (Order, OmsOrder):
        session.execute(update(model).where(*_match(model, orders)).values(address=None))
    session.execute(update(ReturnOrder).where(ReturnOrder.id.in_(traces.return_ids)).values(status_text=None))
    units = update(ReturnUnitRow).where(ReturnUnitRow.return_id.in_(traces.return_ids))
    session.execute(units.values(reason=None))
    _forget_judgements(session, shop_id, traces)
    _forget_effects(session, shop_id, traces)
    audit(session, shop_id, SHOPIFY, "customer.forget", "customer", orders=sorted(map(str, traces.order_ids)))


def _match(model: Any, values: dict[str, Any]) -> tuple[Any, ...]:
    return (model.shop_id == values["shop_id"], model.order_id.in_(values["order_id"]))


def _forget_judgements(session: Session, shop_id: int, traces: Traces) -> None:
    """Why something was decided is told by its code alone. A verdict keeps its outcome."""
    verdicts = update(VerdictRow).where(VerdictRow.return_id.in_(traces.return_ids))
    session.execute(verdicts.values(reason=None, image_urls=[]))
    mine = (Exchange.shop_id == shop_id, Exchange.order_id.in_(traces.order_ids))
    session.execute(update(Exchange).where(*mine).values(reason=Exchange.code))
    history = update(ExchangeHistory).where(ExchangeHistory.exchange_id.in_(select(Exchange.id).where(*mine)))
    session.execute(history.values(why=ExchangeHistory.code))


def _forget_effects(session: Session, shop_id: int, traces: Traces) -> None:
    """Frozen requests and far sides' words go. One still to be sent is rendered anew, from what Shopify then shows."""
    mine = (Effect.shop_id == shop_id, Effect.about.in_(traces.abouts))
    ids = select(Effect.id).where(*mine)
    session.execute(update(Attempt).where(Attempt.effect_id.in_(ids)).values(excerpt=None))
    findings = (Finding.shop_id == shop_id, Finding.kind == Kind.EFFECT_PARKED)
    parked = [str(one) for one in session.scalars(ids)]
    session.execute(update(Finding).where(*findings, Finding.about.in_(parked)).values(detail=FORGOTTEN))
    about = (Finding.shop_id == shop_id, Finding.about.in_(traces.abouts))
    session.execute(update(Finding).where(*about).values(detail=FORGOTTEN))
    session.execute(update(Effect).where(*mine, Effect.reason.isnot(None)).values(reason=FORGOTTEN))
    session.execute(update(Effect).where(*mine).values(request=None))


def note_data_request(
    session: Session, shop_id: int, request: str, traces: Traces, messages: int, shown: Sequence[int]
) -> str:
    """What is held of a person, for the merchant to answer with: a finding. Returns its words.

    `messages` is how many name the person, `shown` are the event ids of the first of them.
    """
    orders = ", ".join(map(str, sorted(traces.order_ids))) or "none"
    words = (
        f"a customer asks what is stored. Orders: {orders}; returns: {len(traces.return_ids)}; raw messages: {messages}"
    )
    if shown:
        words += f" (events {', '.join(map(str, shown))}{', …' if messages > len(shown) else ''})"
    keep_findings(session, shop_id, request, [Kind.DATA_REQUEST], [Difference(Kind.DATA_REQUEST, words)])
    return words


def end_data_requests(session: Session, shop_id: int) -> None:
    """A request is to be answered within 30 days: after that it is no longer shown."""
    old = Finding.since < db_now(-_REQUEST_DAYS * 86_400)
    where = (Finding.shop_id == shop_id, Finding.kind == Kind.DATA_REQUEST, Finding.cleared_at.is_(None), old)
    session.execute(update(Finding).where(*where).values(cleared_at=db_now()))


def forget_shop(session: Session, shop: Shop, event_id: int) -> None:
    """Everything of a shop goes, but its domain, the event that asked for it, without its body, and the audit log."""
    kept = (Event.__table__, AuditEntry.__table__, AuditHead.__table__)
    for table in reversed(Base.metadata.sorted_tables):
        if "shop_id" in table.c and table not in kept:
            session.execute(delete(table).where(table.c.shop_id == shop.id))
    session.execute(delete(Event).where(Event.shop_id == shop.id, Event.id != event_id))
    session.execute(update(Event).where(Event.id == event_id).values(body=None))
    shop.mode, shop.live_since, shop.installed_at = "observe", None, None
    shop.removed_at = shop.removed_at or db_now()
    audit(session, shop.id, SHOPIFY, "shop.forget", shop.domain)
