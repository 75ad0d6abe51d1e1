"""The control port of a running set: a page for people, JSON for scripts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as Redirect

from simulators.oms import RefusalError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from simulators.sandbox import Sandbox

Json = dict[str, Any]
# What may be called from outside, by system. A dot reaches one level down.
ALLOWED: dict[str, tuple[str, ...]] = {
    "shopify": (
        *(
            "add_shop",
            "create_order",
            "edit_tags",
            "set_attributes",
            "edit_address",
            "cancel_order",
            "edit_line",
            "fulfil",
            "order",
        ),
        *("orders", "order_payload", "refund_order", "hold_order", "release_holds", "open_return", "close_return"),
        *("install", "uninstall", "change_scopes", "expire_tokens", "drain", "send_webhook", "effects", "settle"),
        *("delivery.lose_next", "delivery.double_next", "delivery.hold_back", "delivery.let_go", "delivery.log"),
    ),
    "oms": (
        *("order", "orders", "return_order", "returns", "calls", "effects", "reset", "connect", "seller_cancel"),
        *("acknowledge_return", "pick_and_invoice", "dispatch", "receive_return"),
    ),
    "rms": (
        *("push_return", "notify", "send_verdict", "returns", "calls", "reset"),
        *("lose_next", "double_next", "delay_next", "hold_back", "let_go"),
    ),
    "partner": ("received", "reset"),
}


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.wsgi: WSGIApplication = _application(self).wsgi_app

    def state(self) -> Json:
        """What each system now says."""
        sandbox = self.sandbox
        return {
            "shop": sandbox.shop,
            "addresses": sandbox.addresses(),
            "shopify": {"orders": sandbox.shopify.orders(sandbox.shop)},
            "oms": {"orders": sandbox.oms.orders(), "returns": sandbox.oms.returns(), "effects": sandbox.oms.effects},
            "rms": {"returns": sandbox.rms.returns(), "connected": sandbox.rms.bridge.connected},
            "partner": {"received": sandbox.partner.received},
            "faults": {name: getattr(sandbox, name).faults.listing() for name in ("shopify", "oms", "partner")},
        }

    def call(self, system: str, method: str, arguments: Json) -> Any:
        path = next((path for path in ALLOWED.get(system, ()) if path.rpartition(".")[2] == method), None)
        if path is None:
            raise NotFound(f"{system} has no {method}")
        target = getattr(self.sandbox, system)
        for part in path.split("."):
            target = getattr(target, part)
        return target(**self._with_shop(target, arguments)) if callable(target) else target

    def _with_shop(self, target: Callable[..., Any], arguments: Json) -> Json:
        """Calls that want a shop get the sandbox's own unless another is named."""
        wants_shop = "shop" in inspect.signature(target).parameters
        return {"shop": self.sandbox.shop, **arguments} if wants_shop else arguments

    def connect(self, given: Json) -> None:
        """Takes `username`, `password`, `domain`, or the header names `shops add` prints."""
        username, password = (given.get(f"auth{name.title()}", given.get(name)) for name in ("username", "password"))
        if not username or not password:
            raise ValueError("username and password are needed")
        domain = given.get("authDomainName", given.get("domain"))
        self.sandbox.connect_bridge(username, password, given.get("oms_username"), given.get("oms_password"), domain)

    def judge(self, code: str, status: str) -> None:
        """QC of every unit of a return, with one outcome."""
        page = self.sandbox.rms.returns()[code]
        verdicts = [{"itemCode": i["itemCode"], "sku": i.get("sku"), "status": status} for i in page["items"]]
        self.sandbox.rms.send_verdict(code, page["forwardOrderCode"], verdicts)


def _application(control: Control) -> Flask:
    app = Flask("control", template_folder=str(Path(__file__).parent / "pages"))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_error_handler(HTTPException, lambda error: (jsonify(error=error.description), error.code))
    app.register_error_handler(RefusalError, lambda refusal: (jsonify(refusal.body), 409))
    for kind in (TypeError, ValueError, KeyError):
        app.register_error_handler(kind, lambda error: (jsonify(error=f"{type(error).__name__}: {error}"), 400))
    app.add_url_rule("/", "page", lambda: render_template("control.html", **control.state()))
    app.add_url_rule("/state", "state", lambda: jsonify(control.state()))
    app.add_url_rule("/press/<button>", "press", lambda button: _press(control, button), methods=["POST"])
    app.add_url_rule("/reset", "reset", lambda: _reset(control), methods=["POST"])
    app.add_url_rule("/rms/connect", "connect", lambda: _connect(control), methods=["POST"])
    app.add_url_rule(
        "/<system>/faults", "faults", lambda system: _faults(control, system), methods=["GET", "POST", "DELETE"]
    )
    app.add_url_rule(
        "/<system>/<method>",
        "call",
        lambda system, method: jsonify(control.call(system, method, _arguments())),
        methods=["POST"],
    )
    return app


def _arguments() -> Json:
    given = request.get_json(silent=False) if request.get_data() else {}
    if not isinstance(given, dict):
        raise ValueError("a JSON object of arguments is needed")
    return given


def _connect(control: Control) -> Response:
    control.connect(_arguments())
    return jsonify(None)


def _reset(control: Control) -> Response:
    control.sandbox.reset()
    return jsonify(None)


def _faults(control: Control, system: str) -> Response:
    if system not in ("shopify", "oms", "partner"):
        raise NotFound(f"{system} takes no faults")
    faults = getattr(control.sandbox, system).faults
    if request.method == "POST":
        faults.add(_arguments())
    if request.method == "DELETE":
        faults.clear()
    return jsonify(faults.listing())


def _press(control: Control, button: str) -> Redirect:
    """A button on the page, then back to the page."""
    code = request.form.get("code", "")
    buttons: dict[str, Callable[[], object]] = {
        "new-exchange": control.sandbox.new_exchange,
        "qc-pass": lambda: control.judge(code, "PASS"),
        "qc-fail": lambda: control.judge(code, "FAIL"),
    }
    if button not in buttons:
        raise NotFound(f"there is no button {button}")
    buttons[button]()
    return redirect("/", code=303)
