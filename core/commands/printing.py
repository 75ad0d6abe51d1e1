"""How lists are printed, a table for people, an array of objects for programs; and how a fault is told."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVarTuple

import click
from sqlalchemy import Select
from sqlalchemy.exc import SQLAlchemyError

from core.models import Shop

Row = TypeVarTuple("Row")
ROW_ID = click.IntRange(1, 2**63 - 1)


def list_options(command: Any) -> Any:
    """`--shop`, `--limit` and `--json`, which every listing command takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print an array of objects."),
        click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Newest first."),
        click.option("--shop", help="Only this shop's."),
    ):
        command = option(command)
    return command


def narrow(query: Select[*Row], shop: str | None, limit: int) -> Select[*Row]:
    """A listing's query for one shop and at most so many rows."""
    return (query.where(Shop.domain == shop.lower()) if shop else query).limit(limit)


def print_object(shown: dict[str, Any]) -> None:
    """One thing with everything about it, for programs."""
    click.echo(json.dumps(shown, indent=2, default=_plain_text))


def _plain_text(value: Any) -> str:
    return str(_plain(value))


def print_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows; `columns` are those of the table, JSON has every key."""
    listed = [{key: _plain(value) for key, value in row.items()} for row in rows]
    if as_json:
        click.echo(json.dumps(listed, indent=2))
        return
    table = [list(columns), *([_shorten(row.get(column)) for column in columns] for row in listed)]
    widths = [max(len(line[number]) for line in table) for number in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if not listed:
        click.echo("(none)")


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _shorten(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def say_plainly(command: click.Command) -> click.Command:
    """The same command, which tells a database that is away or without tables in a sentence, not a traceback."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            say_plainly(inner)
    elif command.callback is not None:
        command.callback = _catch(command.callback)
    return command


def _catch(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except SQLAlchemyError as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            hint = "is DATABASE_URL right, and was `flask --app app db upgrade` run?"
            raise click.ClickException(f"the database does not answer as it should ({kind}): {hint}") from None

    return run
