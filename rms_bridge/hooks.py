"""Doors for partners that are wired to us directly: check the key, store what came, answer (DESIGN §5)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from core.doors import record
from core.flows.credentials import HOOK_SYSTEMS, read_hook_key, verify_credential
from core.flows.tenants import load_settings_with_secrets
from core.models import Shop
from core.reading import read_object
from core.runtime import Runtime
from rms_bridge.partners.handlers import TOPIC
from rms_bridge.partners.signature import INBOUND_KEY, find_entry


@dataclass(frozen=True)
class Partner:
    """One partner's door: `name` is in its address, `header` is where the partner repeats a key of its own."""

    name: str
    source: str
    header: str


CLICKPOST = Partner("clickpost", source="clickpost", header="webhook_key")
# Shiprocket refuses addresses that contain its name or "sr"
SHIPROCKET = Partner("st", source="shiprocket", header="x-api-key")


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The partners' doors over a runtime."""
    doors = Blueprint("hooks", __name__, url_prefix="/hooks")

    @doors.post("/clickpost/<key>")
    def receive_clickpost(key: str) -> Response:
        return _receive(runtime, CLICKPOST, key)

    @doors.post("/st/<key>")
    def receive_shiprocket(key: str) -> Response:
        return _receive(runtime, SHIPROCKET, key)

    return doors


def _receive(runtime: Runtime, partner: Partner, key: str) -> Response:
    """Verify, read, record, ring, answer an empty 200. An empty body or `{}` is a test ping: nothing is stored."""
    shown = read_hook_key(partner.name, key, request.remote_addr)
    with runtime.database.read() as session:
        shop = verify_credential(session, (HOOK_SYSTEMS[partner.name],), shown)
        if shop is None or not _accepts_header(runtime, session, shop, partner, key):
            words = f"the key in the address, or the one in {partner.header}, is wrong"
            raise runtime.failures.refuse(shown.address, shown.username, words)
    body = request.get_data(cache=False)
    if body.strip() and read_object(body):
        record(runtime, shop.id, partner.source, TOPIC, body)
    return Response(status=200)


def _accepts_header(runtime: Runtime, session: Session, shop: Shop, partner: Partner, key: str) -> bool:
    """The partner's header must be the key we were told of; told of none, it may be absent or repeat the address's."""
    settings = load_settings_with_secrets(session, runtime.keyring, shop.id)
    entries = (find_entry(one, INBOUND_KEY) for one in settings.partners if one.kind == partner.source)
    told = [entry for entry in entries if entry is not None]
    given = request.headers.get(partner.header)
    if given is None:
        return not told
    return any(hmac.compare_digest(given.encode(), one.encode()) for one in told or [key])
