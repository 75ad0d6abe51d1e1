"""Shops: taking one in, its settings document."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from core.addresses import AddressGuard
from core.crypto import Keyring
from core.db import db_now, insert_once, lock_row
from core.domain.differences import Kind
from core.domain.exchange import SETTLED, WAITING, State
from core.domain.orders import HoldTags, is_held
from core.errors import BadInput, Outdated
from core.flows.audit import audit
from core.flows.findings import keep_findings
from core.models import Effect, Event, Exchange, Order, SettingsVersion, Shop
from core.relay.endpoints import wake_endpoints
from core.relay.inbox import record_event
from core.settings import Settings, merge_secrets, parse_settings, split_secrets
from core.statements import prepared, scalars

SHOP_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.myshopify\.com")
KEEPS = (None, "set", "not set")  # how a document says that a stored secret stays
RULES = ("settings", "saved")  # the event by which saved settings reach the open exchanges


def check_domain(domain: str) -> str:
    """The domain in lower case. Raises BadInput unless it is `name.myshopify.com`."""
    lowered = domain.strip().lower()
    if not SHOP_DOMAIN.fullmatch(lowered):
        raise BadInput([f"shop: {lowered[:80]!r} is not of the form name.myshopify.com"])
    return lowered


def find_shop(session: Session, domain: str) -> Shop | None:
    """The shop of a domain, or None."""
    return session.scalars(select(Shop).where(Shop.domain == domain)).first()


def ensure_shop(session: Session, domain: str) -> Shop:
    """The shop of a verified domain; a first delivery may come before anybody opened the app."""
    shop = find_shop(session, domain)
    if shop is None:
        insert_once(session, Shop, domain=domain, mode="observe", created_at=db_now())
        shop = session.scalars(select(Shop).where(Shop.domain == domain)).one()
    return shop


def ensure_shops(session: Session, domains: Collection[str]) -> dict[str, int]:
    """Verified domain -> id, of all these shops; asked for at once."""
    known = dict(session.execute(select(Shop.domain, Shop.id).where(Shop.domain.in_(domains))).all())
    return known | {domain: ensure_shop(session, domain).id for domain in sorted({*domains} - {*known})}


def add_shop(session: Session, keyring: Keyring, domain: str, access_token: str | None) -> Shop:
    """Take a shop in by hand, or take it in again. The token, when one is given, is never renewed."""
    shop = ensure_shop(session, check_domain(domain))
    if access_token:
        shop.access_token = keyring.seal(access_token.encode(), *token_place(shop, "access_token"))
        shop.refresh_token = shop.access_expires_at = shop.refresh_expires_at = shop.scopes = None
        shop.renewing_until = None  # a renewal under way must not replace it
    begin_installation(session, shop)
    return shop


def begin_installation(session: Session, shop: Shop, since: datetime | None = None) -> None:
    """The app is in the shop, for the first time or again. What is known stays; what waited for a token goes on.

    `since`: from when it surely was; None is now.
    """
    if shop.refused_at is not None and shop.removed_at is None:
        shop.uninstalled_at = shop.refused_at  # a token dies with the app's removal, of which nobody may have told us
    if shop.installed_at is None or shop.removed_at is not None or shop.refused_at is not None:
        shop.installed_at = since or db_now()
    shop.removed_at = shop.refused_at = None
    session.flush()
    keep_findings(session, shop.id, shop.domain, [Kind.NEEDS_REAUTH], [])
    wake(session, shop.id)


def token_place(shop: Shop, column: str) -> tuple[str, ...]:
    """Where a sealed token belongs."""
    return ("shops", column, shop.domain)


def load_settings(session: Session, shop_id: int) -> Settings:
    """The settings in force, secrets left out; the defaults for a shop that saved none."""
    newest = _find_newest(session, shop_id)
    return parse_settings(newest.document) if newest else Settings()


def load_settings_with_secrets(session: Session, keyring: Keyring, shop_id: int) -> Settings:
    """The settings in force, secrets in place: for those who call out."""
    newest = _find_newest(session, shop_id)
    if newest is None:
        return Settings()
    return parse_settings(merge_secrets(newest.document, open_secrets(keyring, newest)))


def save_settings(
    session: Session,
    keyring: Keyring,
    shop: Shop,
    document: dict[str, Any],
    saved_by: str,
    guard: AddressGuard,
    expected_version: int | None = None,
) -> int:
    """Check and store a whole document as the next version, which it returns. Raises BadInput; then nothing changed.

    A document without a secret that is stored keeps the stored one: secrets are never shown, so cannot be sent back.
    `expected_version` is the one that was edited (0: none was saved yet); Outdated when another has come since.
    """
    lock_row(session, Shop.id, shop.id)
    newest = _find_newest(session, shop.id)
    version = newest.version + 1 if newest else 1
    if expected_version not in (None, version - 1):
        raise Outdated("somebody saved other settings meanwhile")
    settings = check_settings(session, keyring, shop.id, document, guard)
    before = parse_settings(newest.document) if newest else Settings()
    if settings.mode != "observe":  # nothing is sent then, and a hold of others goes when they say so
        _keep_holds(session, shop.id, before.exchange.hold_tags, settings)
    rest, secrets = split_secrets(settings.model_dump(mode="json"))
    sealed = keyring.seal(json.dumps(secrets).encode(), *secrets_place(shop.id, version))
    session.add(
        SettingsVersion(
            shop_id=shop.id, version=version, document=rest, secrets=sealed, saved_at=db_now(), saved_by=saved_by
        )
    )
    stored = open_secrets(keyring, newest) if newest else {}
    changed = _list_changed({**_document(newest), **stored}, {**rest, **secrets})
    audit(session, shop.id, saved_by, "settings.saved", f"version {version}", changed=changed)
    shop.mode = settings.mode
    if settings.mode == "live" and shop.live_since is None:
        shop.live_since = db_now()
    wake(session, shop.id)
    open_exchange = select(Exchange.id).where(Exchange.shop_id == shop.id, Exchange.state.not_in(SETTLED)).limit(1)
    if session.scalars(open_exchange).first() is not None:
        ask_rethink(session, keyring, shop.id, version, 0)
    return version


def _keep_holds(session: Session, shop_id: int, before: HoldTags, settings: Settings) -> None:
    """The tags that hold are others from now on: who was on hold by them stays so, and is given the one of now.

    Else every such order would seem to have been freed by hand. Where the app does not act nobody would take ours off
    again: there the change is refused. Raises BadInput.
    """
    now = settings.exchange.hold_tags
    if now == before:
        return
    on_hold = Exchange.state.in_((*WAITING, State.REVIEW, State.CANCELLING))
    query = select(Exchange, Order.tags).where(Exchange.shop_id == shop_id, on_hold)
    query = query.join(Order, (Order.shop_id == Exchange.shop_id) & (Order.order_id == Exchange.order_id))
    found = [one for one, tags in session.execute(query) if is_held(tags, before) and not is_held(tags, now)]
    if found and settings.qc.actor != "app":
        raise BadInput(
            [
                f"exchange: {len(found)} order(s) are on hold by the tags of now and would be free by these: "
                "name the hold tag of now in other_hold_tags until they are through"
            ]
        )
    for one in found:
        one.hold_decided = True


def _list_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of the settings that differ, `section.key`."""
    old, new = _flatten(before), _flatten(after)
    return sorted(name for name in {**old, **new} if old.get(name) != new.get(name))


