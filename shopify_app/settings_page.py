"""The Settings page: the whole settings document as one form, tests of the connections, and what others call us with.

Every post answers the whole page; the page's script swaps in the parts that changed. Nothing typed is lost: a refused
form comes back as it was typed, and a form of yesterday is refused with what changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import BadInput, Outdated
from core.flows import credentials
from core.flows.changes import Save, list_saves
from core.flows.credentials import Restriction, find_restriction
from core.flows.tenants import check_settings, find_version, save_settings, show_settings
from core.models import BridgeCredential, Effect, Shop
from core.runtime import Runtime
from core.settings import Settings
from shopify_app.embedding import current_shop_id, current_visitor
from shopify_app.forms import (
    SECTIONS,
    Form,
    Reading,
    add_partner,
    fill,
    list_partner_fields,
    list_partners,
    read_form,
)
from shopify_app.trials import Trial, try_connection

Answer = tuple[str, int]
SYSTEM_NAMES = {"rms": "Increff RMS", "oms": "Increff OMS"}


@dataclass(frozen=True)
class Callers:
    """What a system's callers must show beside their credential, as stored or as typed, with faults by field."""

    networks: str = ""  # one a line
    auth_domain: str = ""
    faults: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def show(cls, restriction: Restriction) -> Callers:
        """As it is stored."""
        return cls("\n".join(restriction.networks), restriction.auth_domain or "")

    def read(self) -> Restriction:
        """What it says."""
        return Restriction(self.auth_domain.strip() or None, tuple(self.networks.replace(",", " ").split()))

    def refuse(self, faults: list[str]) -> Callers:
        """The same with what is wrong."""
        placed: dict[str, list[str]] = {}
        for fault in faults:
            name, _, words = fault.partition(": ")
            placed.setdefault(name, []).append(words)
        return replace(self, faults=placed)


@dataclass(frozen=True)
class Page:
    """What the page shows, beside what is stored. `secret` is a credential just made, shown this once."""

    form: Form | None = None  # as typed; else what is stored
    version: int | None = None  # which one the form was made from
    faults: dict[str, list[str]] = field(default_factory=dict)
    notice: str = ""
    stale: list[Save] = field(default_factory=list)
    going_live: Settings | None = None
    trials: dict[str, Trial] = field(default_factory=dict)
    secret: tuple[str, credentials.NewCredential] | None = None
    callers: dict[str, Callers] = field(default_factory=dict)  # by system, where what was typed is refused
    status: int = 200


def add_settings_page(pages: Blueprint, runtime: Runtime) -> None:
    """The routes."""
    acts = {"save": _save, "add": _add_row, "test": _test}

    @pages.get("/settings")
    def show_settings_page() -> Answer:
        return _render(runtime, Page())

    @pages.post("/settings")
    def change_settings() -> Answer:
        act, _, detail = request.form.get("action", "save").partition(":")
        return _render(runtime, acts.get(act, _save)(runtime, _read_typed(runtime), detail))

    @pages.post("/settings/credentials/<system>")
    def rotate_credential(system: str) -> Answer:
        if system not in SYSTEM_NAMES:
            return render_template("missing.html"), 404
        with runtime.database.write() as session:
            shop = session.get_one(Shop, current_shop_id())
            made = credentials.rotate_credential(session, shop, system, actor())
        return _render(runtime, Page(secret=(system, made)))

    @pages.post("/settings/credentials/<system>/callers")
    def restrict_callers(system: str) -> Answer:
        if system not in SYSTEM_NAMES:
            return render_template("missing.html"), 404
        return _render(runtime, _restrict(runtime, system))


@dataclass(frozen=True)
class _Typed:
    """A posted form, the document in force when it came, and what the form says."""

    page: Page
    reading: Reading

    def refuse(self, faults: list[str]) -> Page:
        placed = self.reading.place(dict.fromkeys(faults))
        return replace(self.page, faults=placed, status=422)


def actor() -> str:
    """Who is recorded as having done it: Shopify tells an id, and no name."""
    return f"staff {current_visitor().user}"


def _read_typed(runtime: Runtime) -> _Typed:
    form: Form = request.form.copy()
    version = form.get("version", "")
    with runtime.database.read() as session:
        shown = show_settings(session, current_shop_id())
    page = Page(form=form, version=int(version) if version.isdecimal() and len(version) < 9 else -1)
    return _Typed(page, read_form(form, shown))


