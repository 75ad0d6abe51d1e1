"""The Activity pages: what came, what was decided, what was done, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import lock_row, read_clock
from core.domain.exchange import SETTLED
from core.errors import Fault, Permanent
from core.flows.decisions import DECISIONS, decide_exchange, link_exchange
from core.flows.interventions import drop_effect, retry_effect, retry_event
from core.flows.returns import load_latest_verdicts, load_units
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.flows.timeline import find_effects, find_linked_returns, read_timeline
from core.models import Attempt, Effect, Event, Exchange, ExchangeHistory, Order, ReturnOrder, Shop
from core.runtime import Runtime
from shopify_app import words
from shopify_app.embedding import current_shop_id
from shopify_app.listings import LISTS, Search, count_attention, count_tries, name_subjects
from shopify_app.settings_page import actor

Answer = tuple[str, int]
_ID = "<int(max=9223372036854775807):row_id>"
_STATES = {"exchanges": words.EXCHANGE_STATES, "events": words.OUTCOMES, "effects": words.EFFECT_STATES}
_MOST_TYPED = 200


def add_activity_pages(pages: Blueprint, runtime: Runtime) -> None:
    """The routes."""

    @pages.get("/activity")
    @pages.get("/activity/<kind>")
    def show_activity(kind: str = "exchanges") -> Answer:
        return _show_list(runtime, kind)

    @pages.get(f"/activity/<kind>/{_ID}")
    def show_detail(kind: str, row_id: int) -> Answer:
        return _show_detail(runtime, kind, row_id)

    @pages.post(f"/activity/exchanges/{_ID}/decide")
    def decide(row_id: int) -> Answer:
        return _carry_out(runtime, "exchanges", row_id, lambda session: _decide(session, row_id))

    @pages.post(f"/activity/effects/{_ID}/change")
    def change_effect(row_id: int) -> Answer:
        act = drop_effect if request.form.get("action") == "drop" else retry_effect
        return _carry_out(runtime, "effects", row_id, lambda session: act(session, current_shop_id(), row_id, actor()))

    @pages.post(f"/activity/events/{_ID}/change")
    def change_event(row_id: int) -> Answer:
        return _carry_out(
            runtime, "events", row_id, lambda session: retry_event(session, current_shop_id(), row_id, actor())
        )


def _show_list(runtime: Runtime, kind: str, notice: str = "", fault: str = "") -> Answer:
    if kind not in LISTS:
        return render_template("missing.html"), 404
    state = request.args.get("state", "")
    search = Search(
        state if state in _STATES[kind] else "",
        request.args.get("q", "").replace("\x00", "").strip()[:_MOST_TYPED],
        _read_key("before"),
        _read_key("after"),
    )
    with runtime.database.read() as session:
        shop_id = current_shop_id()
        text = render_template(
            "activity.html",
            kind=kind,
            search=search,
            states=_STATES[kind],
            listing=LISTS[kind](session, shop_id, search),
            attention=count_attention(session, shop_id),
            shop=session.get_one(Shop, shop_id),
            now=read_clock(session),
            span=words.show_span,
            notice=notice,
            fault=fault,
        )
    return text, 409 if fault else 200


def _read_key(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _carry_out(runtime: Runtime, kind: str, row_id: int, act: Callable[[Session], Any]) -> Answer:
    """A person's act: one transaction under the shop's lock, then a ring, then the page it was done on."""
    fault = ""
    try:
        with runtime.database.write() as session:
            lock_row(session, Shop.id, current_shop_id())
            act(session)
    except Fault as error:
        fault = str(error)
    else:
        runtime.bell.ring_soon()
    if request.args.get("from") == "list":
        return _show_list(runtime, kind, notice="" if fault else "Done", fault=fault)
    return _show_detail(runtime, kind, row_id, notice="" if fault else "Done", fault=fault)


def _decide(session: Session, exchange_id: int) -> None:
    """Release, cancel, keep on hold or link, if the exchange is still as the person saw it. Raises Permanent."""
    shop_id, form = current_shop_id(), request.form
    query = select(Exchange).where(Exchange.shop_id == shop_id, Exchange.id == exchange_id)
    exchange = session.scalars(query).first()
    if exchange is None:
        raise Permanent("no such exchange")
    scene = Scene(session, shop_id, load_settings(session, shop_id))
    decision, note = form.get("action", ""), _clean(form.get("note", ""))
    if decision == "link":
        code = _clean(form.get("code", ""))
        if not code:
            raise Permanent("type the return's code")
        link_exchange(scene, exchange.order_id, code, actor())
    elif decision in DECISIONS:
        decide_exchange(scene, exchange.order_id, decision, actor(), form.get("expected", ""), note)
    else:
        raise Permanent("there is no such decision")


def _clean(text: str) -> str:
    """One line that any database takes."""
    return " ".join(text.replace("\x00", " ").split())[:_MOST_TYPED]


def _show_detail(runtime: Runtime, kind: str, row_id: int, notice: str = "", fault: str = "") -> Answer:
    shop_id = current_shop_id()
    load = {"exchanges": _load_exchange, "events": _load_event, "effects": _load_effect}.get(kind)
    with runtime.database.read() as session:
        found = load(session, shop_id, row_id) if load else None
        if found is None:
            return render_template("missing.html"), 404
        text = render_template(
            f"{kind[:-1]}.html", now=read_clock(session), span=words.show_span, notice=notice, fault=fault, **found
        )
    return text, 409 if fault else 200


def _load_exchange(session: Session, shop_id: int, row_id: int) -> dict[str, Any] | None:
    exchange = session.scalars(select(Exchange).where(Exchange.shop_id == shop_id, Exchange.id == row_id)).first()
    if exchange is None:
        return None
    returns = find_linked_returns(session, exchange)
    effects = find_effects(session, exchange, returns)
    return {
        "exchange": exchange,
        "order": session.get(Order, (shop_id, exchange.order_id)),
        "returns": [_describe_return(session, one) for one in returns],
        "effects": effects,
        "tries": count_tries(session, effects),
        "timeline": list(reversed(read_timeline(session, exchange))),
        "next": words.NEXT[exchange.state],  # type: ignore[index] # a StrEnum's key is found by its text
        "advice": words.ADVICE.get(exchange.code, ""),
        "open": exchange.state not in SETTLED,
    }


def _describe_return(session: Session, order: ReturnOrder) -> dict[str, Any]:
    return {
        "row": order,
        "units": load_units(session, order.id),
        "verdicts": load_latest_verdicts(session, order.id),
    }


def _load_event(session: Session, shop_id: int, row_id: int) -> dict[str, Any] | None:
    event = session.scalars(select(Event).where(Event.shop_id == shop_id, Event.id == row_id)).first()
    if event is None:
        return None
    effects = select(Effect).where(Effect.shop_id == shop_id, Effect.event_id == row_id).order_by(Effect.id)
    moved = (
        select(ExchangeHistory, Order.name)
        .join(Exchange, Exchange.id == ExchangeHistory.exchange_id)
        .join(Order, (Order.shop_id == Exchange.shop_id) & (Order.order_id == Exchange.order_id))
        .where(Exchange.shop_id == shop_id, ExchangeHistory.event_id == row_id)
        .order_by(ExchangeHistory.id)
    )
    wanted = list(session.scalars(effects))
    return {
        "event": event,
        "effects": wanted,
        "tries": count_tries(session, wanted),
        "moved": list(session.execute(moved)),
    }


def _load_effect(session: Session, shop_id: int, row_id: int) -> dict[str, Any] | None:
    effect = session.scalars(select(Effect).where(Effect.shop_id == shop_id, Effect.id == row_id)).first()
    if effect is None:
        return None
    attempts = select(Attempt).where(Attempt.effect_id == effect.id).order_by(Attempt.id.desc()).limit(100)
    about = effect.about if effect.about.isdecimal() and len(effect.about) < 19 else "-1"
    exchange = select(Exchange.id).where(Exchange.shop_id == shop_id, Exchange.order_id == int(about))
    return {
        "effect": effect,
        "subject": name_subjects(session, shop_id, [effect.about]).get(effect.about, effect.about),
        "attempts": list(session.scalars(attempts)),
        "exchange_id": session.scalars(exchange).first(),
    }
