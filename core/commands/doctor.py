"""`doctor`: looks at everything this installation needs, and says of each fault what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from core.clock import utc_now
from core.db import read_clock
from core.errors import Fault, NeedsSettings
from core.flows.rekeying import count_keys
from core.flows.tenants import load_settings
from core.health import find_troubles, find_warnings
from core.isolation import is_bypassed, read_policies, render_policies
from core.models import Event, Shop
from core.runtime import Runtime

_MOST_SKEW_SECONDS = 5.0  # ID tokens are good for a minute, with 10 s of leeway
_SILENT_HOURS = 48
_CALLS_PER_CLIENT = 200  # Increff's limit, over all endpoints
Check = Callable[[int], str]
"""A shop's id to what was found, in words. Raises Fault with what is wrong and what to do."""


@dataclass(frozen=True)
class Found:
    """One line: how it stands (`ok`, `look`, `FAULT`), of what, and what to do."""

    mark: str
    what: str
    words: str


def make_commands(runtime: Runtime, checks: Mapping[str, Check]) -> list[click.Command]:
    """The command over a runtime; `checks` are asked of every shop."""

    @click.command("doctor", help="Check settings, database, Redis, clock, and each shop's Shopify, OMS and webhooks.")
    def command() -> None:
        faults = 0
        for found in _examine(runtime, checks):
            click.echo(f"{found.mark:<5}  {found.what}: {found.words}")
            faults += found.mark == "FAULT"
        if faults:
            raise click.ClickException(f"{faults} to put right")

    return [command]


def _examine(runtime: Runtime, checks: Mapping[str, Check]) -> Iterator[Found]:
    yield from _examine_settings(runtime)
    troubles = find_troubles(runtime)
    yield from (Found("FAULT", *one.split(": ", 1)) for one in troubles)
    if troubles:
        return
    yield Found("ok", "database", "reached, at the newest migration")
    yield from _examine_isolation(runtime)
    warnings = find_warnings(runtime)
    yield Found("look", "redis", warnings[0].partition(": ")[2]) if warnings else Found("ok", "redis", "reached")
    yield _examine_clock(runtime)
    yield _examine_keys(runtime)
    with runtime.database.read() as session:
        shops = session.scalars(select(Shop).where(Shop.removed_at.is_(None)).order_by(Shop.id)).all()
    if not shops:
        yield Found("look", "shops", "none yet: open the app in Shopify, or run: shops add DOMAIN")
    yield from _examine_budgets(runtime, shops)
    for shop in shops:
        yield from _examine_shop(runtime, shop, checks)


def _examine_settings(runtime: Runtime) -> Iterator[Found]:
    yield Found("ok", "settings", "complete")
    if not runtime.config.app_url.startswith("https://"):
        yield Found("look", "APP_URL", "Shopify takes https:// only; set it to the public address")
    if "0.0.0.0/0" in runtime.config.allow_private_networks:
        yield Found("look", "ALLOW_PRIVATE_NETWORKS", "true lets calls reach this network: name the few CIDRs needed")


def _examine_isolation(runtime: Runtime) -> Iterator[Found]:
    if runtime.database.is_sqlite:
        return
    with runtime.database.engine.connect() as connection:
        bare = sorted(set(render_policies()) - set(read_policies(connection)))
        bypassed = is_bypassed(connection)
    if bare:
        yield Found("FAULT", "isolation", f"tables without a policy ({', '.join(bare)}): run db upgrade")
    elif bypassed:
        yield Found("look", "isolation", "this role is a superuser: give the app a role of its own")
    else:
        yield Found("ok", "isolation", "row-level security binds this role on every table")


def _examine_clock(runtime: Runtime) -> Found:
    with runtime.database.read() as session:
        skew = abs((read_clock(session) - utc_now()).total_seconds())
    if skew > _MOST_SKEW_SECONDS:
        return Found("FAULT", "clock", f"{skew:.0f} s apart from the database's: run NTP on both")
    return Found("ok", "clock", "agrees with the database's")


def _examine_keys(runtime: Runtime) -> Found:
    with runtime.database.read() as session:
        counts = count_keys(session)
    lost = {kid: count for kid, count in counts.items() if kid not in runtime.config.encryption_keys}
    if lost:
        told = ", ".join(f"{kid} ({count} values)" for kid, count in sorted(lost.items()))
        return Found("FAULT", "keys", f"ENCRYPTION_KEYS lacks {told}: put the key back, then run keys rotate")
    writer = next(iter(runtime.config.encryption_keys))
    if set(counts) - {writer}:
        return Found("look", "keys", "some values are under an earlier key: run keys rotate")
    return Found("ok", "keys", f"{counts.get(writer, 0)} values under key {writer}")


def _examine_budgets(runtime: Runtime, shops: Sequence[Shop]) -> Iterator[Found]:
    """Increff counts calls for each client, we for each shop (ADR 13): shops of one client must divide its calls."""
    sharing: dict[tuple[str, ...], dict[str, int]] = {}
    with runtime.database.read() as session:
        for shop in shops:
            oms = load_settings(session, shop.id).oms
            if oms.base_url and shop.mode == "live":
                client = (oms.base_url.rstrip("/"), oms.auth_username or "", oms.auth_domain or "")
                sharing.setdefault(client, {})[shop.domain] = oms.calls_per_minute
    for shared in sharing.values():
        if len(shared) > 1 and sum(shared.values()) > _CALLS_PER_CLIENT:
            words = (
                f"{', '.join(shared)} use one OMS user, which is allowed {_CALLS_PER_CLIENT} calls a minute in all: "
            )
            yield Found("look", "oms budget", words + "divide them between the shops' oms.calls_per_minute")


def _examine_shop(runtime: Runtime, shop: Shop, checks: Mapping[str, Check]) -> Iterator[Found]:
    for name, check in checks.items():
        what = f"{shop.domain} {name}"
        try:
            yield Found("ok", what, check(shop.id))
        except NeedsSettings as fault:
            yield Found("FAULT" if shop.mode == "live" else "look", what, str(fault))
        except Fault as fault:
            yield Found("FAULT", what, str(fault))
    yield _examine_webhooks(runtime, shop)


def _examine_webhooks(runtime: Runtime, shop: Shop) -> Found:
    """Subscriptions stand in the app's own configuration, which no shop's token can read: deliveries are the proof."""
    what = f"{shop.domain} webhooks"
    query = select(func.max(Event.received_at)).where(Event.shop_id == shop.id, Event.source == "shopify")
    try:
        with runtime.database.read() as session:
            last = session.scalars(query).one()
            silent = last is None or (read_clock(session) - last).total_seconds() > _SILENT_HOURS * 3600
    except SQLAlchemyError as error:
        return Found("FAULT", what, f"cannot be looked up ({type(error).__name__})")
    if silent:
        return Found("look", what, f"none in {_SILENT_HOURS} h: deploy shopify.app.toml with `shopify app deploy`")
    return Found("ok", what, f"the last came at {last:%Y-%m-%d %H:%M} UTC")
