"""Commands that list what is there, and retry what waits for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVarTuple

import click
from sqlalchemy import Select, select

from core.commands.printing import print_rows
from core.db import db_now, lock_row
from core.errors import Fault, Permanent
from core.flows.decisions import DECISIONS, decide_exchange, link_exchange
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import Attempt, Effect, Event, Exchange, ExchangeHistory, ExchangeLink, Order, Shop
from core.relay.thinking import rehearse, replay_event
from core.runtime import Runtime

Row = TypeVarTuple("Row")
ROW_ID = click.IntRange(1, 2**63 - 1)
_EVENTS = ("id", "shop", "source", "topic", "received_at", "outcome", "reason")
_EFFECTS = ("id", "shop", "kind", "about", "state", "attempts", "due_at", "reason")
_EXCHANGES = ("id", "shop", "order", "return_order_code", "state", "since", "reason")


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `events`, `effects` and `exchanges` groups over a runtime."""
    return [_make_events(runtime), _make_effects(runtime), _make_exchanges(runtime)]


def _list_options(command: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print an array of objects."),
        click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Newest first."),
        click.option("--shop", help="Only this shop's."),
    ):
        command = option(command)
    return command


def _narrow(query: Select[*Row], shop: str | None, limit: int) -> Select[*Row]:
    return (query.where(Shop.domain == shop.lower()) if shop else query).limit(limit)


def _make_events(runtime: Runtime) -> click.Group:
    @click.group("events", help="Everything that was accepted at a door.")
    def group() -> None: ...

    @group.command("list", help="List events, newest first.")
    @_list_options
    def list_events(as_json: bool, limit: int, shop: str | None) -> None:
        query = select(Event, Shop.domain).join(Shop, Shop.id == Event.shop_id).order_by(Event.id.desc())
        with runtime.database.read() as session:
            rows = [_describe_event(event, domain) for event, domain in session.execute(_narrow(query, shop, limit))]
        print_rows(rows, _EVENTS, as_json=as_json)

    _add_replay(group, runtime)
    return group


def _add_replay(group: click.Group, runtime: Runtime) -> None:
    @group.command("replay", help="Think about an ended event once more, e.g. a parked one whose cause is gone.")
    @click.argument("event_id", type=ROW_ID)
    @click.option("--dry-run", is_flag=True, help="Say how it would end, and change nothing.")
    def replay(event_id: int, dry_run: bool) -> None:
        with runtime.database.read() as session:
            event = session.get(Event, event_id)
        if event is None or event.outcome is None:
            raise click.ClickException(f"no ended event {event_id}")
        if event.body is None:
            raise click.ClickException(f"event {event_id} is older than RETENTION_DAYS: its body was purged")
        if dry_run:
            click.echo(_rehearse(runtime, event_id))
            return
        with runtime.database.write() as session:
            replay_event(session, session.get_one(Event, event_id))
        runtime.bell.ring()
        click.echo(f"event {event_id} is to be thought about again")


def _rehearse(runtime: Runtime, event_id: int) -> str:
    try:
        outcome = rehearse(runtime, event_id)
    except Fault as fault:
        return f"would be put off or parked: {fault}"
    return f"would end {outcome.kind}: {outcome.reason}"


def _describe_event(event: Event, domain: str) -> dict[str, Any]:
    return {
        "id": event.id,
        "shop": domain,
        "source": event.source,
        "topic": event.topic,
        "delivery_id": event.delivery_id,
        "received_at": event.received_at,
        "outcome": event.outcome,
        "reason": event.reason,
        "ended_at": event.ended_at,
        "attempts": event.attempts,
    }


def _make_effects(runtime: Runtime) -> click.Group:
    @click.group("effects", help="Every change wanted in another system.")
    def group() -> None: ...

    @group.command("list", help="List effects, newest first.")
    @click.option("--state", help="Only those in this state, e.g. parked.")
    @_list_options
    def list_effects(as_json: bool, limit: int, shop: str | None, state: str | None) -> None:
        query = select(Effect, Shop.domain).join(Shop, Shop.id == Effect.shop_id).order_by(Effect.id.desc())
        if state:
            query = query.where(Effect.state == state)
        with runtime.database.read() as session:
            rows = [_describe_effect(effect, domain) for effect, domain in session.execute(_narrow(query, shop, limit))]
        print_rows(rows, _EFFECTS, as_json=as_json)

    @group.command("retry", help="Try a parked or waiting effect again now: same row, same key.")
    @click.argument("effect_id", type=ROW_ID)
    def retry(effect_id: int) -> None:
        with runtime.database.write() as session:
            effect = session.get(Effect, effect_id)
            if effect is None:
                raise click.ClickException(f"no effect {effect_id}")
            if effect.state not in ("parked", "pending"):
                raise click.ClickException(
                    f"effect {effect_id} is {effect.state}: only parked or pending ones are retried"
                )
            effect.state, effect.attempts, effect.due_at = "pending", 0, db_now()
            effect.progress = {key: value for key, value in effect.progress.items() if key != "resent"}
        runtime.bell.ring()
        click.echo(f"effect {effect_id} is due now")

    return group


def _describe_effect(effect: Effect, domain: str) -> dict[str, Any]:
    return {
        "id": effect.id,
        "shop": domain,
        "kind": effect.kind,
        "about": effect.about,
        "lane": effect.lane,
        "wanted": effect.wanted,
        "state": effect.state,
        "attempts": effect.attempts,
        "due_at": effect.due_at,
        "reason": effect.reason,
        "key": effect.key,
        "created_at": effect.created_at,
        "ended_at": effect.ended_at,
    }


