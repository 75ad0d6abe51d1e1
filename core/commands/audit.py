"""Commands about the audit log."""

from __future__ import annotations

import click
from sqlalchemy import select

from core.commands.printing import list_options, narrow, print_rows
from core.flows.audit import find_break
from core.models import AuditEntry, AuditHead, Shop
from core.runtime import Runtime

_COLUMNS = ("shop", "number", "at", "actor", "action", "about", "detail")


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `audit` group over a runtime."""

    @click.group("audit", help="Who decided, changed settings, rotated credentials, retried or dropped.")
    def group() -> None: ...

    @group.command("list", help="List entries, newest first.")
    @list_options
    def list_entries(as_json: bool, limit: int, shop: str | None) -> None:
        query = select(AuditEntry, Shop.domain).join(Shop, Shop.id == AuditEntry.shop_id).order_by(AuditEntry.id.desc())
        with runtime.database.read() as session:
            rows = [
                {**{name: getattr(entry, name, None) for name in (*_COLUMNS, "hash")}, "shop": domain}
                for entry, domain in session.execute(narrow(query, shop, limit))
            ]
        print_rows(rows, _COLUMNS, as_json=as_json)

    group.add_command(_make_verify(runtime))
    return [group]


def _make_verify(runtime: Runtime) -> click.Command:
    @click.command("verify", help="Prove that no entry was altered, removed or put in; of one shop, or of all.")
    @click.argument("domain", required=False)
    def command(domain: str | None) -> None:
        query = select(Shop).order_by(Shop.id)
        query = query.where(Shop.domain == domain.strip().lower()) if domain else query
        with runtime.database.read() as session:
            shops = session.scalars(query).all()
            found = {shop.domain: (find_break(session, shop.id), session.get(AuditHead, shop.id)) for shop in shops}
        if domain and not found:
            raise click.ClickException(f"no shop {domain}")
        for name, (fault, head) in found.items():
            click.echo(f"{name}: {fault or f'{head.number if head else 0} entries, {head.hash if head else None}'}")
        if any(fault for fault, _ in found.values()):
            raise click.ClickException("the audit log was altered: compare it with the process log and a backup")

    return command
