"""Exchanges: list them, show one across all systems, decide and link by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.commands.effects import describe_effect
from core.commands.printing import ROW_ID, list_options, narrow, print_object, print_rows
from core.db import keep_to_shop, lock_row
from core.errors import Permanent
from core.flows.decisions import DECISIONS, decide_exchange, link_exchange
from core.flows.returns import load_latest_verdicts, load_units
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.flows.timeline import find_effects, find_linked_returns, read_timeline
from core.flows.versions import compare_versions
from core.models import Attempt, Effect, Exchange, ExchangeHistory, ExchangeLink, Order, ReturnOrder, Shop
from core.runtime import Runtime

_COLUMNS = ("id", "shop", "order", "return_order_code", "state", "since", "reason")
READ_RETURN_FACTS = "rms.read_return_facts"


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `exchanges` group over a runtime."""
    return [_make_exchanges(runtime)]


def _make_exchanges(runtime: Runtime) -> click.Group:
    @click.group("exchanges", help="Replacement orders and where they stand.")
    def group() -> None: ...

    @group.command("list", help="List exchanges, newest first.")
    @click.option("--state", help="Only those in this state, e.g. review.")
    @list_options
    def list_exchanges(as_json: bool, limit: int, shop: str | None, state: str | None) -> None:
        query = _select_exchanges().order_by(Exchange.id.desc())
        if state:
            query = query.where(Exchange.state == state)
        with runtime.database.read() as session:
            rows = [_describe_exchange(session, *row) for row in session.execute(narrow(query, shop, limit))]
        print_rows(rows, _COLUMNS, as_json=as_json)

    _add_show(group, runtime)
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
            keep_to_shop(session, exchange.shop_id)
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


def _add_show(group: click.Group, runtime: Runtime) -> None:
    @group.command("show", help="Show one exchange: returns, verdicts, effects with each attempt, timeline.")
    @click.argument("exchange_id", type=ROW_ID)
    @click.option("--json", "as_json", is_flag=True, help="Print one object.")
    def show(exchange_id: int, as_json: bool) -> None:
        with runtime.database.read() as session:
            found = session.execute(_select_exchanges().where(Exchange.id == exchange_id)).first()
            if found is None:
                raise click.ClickException(f"no exchange {exchange_id}")
            shown = {**_describe_exchange(session, *found), **_list_all(session, runtime, found[0])}
        if as_json:
            print_object(shown)
        else:
            _print_exchange(shown)


def _list_all(session: Session, runtime: Runtime, exchange: Exchange) -> dict[str, Any]:
    returns = find_linked_returns(session, exchange)
    return {
        "returns": [_describe_return(session, runtime, one) for one in returns],
        "history": _list_history(session, exchange.id),
        "effects": [_describe_tries(session, one) for one in find_effects(session, exchange, returns)],
        "timeline": [asdict(one) for one in read_timeline(session, exchange)],
    }


def _describe_return(session: Session, runtime: Runtime, order: ReturnOrder) -> dict[str, Any]:
    verdicts = load_latest_verdicts(session, order.id)
    versions = compare_versions(session, runtime.keyring, order, runtime.registry.readers[READ_RETURN_FACTS])
    return {
        "return_order_code": order.code,
        "status": order.status_text,
        "awb": order.awb,
        "expected_by_oms": order.expected_at,
        "units": [
            {
                "item_code": unit.item_code,
                "sku": unit.sku,
                "verdict": verdicts[unit.item_code].verdict if unit.item_code in verdicts else None,
            }
            for unit in load_units(session, order.id)
        ],
        "conflict": asdict(versions) if versions else None,
    }


def _list_history(session: Session, exchange_id: int) -> list[dict[str, Any]]:
    query = select(ExchangeHistory).where(ExchangeHistory.exchange_id == exchange_id).order_by(ExchangeHistory.id)
    return [
        {"at": row.at, "state": row.state, "code": row.code, "why": row.why, "actor": row.actor, "event": row.event_id}
        for row in session.scalars(query)
    ]


def _describe_tries(session: Session, effect: Effect) -> dict[str, Any]:
    tries = session.scalars(select(Attempt).where(Attempt.effect_id == effect.id).order_by(Attempt.id))
    listed = [
        {"at": one.began_at, "act": one.act, "result": one.result, "said": one.excerpt, "took_ms": one.milliseconds}
        for one in tries
    ]
    return {**describe_effect(effect, ""), "tries": listed}


def _print_exchange(shown: dict[str, Any]) -> None:
    for key in ("shop", "order", "state", "since", "reason", "decided_by"):
        click.echo(f"{key}: {shown[key]}")
    for one in shown["returns"]:
        click.echo(f"\nreturn {one['return_order_code']}: {one['status']}, AWB {one['awb']}")
        print_rows(one["units"], ("item_code", "sku", "verdict"), as_json=False)
        if one["conflict"]:
            _print_conflict(one["conflict"])
    click.echo("\neffects")
    print_rows(shown["effects"], ("id", "kind", "about", "state", "attempts", "reason"), as_json=False)
    click.echo("\ntimeline")
    print_rows(shown["timeline"], ("at", "what", "id", "text"), as_json=False)


def _print_conflict(conflict: dict[str, Any]) -> None:
    """Both versions side by side, where they differ."""
    click.echo(
        f"it came again with other content: event {conflict['first_event']} counts ('first'), "
        f"event {conflict['other_event']} does not ('other')"
    )
    if conflict["differing"]:
        print_rows(conflict["differing"], ("path", "first", "other"), as_json=False)
    else:
        click.echo("one of the two bodies was purged after RETENTION_DAYS")
