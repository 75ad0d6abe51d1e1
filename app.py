"""Composition root: settings in, a Flask app with its doors and commands out. Here core and the bridges meet."""

from __future__ import annotations

import atexit
import functools
import logging
from collections.abc import Iterable
from itertools import chain
from typing import Any

import click
from flask import Flask, Request, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

import oms_bridge.client
import oms_bridge.deliveries
import oms_bridge.handlers
import oms_bridge.reconcile
import oms_bridge.return_deliveries
import oms_bridge.webhooks
import rms_bridge.deliveries
import rms_bridge.handlers
import rms_bridge.hooks
import rms_bridge.openapi
import rms_bridge.webhooks
import shopify_app.connection
import shopify_app.deliveries
import shopify_app.embedding
import shopify_app.handlers
import shopify_app.pages
import shopify_app.reconcile
import shopify_app.webhooks
from core.commands import audit, doctor, effects, events, exchanges, keys, processes, shops, watch
from core.commands.printing import say_plainly
from core.config import Config, ConfigurationFaults, load_config
from core.crypto import Keyring
from core.db import Database
from core.embedded import EmbeddedServer
from core.errors import BadInput, TooManyFailures, Transient, Unauthorized, UnsupportedMedia
from core.front import Front
from core.health import find_troubles, find_warnings
from core.http import HttpDoor
from core.logs import configure_logs, log_incident
from core.metrics import CONTENT_TYPE, may_read, render_metrics
from core.reporting import start_reporting
from core.runtime import Doorbell, Runtime, set_current
from core.security_headers import complete_headers
from core.watch import register_duties
from oms_bridge.parse import SellerCancellation

MAX_BODY_BYTES = 10 * 1024 * 1024
_MAX_DRAIN_BYTES = 64 * 1024 * 1024  # of a body that is too large: read and thrown away, so that the 413 can be read

logger = logging.getLogger(__name__)


class BoundedRequest(Request):
    """A request whose chunked body is refused beyond the limit too: werkzeug would cut it there without a word."""

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """The body. Raises RequestEntityTooLarge."""
        body = super().get_data(*args, **kwargs)
        if self.content_length is None and len(body) >= MAX_BODY_BYTES and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        return body


def create_app(settings: Config | None = None) -> Flask:
    """The app over one configuration; without one, the environment's. Opens no connection by itself."""
    if settings is None:
        try:
            settings = load_config()
        except ConfigurationFaults as faults:
            raise click.ClickException(str(faults)) from None
    configure_logs(settings.log_format, settings.log_level)
    start_reporting(settings.sentry_dsn)
    runtime = create_runtime(settings)
    app = Flask(__name__, static_folder="shopify_app/static")
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["returnbridge"] = runtime
    webhook_door = shopify_app.webhooks.WebhookDoor(runtime)
    app.extensions["webhook_door"] = webhook_door
    app.register_blueprint(shopify_app.webhooks.make_blueprint(webhook_door))
    app.register_blueprint(shopify_app.embedding.make_blueprint(runtime))
    app.register_blueprint(shopify_app.pages.make_blueprint(runtime))
    app.register_blueprint(rms_bridge.webhooks.make_blueprint(runtime))
    app.register_blueprint(oms_bridge.webhooks.make_blueprint(runtime))
    app.register_blueprint(rms_bridge.hooks.make_blueprint(runtime))
    bodies = {"/oms/seller-cancellations": SellerCancellation}
    app.register_blueprint(rms_bridge.openapi.make_blueprint(runtime, bodies))
    _register_health(app, runtime)
    _register_errors(app)
    _register_headers(app, settings)
    walk = shopify_app.reconcile.make_reconciler(runtime).walk
    commands = (made.make_commands(runtime) for made in (events, effects, exchanges, shops, keys, audit))
    watching = [*watch.make_commands(runtime, walk), *doctor.make_commands(runtime, _list_checks(runtime))]
    for command in (*chain(*commands), *watching, *processes.make_commands(runtime, "app:create_asgi_app")):
        app.cli.add_command(say_plainly(command))
    return app


def _list_checks(runtime: Runtime) -> dict[str, doctor.Check]:
    """What `doctor` asks of every shop."""
    return {
        "Shopify": functools.partial(shopify_app.connection.check_connection, runtime),
        "OMS": functools.partial(oms_bridge.client.check_connection, runtime),
    }


