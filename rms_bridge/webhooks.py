"""Doors for RMS: check the caller and the body's shape, store it, answer (DESIGN §5). Thinking comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request

from core.errors import BadInput, UnsupportedMedia
from core.flows.credentials import Caller, verify_credential
from core.flows.tenants import load_settings
from core.reading import read_object
from core.relay.inbox import FIRST, NORMAL, record_event
from core.runtime import Runtime
from core.settings import Settings
from rms_bridge.parse import parse_notification, parse_processing_update, parse_return_order

SOURCE = "rms"
WRONG_CALLER = "authUsername or authPassword is wrong or missing"
Check = Callable[[dict[str, Any], Settings], object]

# topic -> what a body must pass at the door, and how soon it is thought about
CHECKS: dict[str, tuple[Check, int]] = {
    "return_order": (lambda body, settings: parse_return_order(body, settings.rms), NORMAL),
    "notification": (lambda body, settings: parse_notification(body, settings.rms), NORMAL),
    "processing_update": (lambda body, _: parse_processing_update(body), FIRST),
}


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The RMS endpoints over a runtime."""
    doors = Blueprint("rms", __name__, url_prefix="/rms")

    @doors.post("/return-orders")
    def receive_return_order() -> Response:
        return _receive(runtime, "return_order")

    @doors.post("/notifications")
    def receive_notification() -> Response:
        return _receive(runtime, "notification")

    @doors.route("/returns-processing-updates", methods=["POST", "PUT"])
    def receive_processing_update() -> Response:
        return _receive(runtime, "processing_update")

    return doors


def _receive(runtime: Runtime, topic: str) -> Response:
    """Verify, read, check, record, ring, answer an empty 200."""
    caller = Caller.read(request.headers, request.remote_addr)
    with runtime.database.read() as session:
        shop = verify_credential(session, (SOURCE,), caller)
        if shop is None:
            raise runtime.failures.refuse(caller.address, caller.username, WRONG_CALLER)
        settings = load_settings(session, shop.id)
    body = _read_json_body()
    check, priority = CHECKS[topic]
    check(read_object(body), settings)
    with runtime.database.write("record") as session:
        record_event(
            session,
            runtime.keyring,
            shop_id=shop.id,
            source=SOURCE,
            topic=topic,
            delivery_id=uuid4().hex,  # RMS names none; repeats are found by comparing with the return's latest state
            body=body,
            priority=priority,
        )
    runtime.bell.ring()
    return Response(status=200)


def _read_json_body() -> bytes:
    body = request.get_data(cache=False)
    if body.strip() and request.mimetype not in ("application/json", "text/json") and request.mimetype[-5:] != "+json":
        raise UnsupportedMedia("send Content-Type: application/json")
    if not body.strip():
        raise BadInput(["body: empty"])
    return body
