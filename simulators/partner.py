"""A returns partner (Clickpost, Returns Prime and the like): takes every POST, answers 200, remembers it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulators.faults import Faults
from simulators.journal import readable
from simulators.serving import read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def request_headers(environ: WSGIEnvironment) -> dict[str, str]:
    """The headers as `Idempotency-Key`, `X-Rp-Token`."""
    plain = {"CONTENT_TYPE": "Content-Type", "CONTENT_LENGTH": "Content-Length"}
    named = {key[5:].replace("_", "-").title(): str(value) for key, value in environ.items() if key.startswith("HTTP_")}
    return named | {name: str(environ[key]) for key, name in plain.items() if environ.get(key)}


class PartnerSimulator:
    """One partner for all paths; `received` has what it took, also when the answer then got lost."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._lock = threading.Lock()
        self._received: list[dict[str, Any]] = []
        self.wsgi: WSGIApplication = self.faults.wrap(self._take)

    @property
    def received(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(entry) for entry in self._received]

    def reset(self) -> None:
        with self._lock:
            self._received.clear()
        self.faults.clear()

    def _take(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            start_response("405 Method Not Allowed", [("Allow", "POST"), ("Content-Type", "text/plain")])
            return [b"only POST\n"]
        entry = {
            "at": time.time(),
            "path": environ.get("PATH_INFO", ""),
            "headers": request_headers(environ),
            "body": readable(read_body(environ)),
        }
        with self._lock:
            self._received.append(entry)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"success":true}']
