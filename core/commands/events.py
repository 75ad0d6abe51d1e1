"""Events: list them, show one with what it caused, think about one again."""

from __future__ import annotations

import json
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.commands.printing import ROW_ID, list_options, narrow, print_object, print_rows
from core.errors import BadInput, Fault
from core.flows.audit import COMMAND_LINE, audit
from core.masking import mask_body
from core.models import Effect, Event, ExchangeHistory, Shop, VerdictRow
from core.reading import read_object
from core.relay.inbox import read_body
from core.relay.thinking import rehearse, replay_event
from core.runtime import Runtime

_COLUMNS = ("id", "shop", "source", "topic", "received_at", "outcome", "reason")


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `events` group over a runtime."""
    return [_make_events(runtime)]


def _make_events(runtime: Runtime) -> click.Group:
    @click.group("events", help="Everything that was accepted at a door.")
    def group() -> None: ...

    @group.command("list", help="List events, newest first.")
    @list_options
    def list_events(as_json: bool, limit: int, shop: str | None) -> None:
        query = select(Event, Shop.domain).join(Shop, Shop.id == Event.shop_id).order_by(Event.id.desc())
        with runtime.database.read() as session:
            rows = [_describe_event(event, domain) for event, domain in session.execute(narrow(query, shop, limit))]
        print_rows(rows, _COLUMNS, as_json=as_json)

    _add_show(group, runtime)
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
            audit(session, event.shop_id, COMMAND_LINE, "event.replayed", f"event {event_id}", topic=event.topic)
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


def _add_show(group: click.Group, runtime: Runtime) -> None:
    @group.command("show", help="Show one event: how it ended, what it caused, and its body with people left out.")
    @click.argument("event_id", type=ROW_ID)
    @click.option("--json", "as_json", is_flag=True, help="Print one object.")
    @click.option("--unmasked", is_flag=True, help="Print the body in clear, people included; the audit log tells.")
    def show(event_id: int, as_json: bool, unmasked: bool) -> None:
        with runtime.database.write() if unmasked else runtime.database.read() as session:
            found = session.execute(
                select(Event, Shop.domain).join(Shop, Shop.id == Event.shop_id).where(Event.id == event_id)
            ).first()
            if found is None:
                raise click.ClickException(f"no event {event_id}")
            shown = {
                **_describe_event(*found),
                "due_at": found[0].due_at if found[0].outcome is None else None,
                **_list_consequences(session, event_id),
                "body": _show_body(session, runtime, found[0], unmasked=unmasked),
            }
            if unmasked:
                audit(session, found[0].shop_id, COMMAND_LINE, "event.unmasked", f"event {event_id}")
        if as_json:
            print_object(shown)
        else:
            _print_event(shown, unmasked=unmasked)


def _list_consequences(session: Session, event_id: int) -> dict[str, list[dict[str, Any]]]:
    history = session.scalars(select(ExchangeHistory).where(ExchangeHistory.event_id == event_id))
    verdicts = session.scalars(select(VerdictRow).where(VerdictRow.event_id == event_id).order_by(VerdictRow.id))
    effects = session.scalars(select(Effect).where(Effect.event_id == event_id).order_by(Effect.id))
    return {
        "moved": [
            {"exchange": one.exchange_id, "state": one.state, "code": one.code, "why": one.why} for one in history
        ],
        "verdicts": [{"item_code": one.item_code, "verdict": one.verdict, "reason": one.reason} for one in verdicts],
        "effects": [
            {"id": one.id, "kind": one.kind, "about": one.about, "state": one.state, "reason": one.reason}
            for one in effects
        ],
    }


def _show_body(session: Session, runtime: Runtime, event: Event, *, unmasked: bool) -> Any:
    """Masked or in clear; None when it was purged, words when it is no JSON object."""
    if event.body is None:
        return None
    try:
        body = read_object(read_body(session, runtime.keyring, event.shop_id, event.id))
        return body if unmasked else mask_body(body)
    except BadInput as error:
        return f"cannot be read: {error}"


def _print_event(shown: dict[str, Any], *, unmasked: bool) -> None:
    for key in (*_COLUMNS, "delivery_id", "ended_at", "due_at", "attempts"):
        if shown[key] is not None:
            click.echo(f"{key}: {shown[key]}")
    for title, columns in (
        ("moved", ("exchange", "state", "why")),
        ("verdicts", ("item_code", "verdict", "reason")),
        ("effects", ("id", "kind", "about", "state", "reason")),
    ):
        if shown[title]:
            click.echo(f"\n{title}")
            print_rows(shown[title], columns, as_json=False)
    body = "purged after RETENTION_DAYS" if shown["body"] is None else json.dumps(shown["body"], indent=2)
    click.echo(f"\nbody{'' if unmasked else ' (people and free text are ***)'}\n{body}")
