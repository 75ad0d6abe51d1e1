"""Commands of the watch: read a shop's changed orders again, list what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Protocol

import click
from sqlalchemy import select

from core.clock import parse_time, utc_now
from core.commands.printing import list_options, narrow, print_rows
from core.db import only_shop
from core.errors import Fault
from core.flows.tenants import find_shop
from core.models import Finding, Shop
from core.runtime import Runtime

_COLUMNS = ("id", "shop", "kind", "about", "since", "repair", "detail")


class Page(Protocol):
    """One page of a walk through changed orders."""

    @property
    def looked(self) -> int:
        """How many orders it held."""

    @property
    def news(self) -> int:
        """How many were not known as they are."""

    @property
    def until(self) -> datetime | None:
        """The newest change on it."""


Walk = Callable[[int, datetime], Iterator[Page]]


def make_commands(runtime: Runtime, walk: Walk) -> list[click.Command]:
    """The commands over a runtime; `walk` yields the pages of a shop's orders changed since a time."""
    return [_make_reconcile(runtime, walk), _make_findings(runtime)]


class _Since(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A date means its midnight in UTC; a time needs its zone."""
        if isinstance(value, datetime):
            return value
        text = value.strip()
        try:
            return parse_time(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)
        except ValueError as error:
            self.fail(f"{value!r}: {error}; e.g. 2026-01-31 or 2026-01-31T10:00:00+05:30", param, ctx)


def _make_reconcile(runtime: Runtime, walk: Walk) -> click.Command:
    @click.command("reconcile", help="Read the orders changed since a time again, as if webhooks had told of them.")
    @click.argument("domain")
    @click.option("--since", required=True, type=_Since(), help="A date, or a time with its zone.")
    def command(domain: str, since: datetime) -> None:
        with runtime.database.read() as session:
            shop = find_shop(session, domain.strip().lower())
        if shop is None:
            raise click.ClickException(f"no shop {domain}; add it with: shops add {domain}")
        try:
            with only_shop(shop.id):
                looked, news = _walk_with_bar(walk(shop.id, since), since)
        except Fault as error:
            raise click.ClickException(f"{error}; what was read so far is kept, run it again to go on") from None
        finally:
            runtime.bell.ring()
        click.echo(f"{looked} orders looked at, {news} were news")

    return command


def _walk_with_bar(pages: Iterator[Page], since: datetime) -> tuple[int, int]:
    """How many orders were looked at and how many were news. The bar shows how near to now the walk has come."""
    looked = news = 0
    length = max(1, int((utc_now() - since).total_seconds()))
    with click.progressbar(length=length, label="reconcile") as bar:
        for page in pages:
            looked, news = looked + page.looked, news + page.news
            if page.until is not None:
                come = min(length, int((page.until - since).total_seconds()))
                bar.update(max(0, come - bar.pos))
        bar.update(max(0, length - bar.pos))
    return looked, news


def _make_findings(runtime: Runtime) -> click.Group:
    @click.group("findings", help="What differs between the systems, or does not move.")
    def group() -> None: ...

    @group.command("list", help="List findings that stand, newest first.")
    @click.option("--all", "every", is_flag=True, help="Those that are cleared, too.")
    @list_options
    def list_findings(as_json: bool, limit: int, shop: str | None, every: bool) -> None:
        query = select(Finding, Shop.domain).join(Shop, Shop.id == Finding.shop_id).order_by(Finding.id.desc())
        query = query if every else query.where(Finding.cleared_at.is_(None))
        with runtime.database.read() as session:
            rows = [_describe(finding, domain) for finding, domain in session.execute(narrow(query, shop, limit))]
        print_rows(rows, _COLUMNS, as_json=as_json)

    return group


def _describe(finding: Finding, domain: str) -> dict[str, Any]:
    return {
        "id": finding.id,
        "shop": domain,
        "kind": finding.kind,
        "about": finding.about,
        "since": finding.since,
        "last_seen": finding.last_seen,
        "repair": f"tried {finding.repairs} times" if finding.repairs else "by hand",
        "detail": finding.detail,
        "cleared_at": finding.cleared_at,
    }
