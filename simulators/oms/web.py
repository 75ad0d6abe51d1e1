"""Increff OMS over HTTP: credentials, the budget, the endpoints and their errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from simulators.oms.refusal import RefusalError

if TYPE_CHECKING:
    from simulators.oms.simulator import OmsSimulator

Json = dict[str, Any]

POSTED = (
    ("POST", "/orders/outward", "create_order"),
    ("PUT", "/orders/<code>", "update_order"),
    ("PUT", "/orders/<code>/cancel", "cancel_order"),
    ("POST", "/return/return-orders", "create_return"),
    ("POST", "/return/update-return-order", "update_return"),
    ("PUT", "/return/update-return-order/item", "add_return_items"),
)


def application(oms: OmsSimulator) -> Flask:
    app = Flask("oms")
    app.before_request(lambda: _turned_away(oms))
    app.register_error_handler(RefusalError, lambda refusal: (jsonify(refusal.body), refusal.status))
    app.register_error_handler(HTTPException, _plain_error)
    for method, path, call in POSTED:
        app.add_url_rule(path, call, _empty_answer(oms, call), methods=[method])
    app.add_url_rule("/return/get/awb", "search_return", lambda: jsonify(oms.search_return(_body())), methods=["POST"])
    app.add_url_rule("/search/order", "search_order", lambda: _search_order(oms), methods=["GET"])
    return app


def _empty_answer(oms: OmsSimulator, call: str) -> Callable[..., Response]:
    """Reference §§2, 3: these calls answer 200 with an empty body."""

    def view(code: str = "") -> Response:
        oms.handle(call, _body(), code)
        return Response(status=200)

    return view


def _search_order(oms: OmsSimulator) -> Response:
    given = [request.args.get(name, "").strip() for name in ("orderCode", "locationCode")]
    missing = [name for name, value in zip(("orderCode", "locationCode"), given, strict=True) if not value]
    if missing:
        raise RefusalError(*(f"{name}: may not be null" for name in missing))
    return jsonify(oms.search_order(*given))


def _turned_away(oms: OmsSimulator) -> Response | None:
    """Reference §6: credential headers, then the budget."""
    sent = [request.headers.get(name) for name in ("authUsername", "authPassword", "authDomainName")]
    known = sent[:2] == [oms.username, oms.password] and oms.domain in (None, sent[2])
    if not known:
        return _error(401, "UNAUTHORIZED", "Invalid credentials")
    if oms.budget.spend():
        return None
    answer = _error(429, "TOO_MANY_REQUESTS", f"More than {oms.budget.calls_per_minute} requests in a minute")
    if oms.retry_after is not None:
        answer.headers["Retry-After"] = str(oms.retry_after)
    return answer


def _body() -> Json:
    if not request.is_json:
        raise RefusalError("Content-Type: must be application/json", message="Unsupported media type", status=415)
    try:
        body = json.loads(request.get_data(), parse_constant=_no_constant)
    except ValueError:
        raise RefusalError("body: not readable as JSON") from None
    if not isinstance(body, dict):
        raise RefusalError("body: must be an object")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _plain_error(error: HTTPException) -> Response:
    return _error(error.code or 500, (error.name or "ERROR").upper().replace(" ", "_"), error.description or "")


def _error(status: int, code: str, message: str) -> Response:
    answer = jsonify({"code": code, "message": message, "description": message})
    answer.status_code = status
    return answer
