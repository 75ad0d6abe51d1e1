"""Exchanges: look at everything known about a replacement order, consult the table, act.

`reconsider` is called whenever an order, a return or a verdict changed; it reads the stored facts and nothing else, so
the order in which they came does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.effects import SHOPIFY_CANCEL_ORDER, SHOPIFY_TAG_ORDER
from core.domain.exchange import Facts, Move, State, decide, read_signal
from core.domain.orders import Fulfillment, OrderSnapshot, has_tag, is_held
from core.domain.returns import ReturnUnit, UnitVerdict, judge
from core.domain.statuses import ARRIVED, ENDED, Status
from core.flows.returns import find_returns, load_latest_verdicts, load_units
from core.models import Exchange, ExchangeHistory, ExchangeLink, ReturnOrder, Shop
from core.relay.outbox import Wanted, want, withdraw
from core.settings import Settings


@dataclass(frozen=True)
class Scene:
    """What a decision is taken with: the shop, its settings, and the event that made us look."""

    session: Session
    shop_id: int
    settings: Settings
    event_id: int | None


def fate_of(order_id: int) -> str:
    """The aspect "what becomes of this order in Shopify": hold, release and cancel contradict one another."""
    return f"shopify.fate:{order_id}"


def find_exchange(session: Session, shop_id: int, order_id: int) -> Exchange | None:
    """The exchange of a replacement order, or None."""
    query = select(Exchange).where(Exchange.shop_id == shop_id, Exchange.order_id == order_id)
    return session.scalars(query).first()


def find_linked_orders(session: Session, shop_id: int, return_code: str) -> list[int]:
    """The replacement orders that name this return."""
    query = select(Exchange.order_id).join(ExchangeLink, ExchangeLink.exchange_id == Exchange.id)
    return list(session.scalars(query.where(ExchangeLink.shop_id == shop_id, ExchangeLink.return_code == return_code)))


def note_replacement(scene: Scene, order: OrderSnapshot) -> Exchange:
    """Know an order as a replacement order: start its exchange, link the returns it names, hold it if it should be."""
    exchange = find_exchange(scene.session, scene.shop_id, order.id)
    if exchange is None:
        exchange = _start(scene, order)
    held = is_held(order.tags, scene.settings.exchange.hold_tags)
    exchange.seen_held = exchange.seen_held or held
    if held:
        exchange.hold_decided = False  # the tag stands for itself now
    elif _should_hold(scene, exchange, order):
        _want_hold(scene, exchange)
    _link(scene, exchange, order.return_codes, order.link_rule)
    return exchange


def _start(scene: Scene, order: OrderSnapshot) -> Exchange:
    exchange = Exchange(
        shop_id=scene.shop_id,
        order_id=order.id,
        state=State.AWAITING_RETURN,
        since=db_now(),
        reason="no return order is known",
        hold_decided=False,
        seen_held=False,
    )
    scene.session.add(exchange)
    scene.session.flush()
    _write_history(scene, exchange, State.AWAITING_RETURN, f"replacement order {order.name} seen")
    return exchange


def _should_hold(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """F4: a replacement order that came without the hold tag is held, if new, untouched and never released."""
    live_since = scene.session.scalars(select(Shop.live_since).where(Shop.id == scene.shop_id)).one()
    return (
        scene.settings.exchange.apply_hold_tag
        and not exchange.seen_held
        and not exchange.hold_decided
        and exchange.state in (State.AWAITING_RETURN, State.AWAITING_GOODS, State.AWAITING_VERDICT)
        and not order.cancelled
        and order.fulfillment is Fulfillment.NONE
        and not (scene.settings.exchange.release_tag and has_tag(order.tags, scene.settings.exchange.release_tag))
        and live_since is not None
        and order.created_at >= live_since
    )


def _want_hold(scene: Scene, exchange: Exchange) -> None:
    exchange.hold_decided = True
    _want_tags(scene, exchange.order_id, add=[scene.settings.exchange.hold_tag], remove=[])
    _write_history(scene, exchange, State(exchange.state), "it came without the hold tag: we put it on")


def _link(scene: Scene, exchange: Exchange, codes: Iterable[str], match: str) -> None:
    query = select(ExchangeLink.return_code).where(ExchangeLink.exchange_id == exchange.id)
    linked = set(scene.session.scalars(query))
    for code in codes:
        if code not in linked:
            scene.session.add(
                ExchangeLink(
                    shop_id=scene.shop_id,
                    exchange_id=exchange.id,
                    return_code=code,
                    match=match,
                    linked_at=db_now(),
                )
            )
            _write_history(scene, exchange, State(exchange.state), f"linked to return {code} by {match}")
    scene.session.flush()


def is_order_held(session: Session, shop_id: int, order: OrderSnapshot, settings: Settings) -> bool:
    """Held in the sense of §8: by its tags, or because we decided to hold it and the tag is not written yet."""
    if is_held(order.tags, settings.exchange.hold_tags):
        return True
    exchange = find_exchange(session, shop_id, order.id)
    return exchange is not None and exchange.hold_decided


def reconsider(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """Read the facts, consult the table, act on what it says. True when the exchange moved."""
    moved = False
    for _ in State:  # a move may make the next one due; no path through the table is longer than its states
        signal = read_signal(_gather(scene, exchange, order))
        step = decide(State(exchange.state), signal)
        if not isinstance(step, Move):
            return moved
        _move(scene, exchange, step)
        moved = True
    return moved


def _gather(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> Facts:
    returns = _find_linked_returns(scene, exchange)
    units, latest = _collect(scene.session, returns)
    known = [one for one in returns if one.known]
    statuses = [Status(one.status) for one in known if one.status]
    ours = scene.settings.qc.actor == "app"  # otherwise the verdict is somebody else's to act on
    return Facts(
        cancelled=order.cancelled,
        held=is_held(order.tags, scene.settings.exchange.hold_tags) or exchange.hold_decided,
        seen_held=exchange.seen_held,
        fulfilled=order.fulfillment is not Fulfillment.NONE,
        return_known=bool(known),
        goods_arrived=any(status in ARRIVED for status in statuses) or bool(known and latest),
        return_ended=bool(statuses) and all(status in ENDED for status in statuses),
        judgement=judge(units if ours else (), latest, scene.settings.qc.counted_reasons),
    )


def _find_linked_returns(scene: Scene, exchange: Exchange) -> list[ReturnOrder]:
    query = select(ExchangeLink.return_code).where(ExchangeLink.exchange_id == exchange.id)
    return find_returns(scene.session, scene.shop_id, list(scene.session.scalars(query)))


def _collect(session: Session, returns: list[ReturnOrder]) -> tuple[list[ReturnUnit], dict[str, UnitVerdict]]:
    units: list[ReturnUnit] = []
    latest: dict[str, UnitVerdict] = {}
    for one in returns:
        units += load_units(session, one.id)
        latest |= load_latest_verdicts(session, one.id)
    return units, latest


def _move(scene: Scene, exchange: Exchange, step: Move) -> None:
    exchange.state, exchange.since, exchange.reason = step.to, db_now(), step.why
    _write_history(scene, exchange, step.to, step.why)
    if step.to is State.RELEASING:
        _want_release(scene, exchange)
    elif step.to is State.CANCELLING:
        _want_cancel(scene, exchange)
    elif step.to in (State.REVIEW, State.OVERRIDDEN):
        withdraw(scene.session, scene.shop_id, fate_of(exchange.order_id), step.why)
        exchange.hold_decided = exchange.hold_decided and step.to is State.REVIEW


def _want_release(scene: Scene, exchange: Exchange) -> None:
    tags = scene.settings.exchange
    exchange.hold_decided = False
    exchange.seen_held = True
    _want_tags(scene, exchange.order_id, add=[tags.release_tag] if tags.release_tag else [], remove=[tags.hold_tag])


def _want_tags(scene: Scene, order_id: int, *, add: list[str], remove: list[str]) -> None:
    end = {"add": add, "remove": remove}
    wanted = Wanted(
        SHOPIFY_TAG_ORDER, fate_of(order_id), about=str(order_id), lane=f"shopify:{order_id}", end=end, params=end
    )
    want(scene.session, scene.shop_id, wanted, scene.event_id)


def _want_cancel(scene: Scene, exchange: Exchange) -> None:
    rules = scene.settings.cancel
    params = {
        "reason": rules.reason,
        "restock": rules.restock,
        "refund": rules.refund,
        "notify_customer": rules.notify_customer,
    }
    wanted = Wanted(
        SHOPIFY_CANCEL_ORDER,
        fate_of(exchange.order_id),
        about=str(exchange.order_id),
        lane=f"shopify:{exchange.order_id}",
        end={"cancelled": True},
        params=params,
        delay_seconds=rules.cooling_off_minutes * 60,
    )
    want(scene.session, scene.shop_id, wanted, scene.event_id)


def _write_history(scene: Scene, exchange: Exchange, state: State, why: str) -> None:
    scene.session.add(
        ExchangeHistory(exchange_id=exchange.id, at=db_now(), state=state, why=why, event_id=scene.event_id)
    )
