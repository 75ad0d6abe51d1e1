"""Commands about shops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.commands.printing import print_rows
from core.db import keep_to_shop, lock_row
from core.errors import BadInput
from core.flows import credentials, tenants
from core.flows.audit import COMMAND_LINE, audit
from core.flows.installations import end_installation
from core.models import BridgeCredential, SettingsVersion, Shop
from core.reading import read_object
from core.runtime import Runtime

_SYSTEMS = (*credentials.SYSTEMS, *credentials.HOOK_SYSTEMS)
_COLUMNS = ("id", "shop", "mode", "token", "settings_version", "created_at")


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `shops` group over a runtime."""

    @click.group("shops", help="Shops and their settings.")
    def group() -> None: ...

    for make in (_make_add, _make_configure, _make_rotate, _make_restrict, _make_remove, _make_show, _make_list):
        group.add_command(make(runtime))
    return [group]


def _make_add(runtime: Runtime) -> click.Command:
    @click.command("add", help="Take a shop in and print its bridge credential, once.")
    @click.argument("domain")
    @click.option("--access-token", help="The shop's Admin API token.")
    def command(domain: str, access_token: str | None) -> None:
        try:
            with runtime.database.write() as session:
                shop = tenants.add_shop(session, runtime.keyring, domain, access_token)
                audit(session, shop.id, COMMAND_LINE, "shop.added", shop.domain, token=bool(access_token))
                made = credentials.make_credential(session, shop, "rms")
                printed = {
                    "shop": shop.domain,
                    "rms": {"authUsername": made.username, "authPassword": made.password},
                }
        except BadInput as error:
            raise click.ClickException(str(error)) from None
        runtime.bell.ring()
        click.echo(json.dumps(printed))

    return command


def _make_configure(runtime: Runtime) -> click.Command:
    @click.command("configure", help="Check and save a whole settings document.")
    @click.argument("domain")
    @click.option("--file", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def command(domain: str, path: Path) -> None:
        try:
            document = read_object(path.read_bytes())
            with runtime.database.write() as session:
                shop = _get_shop(session, domain)
                version = tenants.save_settings(
                    session, runtime.keyring, shop, document, saved_by="command line", guard=runtime.http.guard
                )
        except BadInput as error:
            raise click.ClickException(
                "nothing was changed:\n" + "\n".join(f"  {one}" for one in error.faults)
            ) from None
        runtime.bell.ring()
        click.echo(f"settings version {version} of {domain} saved")

    return command


def _make_rotate(runtime: Runtime) -> click.Command:
    @click.command("rotate", help="Print a new credential, once; the old one stays good for a day.")
    @click.argument("domain")
    @click.argument("system", type=click.Choice(_SYSTEMS))
    @click.option("--at-once", is_flag=True, help="The old one is good no longer: somebody else has it.")
    def command(domain: str, system: str, at_once: bool) -> None:
        overlap = 0.0 if at_once else credentials.OVERLAP_SECONDS
        with runtime.database.write() as session:
            shop = _get_shop(session, domain)
            if system in credentials.HOOK_SYSTEMS:
                key = credentials.rotate_hook_key(session, shop, system, overlap_seconds=overlap)
                path = credentials.render_hook_path(system, key)
                printed: dict[str, str] = {"address": runtime.config.app_url + path}
            else:
                made = credentials.rotate_credential(session, shop, system, overlap_seconds=overlap)
                printed = {"authUsername": made.username, "authPassword": made.password}
        click.echo(json.dumps({"shop": shop.domain, system: printed}))

    return command


def _make_remove(runtime: Runtime) -> click.Command:
    @click.command("remove", help="End a shop's work and forget its Shopify tokens; its data stay until redacted.")
    @click.argument("domain")
    def command(domain: str) -> None:
        with runtime.database.write() as session:
            shop = _get_shop(session, domain)
            lock_row(session, Shop.id, shop.id)
            end_installation(session, shop)
            audit(session, shop.id, COMMAND_LINE, "shop.removed", shop.domain)
        click.echo(f"{domain} is removed: nobody may call for it; shops add takes it in again")

    return command


def _make_restrict(runtime: Runtime) -> click.Command:
    @click.command("restrict", help="Say what a system's callers must show beside their credential; nothing lifts it.")
    @click.argument("domain")
    @click.argument("system", type=click.Choice(_SYSTEMS))
    @click.option("--network", "networks", multiple=True, help="An address or CIDR they call from; may be repeated.")
    @click.option("--auth-domain", help="The authDomainName they send.")
    def command(domain: str, system: str, networks: tuple[str, ...], auth_domain: str | None) -> None:
        of = credentials.HOOK_SYSTEMS.get(system, system)
        try:
            with runtime.database.write() as session:
                restriction = credentials.Restriction(auth_domain, networks)
                credentials.restrict_credentials(session, _get_shop(session, domain), of, restriction)
        except BadInput as error:
            raise click.ClickException(str(error)) from None
        places = ", ".join(networks) or "any address"
        click.echo(f"{system} of {domain} may call from {places}, with authDomainName {auth_domain or 'or without'}")

    return command


def _get_shop(session: Session, domain: str) -> Shop:
    shop = tenants.find_shop(session, domain.strip().lower())
    if shop is None:
        raise click.ClickException(f"no shop {domain}; add it with: shops add {domain}")
    keep_to_shop(session, shop.id)
    return shop


def _make_show(runtime: Runtime) -> click.Command:
    @click.command("show", help="Show a shop and its settings; secrets only as set or not set.")
    @click.argument("domain")
    @click.option("--json", "as_json", is_flag=True)
    def command(domain: str, as_json: bool) -> None:
        with runtime.database.read() as session:
            shop = _get_shop(session, domain)
            usernames = select(BridgeCredential.username).where(BridgeCredential.shop_id == shop.id)
            shown = {
                **_describe(session, shop),
                "credentials": list(session.scalars(usernames.order_by(BridgeCredential.id))),
                "callers": _describe_callers(session, shop),
                "settings": tenants.show_settings(session, shop.id),
            }
        if as_json:
            click.echo(json.dumps(shown, indent=2, default=str))
            return
        for key, value in shown.items():
            click.echo(f"{key}: {json.dumps(value, indent=2, default=str)}")

    return command


def _describe_callers(session: Session, shop: Shop) -> dict[str, dict[str, Any]]:
    """What the callers of each system must show beside their credential; systems without a restriction are left out."""
    found = {}
    for name in _SYSTEMS:
        restriction = credentials.find_restriction(session, shop, credentials.HOOK_SYSTEMS.get(name, name))
        if restriction != credentials.Restriction():
            found[name] = {"auth_domain": restriction.auth_domain, "networks": restriction.networks}
    return found


def _make_list(runtime: Runtime) -> click.Command:
    @click.command("list", help="List the shops.")
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> None:
        with runtime.database.read() as session:
            rows = [_describe(session, shop) for shop in session.scalars(select(Shop).order_by(Shop.id))]
        print_rows(rows, _COLUMNS, as_json=as_json)

    return command


def _describe(session: Session, shop: Shop) -> dict[str, Any]:
    versions = select(SettingsVersion.version).where(SettingsVersion.shop_id == shop.id)
    return {
        "id": shop.id,
        "shop": shop.domain,
        "mode": shop.mode,
        "token": "set" if shop.access_token else "not set",
        "settings_version": session.scalars(versions.order_by(SettingsVersion.version.desc()).limit(1)).first(),
        "live_since": shop.live_since,
        "created_at": shop.created_at,
    }
