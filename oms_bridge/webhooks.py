"""Doors for OMS: return acknowledgements (a second door for verdicts) and seller cancellations (DESIGN §5, F5)."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from core.clock import monotonic
from core.doors import Act, admit, record, take_json
from core.flows.cancellations import find_act, give_up
from core.flows.credentials import SYSTEMS
from core.models import Event
from core.reading import read_object
from core.relay.inbox import FIRST
from core.runtime import Runtime
from oms_bridge.parse import parse_seller_cancellation

SOURCE = "oms"
PARSE_VERDICTS = "rms.parse_verdicts"
ANSWER_SECONDS = 40.0  # OMS waits 45 s for an answer; what is not finished by then is asked again
_LOOK_SECONDS = 0.1
_MOST_WAITING = 8  # of a process's 16 threads: Shopify may be slow for one shop, and the other doors stay open
_MAX_TEXT = 255

_places = threading.BoundedSemaphore(_MOST_WAITING)


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The OMS endpoints over a runtime."""
    doors = Blueprint("oms", __name__, url_prefix="/oms")

    @doors.route("/return-acknowledgements", methods=["PUT", "POST"])
    def receive_acknowledgement() -> Response:
        shop_id = _verify(runtime)
        body = take_json(request)
        runtime.registry.readers[PARSE_VERDICTS](read_object(body))
        record(runtime, shop_id, SOURCE, "return_acknowledgement", body, FIRST, newest_counts=True)
        return Response(status=200)

    @doors.put("/seller-cancellations")
    def receive_seller_cancellation() -> tuple[Response, int]:
        shop_id = _verify(runtime)
        body = take_json(request)
        code = parse_seller_cancellation(read_object(body)).code
        act = Act(request.headers["authUsername"], "order.cancel_asked", f"OMS order {code}")
        delivery_id = record(runtime, shop_id, SOURCE, "seller_cancellation", body, FIRST, act)
        return _answer_seller(_await_end(runtime, shop_id, delivery_id, code))

    return doors


def _verify(runtime: Runtime) -> int:
    with runtime.database.read() as session:
        return admit(runtime, session, SYSTEMS, request).id


def _await_end(runtime: Runtime, shop_id: int, delivery_id: str, code: str) -> str | None:
    """Wait until the cancellation is done in Shopify: "" then, the reason when it cannot be; None when time is up,
    or when too many wait already."""
    if not _places.acquire(blocking=False):
        return None
    try:
        end = monotonic() + ANSWER_SECONDS
        while monotonic() < end:
            found = _look_up(runtime, shop_id, delivery_id, code)
            if found is not None:
                return found
            time.sleep(_LOOK_SECONDS)
        return None
    finally:
        _places.release()


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