def _make_exchanges(runtime: Runtime) -> click.Group:
    @click.group("exchanges", help="Replacement orders and where they stand.")
    def group() -> None: ...

    @group.command("list", help="List exchanges, newest first.")
    @click.option("--state", help="Only those in this state, e.g. review.")
    @_list_options
    def list_exchanges(as_json: bool, limit: int, shop: str | None, state: str | None) -> None:
        query = _select_exchanges().order_by(Exchange.id.desc())
        if state:
            query = query.where(Exchange.state == state)
        with runtime.database.read() as session:
            rows = [_describe_exchange(session, *row) for row in session.execute(_narrow(query, shop, limit))]
        print_rows(rows, _EXCHANGES, as_json=as_json)

    @group.command("show", help="Show one exchange with its history and effects.")
    @click.argument("exchange_id", type=ROW_ID)
    @click.option("--json", "as_json", is_flag=True)
    def show(exchange_id: int, as_json: bool) -> None:
        with runtime.database.read() as session:
            found = session.execute(_select_exchanges().where(Exchange.id == exchange_id)).first()
            if found is None:
                raise click.ClickException(f"no exchange {exchange_id}")
            shown = {
                **_describe_exchange(session, *found),
                "history": _list_history(session, exchange_id),
                "effects": _list_effects(session, found[0]),
            }
        _print_exchange(shown, as_json=as_json)

    _add_decisions(group, runtime)
    return group


def _add_decisions(group: click.Group, runtime: Runtime) -> None:
    @group.command("decide", help="Decide by hand. It sticks: verdicts no longer move this exchange.")
    @click.argument("exchange_id", type=ROW_ID)
    @click.argument("decision", type=click.Choice(DECISIONS))
    @click.option("--by", "actor", default="command line", show_default=True, help="Who decides.")
    @click.option("--if-state", "expected", help="Only if the exchange is still in this state.")
    @click.option("--note", default="", help="Why.")
    def decide(exchange_id: int, decision: str, actor: str, expected: str | None, note: str) -> None:
        with _carry_out(runtime, exchange_id) as (scene, order_id):
            exchange = decide_exchange(scene, order_id, decision, actor, expected, note)
        click.echo(f"exchange {exchange_id} is {exchange.state}")

    @group.command("link", help="Link an exchange to the return whose goods it waits for.")
    @click.argument("exchange_id", type=ROW_ID)
    @click.argument("return_order_code")
    @click.option("--by", "actor", default="command line", show_default=True, help="Who links.")
    def link(exchange_id: int, return_order_code: str, actor: str) -> None:
        with _carry_out(runtime, exchange_id) as (scene, order_id):
            moved = link_exchange(scene, order_id, return_order_code, actor)
        click.echo(f"exchange {exchange_id} is linked to {return_order_code}{' and moved' if moved else ''}")


@contextmanager
def _carry_out(runtime: Runtime, exchange_id: int) -> Iterator[tuple[Scene, int]]:
    """A person's act on an exchange: one transaction under the shop's lock, then a ring."""
    try:
        with runtime.database.write() as session:
            exchange = session.get(Exchange, exchange_id)
            if exchange is None:
                raise click.ClickException(f"no exchange {exchange_id}")
            lock_row(session, Shop.id, exchange.shop_id)
            session.refresh(exchange)
            yield Scene(session, exchange.shop_id, load_settings(session, exchange.shop_id)), exchange.order_id
    except Permanent as error:
        raise click.ClickException(str(error)) from None
    runtime.bell.ring()


def _select_exchanges() -> Select[Exchange, str, str]:
    return (
        select(Exchange, Order.name, Shop.domain)
        .join(Shop, Shop.id == Exchange.shop_id)
        .join(Order, (Order.shop_id == Exchange.shop_id) & (Order.order_id == Exchange.order_id))
    )


def _describe_exchange(session: Any, exchange: Exchange, name: str, domain: str) -> dict[str, Any]:
    codes = select(ExchangeLink.return_code).where(ExchangeLink.exchange_id == exchange.id).order_by(ExchangeLink.id)
    return {
        "id": exchange.id,
        "shop": domain,
        "order": name,
        "order_id": exchange.order_id,
        "return_order_code": ", ".join(session.scalars(codes)) or None,
        "state": exchange.state,
        "since": exchange.since,
        "code": exchange.code,
        "reason": exchange.reason,
        "decided_by": exchange.decided_by,
    }


def _list_history(session: Any, exchange_id: int) -> list[dict[str, Any]]:
    query = select(ExchangeHistory).where(ExchangeHistory.exchange_id == exchange_id).order_by(ExchangeHistory.id)
    return [
        {"at": row.at, "state": row.state, "code": row.code, "why": row.why, "actor": row.actor, "event": row.event_id}
        for row in session.scalars(query)
    ]


def _list_effects(session: Any, exchange: Exchange) -> list[dict[str, Any]]:
    query = select(Effect).where(Effect.shop_id == exchange.shop_id, Effect.about == str(exchange.order_id))
    listed = []
    for effect in session.scalars(query.order_by(Effect.id)):
        tries = session.scalars(select(Attempt).where(Attempt.effect_id == effect.id).order_by(Attempt.id))
        attempts = [{"at": one.began_at, "act": one.act, "result": one.result, "said": one.excerpt} for one in tries]
        listed.append({**_describe_effect(effect, ""), "tries": attempts})
    return listed


def _print_exchange(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for key in ("shop", "order", "return_order_code", "state", "since", "reason"):
        click.echo(f"{key}: {shown[key]}")
    click.echo("\nhistory")
    print_rows(shown["history"], ("at", "state", "why"), as_json=False)
    click.echo("\neffects")
    print_rows(shown["effects"], ("id", "kind", "state", "attempts", "reason"), as_json=False)
