"""A whole bridge against the simulators, over real sockets; the tests do the workers' part, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.config import Config
from tests.flows.stage import Stage


@pytest.fixture
def stage(config: Config) -> Iterator[Stage]:
    """The bridge, the simulators and one live shop."""
    built = Stage(config)
    yield built
    built.close()
