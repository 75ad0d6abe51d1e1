"""How lists are printed: a table for people, an array of objects for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click


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
