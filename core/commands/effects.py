"""Effects: list them, try one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.commands.printing import ROW_ID, list_options, narrow, print_rows
from core.errors import Permanent
from core.flows.audit import COMMAND_LINE
from core.flows.interventions import drop_effect, retry_effect
from core.models import Effect, Shop
from core.runtime import Runtime

_COLUMNS = ("id", "shop", "kind", "about", "state", "attempts", "due_at", "reason")


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `effects` group over a runtime."""
    return [_make_effects(runtime)]


def _make_effects(runtime: Runtime) -> click.Group:
    @click.group("effects", help="Every change wanted in another system.")
    def group() -> None: ...

    @group.command("list", help="List effects, newest first.")
    @click.option("--state", help="Only those in this state, e.g. parked.")
    @list_options
    def list_effects(as_json: bool, limit: int, shop: str | None, state: str | None) -> None:
        query = select(Effect, Shop.domain).join(Shop, Shop.id == Effect.shop_id).order_by(Effect.id.desc())
        if state:
            query = query.where(Effect.state == state)
        with runtime.database.read() as session:
            rows = [describe_effect(effect, domain) for effect, domain in session.execute(narrow(query, shop, limit))]
        print_rows(rows, _COLUMNS, as_json=as_json)

    @group.command("retry", help="Try a parked or waiting effect again now: same row, same key.")
    @click.argument("effect_id", type=ROW_ID)
    def retry(effect_id: int) -> None:
        _intervene(runtime, effect_id, retry_effect)
        click.echo(f"effect {effect_id} is due now")

    @group.command("cancel", help="Drop an effect that is parked, or was never begun: what waits behind it goes on.")
    @click.argument("effect_id", type=ROW_ID)
    def cancel(effect_id: int) -> None:
        _intervene(runtime, effect_id, drop_effect)
        click.echo(f"effect {effect_id} is dropped")

    return group


def _intervene(runtime: Runtime, effect_id: int, act: Callable[[Session, int, int, str], Effect]) -> None:
    try:
        with runtime.database.write() as session:
            effect = session.get(Effect, effect_id)
            if effect is None:
                raise click.ClickException(f"no effect {effect_id}")
            act(session, effect.shop_id, effect_id, COMMAND_LINE)
    except Permanent as error:
        raise click.ClickException(str(error)) from None
    runtime.bell.ring()


def describe_effect(effect: Effect, domain: str) -> dict[str, Any]:
    """As `effects list --json` prints it."""
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
