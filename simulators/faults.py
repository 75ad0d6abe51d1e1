"""Misbehaviour on command: a far side that refuses, dawdles, or loses the answer of something it did do."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from simulators.serving import read_body, run_whole

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KINDS = ("status", "delay", "lose_answer", "drop")


def method_and_path(environ: WSGIEnvironment) -> str:
    """The default name of a call, e.g. `POST /orders/outward`."""
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


@dataclass
class Fault:
    """One rule. `times` None means until cleared; `hits` counts how often it applied."""

    match: str = ""
    kind: str = "status"
    status: int = 503
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    times: int | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: one of {', '.join(KINDS)}, not {self.kind!r}")
        HTTPStatus(self.status)

    def applies(self, name: str) -> bool:
        return self.match in name and (self.times is None or self.hits < self.times)


class Faults:
    """The faults of one system. Delays add up; after them the first other matching fault decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: dict[str, Any]) -> None:
        unknown = set(fault) - set(Fault.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        rule = Fault(**{**fault, "hits": 0})
        with self._lock:
            self._faults.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def listing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, name: str) -> tuple[float, Fault | None]:
        """How long this call waits and what then happens to it; counts the faults it used up."""
        wait = 0.0
        with self._lock:
            for fault in self._faults:
                if not fault.applies(name):
                    continue
                fault.hits += 1
                if fault.kind != "delay":
                    return wait, fault
                wait += fault.seconds
        return wait, None

    def wrap(
        self, wsgi_app: WSGIApplication, name_of: Callable[[WSGIEnvironment], str] = method_and_path
    ) -> WSGIApplication:
        """The same application with the faults in front. `name_of` may read the body: it is buffered."""

        def faulty(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            wait, fault = self.take(_name(environ, name_of))
            if wait:
                time.sleep(wait)
            if fault is None:
                return wsgi_app(environ, start_response)
            if fault.kind == "status":
                return _answer(fault, start_response)
            if fault.kind == "lose_answer":
                run_whole(wsgi_app, environ)
            return _hang_up(environ)

        return faulty


def _name(environ: WSGIEnvironment, name_of: Callable[[WSGIEnvironment], str]) -> str:
    body = read_body(environ)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    environ.pop("wsgi.input_terminated", None)
    try:
        return name_of(environ)
    finally:
        environ["wsgi.input"] = io.BytesIO(body)


def _answer(fault: Fault, start_response: StartResponse) -> Iterable[bytes]:
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    kind = "text/plain; charset=utf-8" if isinstance(fault.body, str) else "application/json"
    headers = {"Content-Type": kind, **fault.headers}
    status = HTTPStatus(fault.status)
    start_response(f"{status.value} {status.phrase}", list(headers.items()))
    return [text.encode()]


def _hang_up(environ: WSGIEnvironment) -> Iterable[bytes]:
    """Close the connection without a byte of answer; the server takes the error as a lost peer."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("closed without an answer on command")