def _flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        flat.update({f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value})
    return flat


def check_settings(
    session: Session, keyring: Keyring, shop_id: int, document: dict[str, Any], guard: AddressGuard
) -> Settings:
    """What a document says, kept secrets in place, as it would be saved. Raises BadInput with every fault."""
    newest = _find_newest(session, shop_id)
    stored = open_secrets(keyring, newest) if newest else {}
    return parse_settings(_fill_secrets(document, stored), guard)


def find_version(session: Session, shop_id: int) -> int:
    """The number of the settings document in force; 0 while none was saved."""
    newest = _find_newest(session, shop_id)
    return newest.version if newest else 0


def ask_rethink(session: Session, keyring: Keyring, shop_id: int, version: int, after: int) -> None:
    """Have the open exchanges after this one thought about by the settings that were saved."""
    (source, topic), delivery_id = RULES, f"{version}-{after}"
    body = json.dumps({"version": version, "after": after}).encode()
    record_event(session, keyring, shop_id=shop_id, source=source, topic=topic, delivery_id=delivery_id, body=body)


def show_settings(session: Session, shop_id: int) -> dict[str, Any]:
    """The document as it may be shown: each secret only as set or not set."""
    newest = _find_newest(session, shop_id)
    document = _document(newest)
    # split_secrets takes the key away only when there was a password
    oms = {**document["oms"], "auth_password": "not set" if "auth_password" in document["oms"] else "set"}
    partners = [{**one, "headers": dict.fromkeys(one["headers"], "set")} for one in document["partners"]]
    return {**document, "oms": oms, "partners": partners}


