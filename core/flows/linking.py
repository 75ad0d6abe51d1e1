"""Which return belongs to which replacement order (DESIGN §8); either side may come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, select, union
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.returns import ReturnType
from core.domain.statuses import ENDED
from core.flows.scene import Scene, write_history
from core.models import Exchange, ExchangeLink, Order, ReturnOrder
from core.statements import execute, prepared, scalars

_NO_ORDER = 0  # the id of none


def list_linked_codes(session: Session, exchange: Exchange) -> list[str]:
    """The return order codes an exchange is linked to."""
    return list(scalars(session, _select_linked_codes(exchange.id)))


@prepared
def _select_linked_codes(exchange_id: int) -> Select[str]:
    return select(ExchangeLink.return_code).where(ExchangeLink.exchange_id == exchange_id).order_by(ExchangeLink.id)


def find_linked_orders(session: Session, shop_id: int, return_code: str) -> list[int]:
    """The replacement orders that name this return."""
    return list(scalars(session, _select_linked_orders(shop_id, return_code)))


@prepared
def _select_linked_orders(shop_id: int, return_code: str) -> Select[int]:
    query = select(Exchange.order_id).join(ExchangeLink, ExchangeLink.exchange_id == Exchange.id)
    return query.where(ExchangeLink.shop_id == shop_id, ExchangeLink.return_code == return_code)


def link_returns(scene: Scene, exchange: Exchange, codes: Iterable[str], match: str, actor: str | None = None) -> None:
    """Link an exchange to the returns of these codes, known yet or not; links that stand are left alone."""
    linked = set(list_linked_codes(scene.session, exchange))
    for code in codes:
        if code not in linked:
            link = ExchangeLink(shop_id=scene.shop_id, exchange_id=exchange.id, return_code=code, match=match)
            link.linked_at = db_now()
            scene.session.add(link)
            write_history(scene, exchange, f"linked to return {code} by {match}", "linked", actor)
    scene.session.flush()


def link_by_original(scene: Scene, exchange: Exchange, originals: Iterable[str | None]) -> None:
    """Rule 3: the order names the order it replaces (or, natively, is that order), and exactly one open return of that
    order has no replacement.

    Weaker than a named return, so only an exchange without any link is linked so, and never to an RTO.
    """
    codes = [spelled for one in originals if one for spelled in spell_code(one)]
    if not codes or list_linked_codes(scene.session, exchange):
        return
    taken = select(ExchangeLink.id).where(
        ExchangeLink.shop_id == scene.shop_id, ExchangeLink.return_code == ReturnOrder.code
    )
    query = select(ReturnOrder.code).where(
        ReturnOrder.shop_id == scene.shop_id,
        ReturnOrder.forward_code.in_(codes),
        ReturnOrder.known,
        ReturnOrder.type != ReturnType.RETURN_TO_ORIGIN,
        ReturnOrder.status.is_(None) | ReturnOrder.status.not_in(ENDED),
        ~taken.exists(),
    )
    open_returns = list(scene.session.scalars(query.limit(2)))
    if len(open_returns) == 1:
        link_returns(scene, exchange, open_returns, "original")


def link_waiting(scene: Scene, forward_code: str) -> None:
    """A return of this order was registered: replacement orders that wait for one may be linked by rule 3 now."""
    codes = spell_code(forward_code)
    order_id = int(codes[0]) if codes[0].isdecimal() and len(codes[0]) < 19 else _NO_ORDER
    for exchange, order in execute(scene.session, _select_waiting(scene.shop_id, codes, order_id)).all():
        originals = [order.name, str(order.order_id)] if order.in_order else [order.original_order]
        link_by_original(scene, exchange, originals)


@prepared
def _select_waiting(shop_id: int, codes: Sequence[str], order_id: int) -> Select[Exchange, Order]:
    """Exchanges without a link whose order replaces this one, or natively is this one."""
    # three looks, each by an index of its own; as one condition, SQLite would read every exchange of the shop
    is_itself = (Order.in_order & Order.name.in_(codes), Order.in_order & (Order.order_id == order_id))
    looks = (Order.original_order.in_(codes), *is_itself)
    found = union(*(select(Order.order_id).where(Order.shop_id == shop_id, look) for look in looks))
    theirs = (Order.shop_id == Exchange.shop_id) & (Order.order_id == Exchange.order_id)
    linked = select(ExchangeLink.id).where(ExchangeLink.exchange_id == Exchange.id).exists()
    query = select(Exchange, Order).join(Order, theirs).order_by(Exchange.id)
    return query.where(Exchange.shop_id == shop_id, Exchange.order_id.in_(found), ~linked)


def spell_code(code: str) -> list[str]:
    """An order's name is written with and without its `#`."""
    bare = code.strip().removeprefix("#")
    return [bare, f"#{bare}"]
