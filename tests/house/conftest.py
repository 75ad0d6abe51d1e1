"""The app as its composition root builds it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from core.config import Config
from core.registry import Registry
from core.runtime import Runtime


@pytest.fixture
def built_app(config: Config) -> Iterator[Flask]:
    """The app over an empty database with all tables; the logs it redirects go back to where they went."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    built = create_app(config)
    runtime: Runtime = built.extensions["returnbridge"]
    yield built
    runtime.database.dispose()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def registry(built_app: Flask) -> Registry:
    """Every handler, deliverer and reader that was entered."""
    found: Registry = built_app.extensions["returnbridge"].registry
    return found