def _check(runtime: Runtime, session: Session, typed: _Typed) -> Settings:
    """The settings that were typed. Raises BadInput with the form's faults and the document's, all at once."""
    faults = list(typed.reading.faults)
    if typed.reading.document:
        try:
            shop_id, document = current_shop_id(), typed.reading.document
            settings = check_settings(session, runtime.keyring, shop_id, document, runtime.http.guard)
        except BadInput as error:
            known = {fault.partition(": ")[0] for fault in faults}
            faults += [fault for fault in error.faults if fault.partition(": ")[0] not in known]
    if faults:
        raise BadInput(faults)
    return settings


def _save(runtime: Runtime, typed: _Typed, _detail: str) -> Page:
    shop_id, page = current_shop_id(), typed.page
    try:
        with runtime.database.write() as session:
            shop = session.get_one(Shop, shop_id)
            settings = _check(runtime, session, typed)
            if settings.mode == "live" and shop.mode != "live" and page.form and "confirmed" not in page.form:
                return replace(page, going_live=settings, status=422)  # nothing is saved yet
            document, guard = typed.reading.document, runtime.http.guard
            save_settings(session, runtime.keyring, shop, document, actor(), guard, page.version)
    except BadInput as error:
        return typed.refuse(error.faults)
    except Outdated:
        with runtime.database.read() as session:
            since = list_saves(session, runtime.keyring, shop_id, after=page.version or 0)
            return replace(page, stale=since, version=find_version(session, shop_id), status=409)
    runtime.bell.ring_soon()
    return Page(notice="Settings saved")


def _add_row(_runtime: Runtime, typed: _Typed, path: str) -> Page:
    form = typed.page.form or Form()
    if path == "partners":
        add_partner(form)
    else:
        form.add(f"{path}.key", "")
        form.add(f"{path}.value", "")
    return typed.page


def _test(runtime: Runtime, typed: _Typed, system: str) -> Page:
    """Call with what was typed, before anybody has to save it."""
    try:
        with runtime.database.read() as session:
            settings = _check(runtime, session, typed)
    except BadInput as error:
        return typed.refuse(error.faults)
    name, _, number = system.partition(":")
    numbers = [str(one) for one in typed.reading.partners]
    called = f"partner:{numbers.index(number)}" if name == "partner" and number in numbers else name
    return replace(typed.page, trials={system: try_connection(runtime, current_shop_id(), settings, called)})


def _restrict(runtime: Runtime, system: str) -> Page:
    typed = Callers(request.form.get("networks", ""), request.form.get("auth_domain", ""))
    try:
        with runtime.database.write() as session:
            shop = session.get_one(Shop, current_shop_id())
            credentials.restrict_credentials(session, shop, system, typed.read(), actor())
    except BadInput as error:
        return Page(callers={system: typed.refuse(error.faults)}, status=422)
    return Page(notice=f"Saved: who may call as {SYSTEM_NAMES[system]}")


def _render(runtime: Runtime, page: Page) -> Answer:
    shop_id = current_shop_id()
    with runtime.database.read() as session:
        shown = show_settings(session, shop_id)
        form = page.form if page.form is not None else fill(shown)
        observed = select(func.count()).where(Effect.shop_id == shop_id, Effect.state == "would_have")
        text = render_template(
            "settings.html",
            page=page,
            form=form,
            shown=shown,
            shop=session.get_one(Shop, shop_id),
            version=find_version(session, shop_id) if page.version is None else page.version,
            sections=SECTIONS,
            partners=list_partners(form),
            partner_fields=list_partner_fields,
            secret_names=_name_secrets(form, shown),
            saves=list_saves(session, runtime.keyring, shop_id, limit=5),
            credentials=_list_credentials(session, shop_id),
            callers={**_list_callers(session, shop_id), **page.callers},
            systems=SYSTEM_NAMES,
            app_url=runtime.config.app_url,
            observed=session.scalars(observed).one() if page.going_live else 0,
        )
    return text, page.status


def _name_secrets(form: Form, shown: dict[str, Any]) -> dict[int, set[str]]:
    """Partner's number in the form -> its headers whose values are stored."""
    stored = {one["name"]: set(one["headers"]) for one in shown["partners"]}
    return {number: stored.get(form.get(f"partners.{number}.name", ""), set()) for number in list_partners(form)}


def _list_credentials(session: Session, shop_id: int) -> list[BridgeCredential]:
    query = select(BridgeCredential).where(BridgeCredential.shop_id == shop_id)
    listed = session.scalars(query.where(BridgeCredential.system.in_(SYSTEM_NAMES)).order_by(BridgeCredential.id))
    return list(listed)


def _list_callers(session: Session, shop_id: int) -> dict[str, Callers]:
    shop = session.get_one(Shop, shop_id)
    return {system: Callers.show(find_restriction(session, shop, system)) for system in SYSTEM_NAMES}
