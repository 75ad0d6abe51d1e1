"""One bridge on each database for all tests of the doors; each test counts what it adds."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from core.config import Config
from tests.integration.bridge import Bridge
from tests.integration.command_line import CommandLine
from tests.integration.front import Front
from tests.integration.relay_stage import RelayStage

PREVIOUS_SECRET = "the-secret-that-was-in-force-before"


def settings_of_tests(database_url: str, redis_url: str | None, folder: Path) -> dict[str, Any]:
    """A process's settings on loopback."""
    return {
        "database_url": database_url,
        "redis_url": redis_url,
        "shopify_api_key": "test-key",
        "shopify_api_secret": "test-secret-of-at-least-thirty-two-bytes",
        "shopify_api_secret_previous": PREVIOUS_SECRET,
        "encryption_keys": "k1:" + base64.b64encode(bytes(32)).decode(),
        "log_format": "text",
        "instance_dir": folder,
    }


def make_database(server: str, name: str) -> Iterator[str]:
    """An empty PostgreSQL database, dropped at the end."""
    address = server.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_postgres(postgres: str) -> Iterator[str]:
    """One empty PostgreSQL database for the whole run."""
    yield from make_database(postgres, f"integration_{uuid4().hex}")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Bridge]:
    """The app on a socket."""
    folder = tmp_path_factory.mktemp("bridge")
    url = f"sqlite:///{folder}/bridge.db" if request.param == "sqlite" else request.getfixturevalue("shared_postgres")
    built = Bridge(Config(**settings_of_tests(url, valkey, folder)))
    yield built
    built.close()


@pytest.fixture
def front(config: Config) -> Front:
    """A member of staff at the pages, on each database; Shopify itself is away."""
    return Front(config.model_copy(update={"shopify_admin_url": "http://127.0.0.1:1/{shop}"}))


@pytest.fixture
def relay(config: Config) -> Iterator[RelayStage]:
    """The relay alone, on each database."""
    built = RelayStage(config)
    yield built
    built.close()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def commands(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: str) -> CommandLine:
    """The command line over a database whose tables are there."""
    folder = tmp_path_factory.mktemp("commands")
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("command_postgres") if postgres else f"sqlite:///{folder}/commands.db"
    settings = settings_of_tests(url, valkey, folder)
    line = CommandLine({name.upper(): str(value) for name, value in settings.items()})
    line.succeed("db", "upgrade")
    return line


@pytest.fixture(scope="session")
def somewhere(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line over an SQLite database with tables and an embedded server of its own."""
    folder = tmp_path_factory.mktemp("somewhere")
    settings = settings_of_tests(f"sqlite:///{folder}/somewhere.db", None, folder)
    line = CommandLine({name.upper(): str(value) for name, value in settings.items() if value})
    line.succeed("db", "upgrade")
    return line


@pytest.fixture(scope="session")
def command_postgres(postgres: str) -> Iterator[str]:
    """Another empty PostgreSQL database."""
    yield from make_database(postgres, f"commands_{uuid4().hex}")