def create_asgi_app() -> Any:
    """The app behind an ASGI server, which is how `flask --app app web` serves it."""
    from a2wsgi import WSGIMiddleware

    app = create_app()

    def serve(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input_terminated"] = True  # true behind a2wsgi, and needed for chunked bodies
        return app(environ, start_response)

    doors = {shopify_app.webhooks.PATH: shopify_app.webhooks.make_fast_door(app.extensions["webhook_door"])}
    return Front(WSGIMiddleware(serve, workers=16), doors, MAX_BODY_BYTES)


def create_runtime(config: Config) -> Runtime:
    """Everything a process holds, with every handler and deliverer entered."""
    runtime = Runtime(
        config=config,
        database=Database(config.database),
        keyring=Keyring(config.encryption_keys),
        http=HttpDoor(config.allow_private_networks),
        bell=Doorbell(lambda: _find_redis(config)),
    )
    shopify_app.handlers.register_handlers(runtime)
    rms_bridge.handlers.register_handlers(runtime)
    oms_bridge.handlers.register_handlers(runtime)
    shopify_app.deliveries.register_deliverers(runtime)
    oms_bridge.deliveries.register_order_deliverers(runtime)
    oms_bridge.return_deliveries.register_return_deliverers(runtime)
    rms_bridge.deliveries.register_deliverers(runtime)
    shopify_app.connection.register_connection_watch(runtime)
    reconciler = shopify_app.reconcile.register_reconciliation(runtime)
    register_duties(runtime, reconciler.look, oms_bridge.reconcile.make_look(runtime), reconciler.ask_again)
    set_current(runtime)
    return runtime


def _find_redis(config: Config) -> str:
    """The given server, or the embedded one, of which this process takes a share until it ends."""
    if config.redis_url:
        return config.redis_url
    server = EmbeddedServer(config.instance_dir)
    atexit.register(server.release)
    return server.acquire()


def _register_health(app: Flask, runtime: Runtime) -> None:
    @app.get("/healthz")
    def answer_alive() -> Response:
        return jsonify(status="alive")

    @app.get("/metrics")
    def answer_metrics() -> Response:
        if not may_read(request.headers, request.remote_addr, runtime.config.metrics_token):
            raise Unauthorized("figures are for who shows METRICS_TOKEN as a bearer token; with none, for this machine")
        return Response(render_metrics(runtime), content_type=CONTENT_TYPE)

    @app.get("/readyz")
    def answer_ready() -> tuple[Response, int]:
        troubles = find_troubles(runtime)
        state = {
            "status": "not ready" if troubles else "ready",
            "troubles": troubles,
            "warnings": find_warnings(runtime),
        }
        return jsonify(state), 503 if troubles else 200


def _register_headers(app: Flask, settings: Config) -> None:
    @app.after_request
    def complete(response: Response) -> Response:
        complete_headers(settings, response.headers, response.mimetype)
        return response


def _answer_error(status: int, code: str, message: str, description: str = "") -> tuple[Response, int]:
    return jsonify(code=code, message=message, description=description), status


def _register_errors(app: Flask) -> None:
    """The errors of DESIGN §5, in Increff's own shape."""

    @app.errorhandler(BadInput)
    def answer_bad_input(error: BadInput) -> Any:
        where = f"{request.method} {request.url_rule} from {request.remote_addr}"
        logger.info("not taken: %s: %s faults in the body", where, len(error.faults))  # they quote it: not told here
        return _answer_error(400, "BAD_DATA", "The body cannot be taken", "; ".join(error.faults))

    @app.errorhandler(Unauthorized)
    def answer_unauthorized(error: Unauthorized) -> Any:
        logger.warning("refused %s %s from %s: %s", request.method, request.url_rule, request.remote_addr, error)
        return _answer_error(401, "UNAUTHORIZED", "Not authorised", str(error))

    @app.errorhandler(TooManyFailures)
    def answer_too_many(error: TooManyFailures) -> Any:
        answer, status = _answer_error(429, "TOO_MANY_REQUESTS", "Too many failed calls", str(error))
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer, status

    @app.errorhandler(UnsupportedMedia)
    def answer_unsupported(error: UnsupportedMedia) -> Any:
        return _answer_error(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", str(error))

    @app.errorhandler(Transient)
    def answer_unavailable(error: Transient) -> Any:
        return _answer_error(503, "SERVICE_UNAVAILABLE", "It cannot be taken now", str(error))

    @app.errorhandler(SQLAlchemyError)
    def answer_no_database(_error: SQLAlchemyError) -> Any:
        incident = log_incident(logger, f"{request.method} {request.url_rule or request.path}")
        return _answer_error(
            503, "SERVICE_UNAVAILABLE", "It cannot be taken now", f"send it again; incident {incident}"
        )

    @app.errorhandler(RequestEntityTooLarge)
    def answer_too_large(_error: RequestEntityTooLarge) -> Any:
        _drain_body()
        return _answer_error(413, "TOO_LARGE", "The body is too large", f"at most {MAX_BODY_BYTES} bytes are taken")

    @app.errorhandler(HTTPException)
    def answer_http(error: HTTPException) -> Any:
        name = (error.name or "Error").upper().replace(" ", "_")
        answer, status = _answer_error(error.code or 500, name, error.name or "Error")
        answer.headers.extend((key, value) for key, value in error.get_headers() if key == "Allow")
        return answer, status

    @app.errorhandler(Exception)
    def answer_fault(_error: Exception) -> Any:
        incident = log_incident(logger, f"{request.method} {request.url_rule or request.path}")  # a path may hold a key
        return _answer_error(500, "INTERNAL_ERROR", "A fault of ours", f"incident {incident}")


def _drain_body() -> None:
    stream, left = request.environ["wsgi.input"], _MAX_DRAIN_BYTES
    try:
        while left > 0 and (chunk := stream.read(min(left, 256 * 1024))):
            left -= len(chunk)
    except (OSError, ValueError):
        pass  # the caller has gone
