"""Doors for RMS: check the caller and the body's shape, store it, answer (DESIGN §5). Thinking comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from core.doors import admit, record, take_json
from core.flows.tenants import load_settings
from core.reading import read_object
from core.relay.inbox import FIRST, NORMAL
from core.runtime import Runtime
from core.settings import Settings
from rms_bridge.parse import parse_notification, parse_processing_update, parse_return_order

SOURCE = "rms"
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
    with runtime.database.read() as session:
        shop = admit(runtime, session, (SOURCE,), request)
        settings = load_settings(session, shop.id)
    body = take_json(request)
    check, priority = CHECKS[topic]
    check(read_object(body), settings)
    record(runtime, shop.id, SOURCE, topic, body, priority, newest_counts=topic == "processing_update")
    return Response(status=200)
