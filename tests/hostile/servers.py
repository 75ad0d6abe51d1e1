"""Small servers on loopback that answer as no good server would, and remember who connected."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

Act = Callable[[socket.socket], None]
_MOST_BYTES = 16 * 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Hostile:
    """Accepts connections and lets `act` do with each what it likes, until it is closed."""

    def __init__(self, act: Act, host: str = "127.0.0.1"):
        self._act = act
        self.connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.closing = threading.Event()
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/x"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.requests.append(read_request(connection))
            self._act(connection)
        connection.close()

    def close(self) -> None:
        self.closing.set()
        self._listener.close()
        for one in self.connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """A request with its whole body, or what came of it before the caller hung up."""
    raw = connection.recv(65536)
    while raw and len(raw) < _MOST_BYTES:
        head, end, body = raw.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= (int(length[1]) if length else 0):
            break
        more = connection.recv(65536)
        if not more:
            break
        raw += more
    return raw


@contextlib.contextmanager
def hostile(act: Act, host: str = "127.0.0.1") -> Iterator[Hostile]:
    server = Hostile(act, host)
    try:
        yield server
    finally:
        server.close()


def say(text: str | bytes) -> Act:
    """Answer these very bytes, then close."""
    raw = text if isinstance(text, bytes) else text.encode()
    return lambda connection: connection.sendall(raw)


def answer(status: int, body: bytes = b"", *headers: str) -> Act:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return say("\r\n".join(lines).encode() + body)
