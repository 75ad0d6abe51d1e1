"""Doors for OMS: return acknowledgements (a second door for verdicts) and seller cancellations (DESIGN §5, F5)."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from core.clock import monotonic
from core.errors import BadInput, UnsupportedMedia
from core.flows.cancellations import find_act, give_up
from core.flows.credentials import SYSTEMS, Caller, verify_credential
from core.models import Event
from core.reading import read_object
from core.relay.inbox import FIRST, record_event
from core.runtime import Runtime
from oms_bridge.parse import parse_seller_cancellation

SOURCE = "oms"
WRONG_CALLER = "authUsername or authPassword is wrong or missing"
PARSE_VERDICTS = "rms.parse_verdicts"
ANSWER_SECONDS = 40.0  # OMS waits 45 s for an answer; what is not finished by then is asked again
_LOOK_SECONDS = 0.1
_MAX_TEXT = 255


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The OMS endpoints over a runtime."""
    doors = Blueprint("oms", __name__, url_prefix="/oms")

    @doors.route("/return-acknowledgements", methods=["PUT", "POST"])
    def receive_acknowledgement() -> Response:
        shop_id = _verify(runtime)
        body = _read_json_body()
        runtime.registry.readers[PARSE_VERDICTS](read_object(body))
        _record(runtime, shop_id, "return_acknowledgement", body)
        return Response(status=200)

    @doors.put("/seller-cancellations")
    def receive_seller_cancellation() -> tuple[Response, int]:
        shop_id = _verify(runtime)
        body = _read_json_body()
        code = parse_seller_cancellation(read_object(body)).code
        delivery_id = _record(runtime, shop_id, "seller_cancellation", body)
        return _answer_seller(_await_end(runtime, shop_id, delivery_id, code))

    return doors


def _verify(runtime: Runtime) -> int:
    caller = Caller.read(request.headers, request.remote_addr)
    with runtime.database.read() as session:
        shop = verify_credential(session, SYSTEMS, caller)
        if shop is None:
            raise runtime.failures.refuse(caller.address, caller.username, WRONG_CALLER)
        return shop.id


def _read_json_body() -> bytes:
    body = request.get_data(cache=False)
    if not body.strip():
        raise BadInput(["body: empty"])
    if not request.is_json:
        raise UnsupportedMedia("send Content-Type: application/json")
    return body


def _record(runtime: Runtime, shop_id: int, topic: str, body: bytes) -> str:
    delivery_id = uuid4().hex
    with runtime.database.write("record") as session:
        record_event(
            session,
            runtime.keyring,
            shop_id=shop_id,
            source=SOURCE,
            topic=topic,
            delivery_id=delivery_id,
            body=body,
            priority=FIRST,
        )
    runtime.bell.ring()
    return delivery_id


def _await_end(runtime: Runtime, shop_id: int, delivery_id: str, code: str) -> str | None:
    """Wait until the cancellation is done in Shopify: "" then, the reason when it cannot be; None when time is up."""
    end = monotonic() + ANSWER_SECONDS
    while monotonic() < end:
        found = _look_up(runtime, shop_id, delivery_id, code)
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)
    return None


def _look_up(runtime: Runtime, shop_id: int, delivery_id: str, code: str) -> str | None:
    with runtime.database.read() as session:
        query = select(Event).where(Event.source == SOURCE, Event.shop_id == shop_id, Event.delivery_id == delivery_id)
        event = session.scalars(query).one()
        if event.outcome is None:
            return None
        if event.outcome != "handled":
            return event.reason or event.outcome
        act = find_act(session, shop_id, code)
        if act is None or act.state in ("done", "would_have"):
            return ""
        if act.state in ("pending", "sending"):
            return None
        reason = act.reason or act.state
    with runtime.database.write() as session:
        give_up(session, shop_id, code)
    return reason


def _answer_seller(reason: str | None) -> tuple[Response, int]:
    if reason is None:
        return jsonify(hasError=True, errorMessage="not finished yet: please repeat the call"), 503
    answer: dict[str, Any] = {"hasError": bool(reason), "errorMessage": reason[:_MAX_TEXT] or None}
    return jsonify(answer), 200
