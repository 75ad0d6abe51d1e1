"""The fault proxies as one process: a port for each fault, with an honest partner behind all of them.

`python -m tests.hostile.proxies JOURNAL` prints {fault: port} as one line of JSON. Each line of the journal is a
connection: the time, the fault, and the path that was asked for.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.crash.parent import die_with_parent
from tests.hostile.faults import FAULTS, NEVER_ACCEPTS, Fault
from tests.hostile.servers import answer, hostile, read_request


class Proxy:
    """Gives what it is sent to the honest partner, and what that answers back through a fault."""

    def __init__(self, name: str, fault: Fault, upstream: int, journal: Journal):
        self._name, self._fault, self._upstream, self._journal = name, fault, upstream, journal
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(120)
            request = read_request(connection)
            self._journal.write(self._name, request)
            self._fault(forward(request, self._upstream))(connection)


class Journal:
    """Lines of a file, whole whoever writes them."""

    def __init__(self, path: Path):
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, fault: str, request: bytes) -> None:
        path = request.split(b" ", 2)[1].decode("latin-1") if request.count(b" ") > 1 else ""
        with self._lock:
            self._file.write(json.dumps([time.time(), fault, path]) + "\n")


def forward(request: bytes, port: int) -> bytes:
    """The upstream's whole answer; it closes its connection after each."""
    with socket.create_connection(("127.0.0.1", port), 10) as upstream:
        upstream.sendall(request)
        return b"".join(iter(lambda: upstream.recv(65536), b""))


@contextlib.contextmanager
def never_accepting() -> Iterator[int]:
    """A port whose queue is full: whoever connects waits for an answer to its first packet."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # as many as it takes to fill the shortest queue there is
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def open_proxies(journal: Path) -> Iterator[dict[str, int]]:
    """Every fault's port."""
    written = Journal(journal)
    with hostile(answer(200, b'{"well": true}')) as honest, never_accepting() as closed:
        ports = {name: Proxy(name, fault, honest.port, written).port for name, fault in FAULTS.items()}
        yield {**ports, NEVER_ACCEPTS: closed}


if __name__ == "__main__":
    die_with_parent()
    with open_proxies(Path(sys.argv[1])) as ports:
        print(json.dumps(ports), flush=True)
        threading.Event().wait()
