"""One bridge on each database for all tests of the doors; each test counts what it adds."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.config import Config
from tests.integration.bridge import Bridge

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


@pytest.fixture(scope="session")
def shared_postgres(postgres: str) -> Iterator[str]:
    """One empty PostgreSQL database for the whole run."""
    name = f"integration_{os.getpid()}"
    address = postgres.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Bridge]:
    """The app on a socket."""
    folder = tmp_path_factory.mktemp("bridge")
    url = f"sqlite:///{folder}/bridge.db" if request.param == "sqlite" else request.getfixturevalue("shared_postgres")
    built = Bridge(Config(**settings_of_tests(url, valkey, folder)))
    yield built
    built.close()
