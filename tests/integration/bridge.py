"""The app on a real socket, served the way `flask --app app web` serves it, and callers that keep no manners."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from sqlalchemy import func, select

import app as composition
from app import create_asgi_app
from core.config import Config
from core.flows import credentials, tenants
from core.migrations import upgrade
from core.models import Event
from core.relay.jobs import work
from core.runtime import Runtime

SHOP = "door-test.myshopify.com"
SECONDS = 30  # of patience with any one answer


@dataclass(frozen=True)
class Reply:
    """One answer of the app."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self) -> dict[str, Any]:
        """The body, which must be our error shape."""
        told = json.loads(self.body)
        assert set(told) == {"code", "message", "description"}, told
        assert all(isinstance(one, str) for one in told.values()), told
        return dict(told)


class Bridge:
    """One app, its database and one shop with a credential of RMS."""

    def __init__(self, config: Config):
        self.config = config
        with pytest.MonkeyPatch.context() as patch:
            built = composition.create_app(config)
            patch.setattr(composition, "create_app", lambda: built)
            served = create_asgi_app()
        self.runtime: Runtime = built.extensions["returnbridge"]
        upgrade(self.runtime.database)
        with self.runtime.database.write() as session:
            shop = tenants.add_shop(session, self.runtime.keyring, SHOP, None)
            self.credential = credentials.make_credential(session, shop, "rms")
        self._server = uvicorn.Server(
            uvicorn.Config(served, host="127.0.0.1", port=0, log_config=None, access_log=False, server_header=False)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        end = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]

    def close(self) -> None:
        """End the server and the pool."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self.runtime.database.dispose()

    def rms_headers(self, **changes: str) -> dict[str, str]:
        """What RMS sends; a header changed to "" is left out."""
        headers = {
            "authUsername": self.credential.username,
            "authPassword": self.credential.password,
            "Content-Type": "application/json",
        }
        return {name: value for name, value in {**headers, **changes}.items() if value}

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request with http.client, which sends the whole body before it reads."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return read_reply(connection.getresponse())
        finally:
            connection.close()

    def push(self, path: str, body: bytes, method: str = "POST", **headers: str) -> Reply:
        """A body as RMS sends it."""
        return self.call(method, path, body, self.rms_headers(**headers))

    def send_raw(self, request: bytes) -> Reply:
        """Send these very bytes, all of them, and only then read."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return read_reply(answer)

    def webhook(self, body: bytes, *, secret: str | None = None, **headers: str) -> Reply:
        """A signed webhook; a header changed to "" is left out."""
        given = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": "orders/updated",
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-Hmac-Sha256": sign(body, secret or self.config.shopify_api_secret),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.call("POST", "/webhooks/shopify", body, {name: value for name, value in given.items() if value})

    def count_events(self) -> int:
        """How many events are stored."""
        with self.runtime.database.read() as session:
            return session.scalars(select(func.count(Event.id))).one()

    def newest_event(self) -> Event:
        """The event stored last."""
        with self.runtime.database.read() as session:
            return session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()

    def find_events(self, delivery_id: str) -> list[Event]:
        """The events stored under a sender's delivery id."""
        with self.runtime.database.read() as session:
            return list(session.scalars(select(Event).where(Event.delivery_id == delivery_id)))

    def work(self) -> None:
        """Do the worker's part until nothing is due."""
        assert work(self.runtime, SECONDS), "still something due"


def read_reply(answer: http.client.HTTPResponse) -> Reply:
    """The whole answer."""
    return Reply(answer.status, answer.headers, answer.read())


def sign(body: bytes, secret: str) -> str:
    """Shopify's signature of a body."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def chunk(body: bytes, size: int = 64 * 1024) -> bytes:
    """A body in chunked transfer coding."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """A request's head, header values as Latin-1."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bridge", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