def wake(session: Session, shop_id: int) -> None:
    """Something a shop's work may have waited for has changed: what rests is due now."""
    waiting = (Event.shop_id == shop_id, Event.outcome.is_(None), Event.lease_until.is_(None))
    session.execute(update(Event).where(*waiting).values(due_at=db_now()))
    resting = (Effect.shop_id == shop_id, Effect.state == "pending", Effect.reason.isnot(None))
    session.execute(update(Effect).where(*resting).values(due_at=db_now()))
    wake_endpoints(session, shop_id)  # after the effects, as whoever holds an effect may go on to its endpoint


def _document(saved: SettingsVersion | None) -> dict[str, Any]:
    return saved.document if saved else split_secrets(Settings().model_dump(mode="json"))[0]


def _find_newest(session: Session, shop_id: int) -> SettingsVersion | None:
    return scalars(session, _select_newest(shop_id)).first()


@prepared
def _select_newest(shop_id: int) -> Select[SettingsVersion]:
    query = select(SettingsVersion).where(SettingsVersion.shop_id == shop_id)
    return query.order_by(SettingsVersion.version.desc()).limit(1)


def secrets_place(shop_id: int, version: int) -> tuple[str, ...]:
    """Where the sealed secrets of a settings document belong."""
    return ("settings_versions", "secrets", str(shop_id), str(version))


def open_secrets(keyring: Keyring, saved: SettingsVersion) -> dict[str, str]:
    """A version's secrets: path -> secret."""
    opened: dict[str, str] = json.loads(keyring.open(saved.secrets, *secrets_place(saved.shop_id, saved.version)))
    return opened


def _fill_secrets(document: dict[str, Any], stored: Mapping[str, str]) -> dict[str, Any]:
    """Where a secret is absent, null or as `show_settings` shows it, put the stored one; empty text clears it.

    Odd shapes are left alone, and so is a `set` for which nothing is stored: that is a fault (`core/settings.py`).
    """
    filled = dict(document)
    oms = filled.get("oms")
    if isinstance(oms, dict) and oms.get("auth_password") in KEEPS:
        shown = oms.get("auth_password")
        without = shown if shown == "set" else None
        filled["oms"] = {**oms, "auth_password": stored.get("oms.auth_password", without)}
    partners = filled.get("partners")
    if isinstance(partners, list):
        filled["partners"] = [_fill_headers(partner, stored) for partner in partners]
    return filled


def _fill_headers(partner: Any, stored: Mapping[str, str]) -> Any:
    if not isinstance(partner, dict) or not isinstance(partner.get("headers"), dict):
        return partner
    prefix = f"partners.{partner.get('name')}."
    headers = {
        name: stored.get(prefix + str(name), value) if value in KEEPS else value
        for name, value in partner["headers"].items()
    }
    return {**partner, "headers": headers}
