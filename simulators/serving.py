"""Serves a WSGI application on a real socket: threads, HTTP/1.1 keep-alive, no line per request.

werkzeug's own handler closes after every answer because it cannot tell where an unread body ends. Ours reads the whole
body before the application runs and sends the whole answer with its length, so a connection can be used again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Answer = tuple[str, list[tuple[str, str]], bytes]
BROKEN: Answer = ("500 Internal Server Error", [("Content-Type", "text/plain")], b"the simulator broke, see its log\n")


def read_body(environ: WSGIEnvironment) -> bytes:
    """The request's body, whichever way its length was announced."""
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(source.read())
    announced = environ.get("CONTENT_LENGTH") or "0"
    length = int(announced) if announced.isdecimal() else 0
    body = bytes(source.read(length))
    if len(body) < length:
        raise ConnectionAbortedError("the caller left before its body was complete")
    return body


def run_whole(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Run the application to its end and return everything it answered."""
    head: list[Any] = []
    chunks: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        head[:] = [status, headers]
        return chunks.append

    result: Iterable[bytes] = app(environ, start_response)
    try:
        chunks.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    return head[0], list(head[1]), b"".join(chunks)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer must not wait for each other's acknowledgement (40 ms each on loopback).
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            self._send(*self._answer())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _answer(self) -> Answer:
        environ = self.make_environ()
        body = read_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ.pop("wsgi.input_terminated", None)
        try:
            return run_whole(self.server.app, environ)
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return BROKEN

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        if int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and int(code) not in (204, 304):
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the simulators keep journals of their own."""


class _Server(ThreadedWSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        self.connections: set[socket.socket] = set()
        # Bound here: werkzeug ends the whole process when a port is taken, a caller wants the OSError.
        with socket.create_server((host, port), backlog=128) as listening:
            super().__init__(host, listening.getsockname()[1], app, handler=_Handler, fd=listening.fileno())

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Served:
    """A running server. Closing it also ends kept-alive connections, so a closed system really is down."""

    def __init__(self, server: _Server, host: str) -> None:
        self._server = server
        self.port: int = server.port
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True, name=f"serve:{self.port}"
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(wsgi_app: WSGIApplication, port: int = 0, host: str = "127.0.0.1") -> Served:
    """Serve the application from a daemon thread; port 0 takes a free one."""
    return Served(_Server(host, port, wsgi_app), host)
