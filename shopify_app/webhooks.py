"""The door for Shopify's webhooks, every topic: verify, store the raw bytes, answer (shopify.md §2)."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from flask import Blueprint, Response, request

from core.errors import Unauthorized
from core.flows.tenants import ensure_shop
from core.relay.inbox import NORMAL, record_event
from core.runtime import Runtime
from core.signing import verify_hmac
from shopify_app.auth import list_secrets, read_shop
from shopify_app.topics import SOURCE


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The webhook endpoint over a runtime."""
    doors = Blueprint("shopify", __name__, url_prefix="/webhooks")

    @doors.post("/shopify")
    def receive_webhook() -> Response:
        return _receive(runtime)

    return doors


def _receive(runtime: Runtime) -> Response:
    """The HMAC is over the raw bytes, so nothing is parsed before or after it here (law 1)."""
    body = request.get_data(cache=False, parse_form_data=False)
    if not verify_hmac(body, read_header("hmac-sha256"), list_secrets(runtime.config)):
        raise Unauthorized("the webhook's signature is wrong or missing")
    domain = _read_domain()
    with runtime.database.write("record") as session:
        new = record_event(
            session,
            runtime.keyring,
            shop_id=ensure_shop(session, domain).id,
            source=SOURCE,
            topic=(read_header("topic") or "unknown")[:64],
            delivery_id=_read_delivery_id(),
            body=body,
            priority=NORMAL,
        )
    if new:
        runtime.bell.ring()
    return Response(status=200)


def read_header(name: str) -> str | None:
    """A Shopify header under its old or its newer name, as printable ASCII; None when absent or anything else."""
    value = request.headers.get(f"X-Shopify-{name}") or request.headers.get(f"shopify-{name}")
    return value if value and value.isascii() and value.isprintable() else None


def _read_delivery_id() -> str:
    """Shopify's id of this delivery; one too long for the column is told apart by its hash, none gets one of ours."""
    given = read_header("webhook-id") or uuid4().hex
    return given if len(given) <= 255 else hashlib.sha256(given.encode()).hexdigest()


def _read_domain() -> str:
    domain = read_shop(read_header("shop-domain"))
    if domain is None:
        raise Unauthorized("the webhook names no shop")
    return domain
