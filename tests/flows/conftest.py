"""A whole bridge against the simulators, over real sockets; the tests do the workers' part, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.config import Config
from tests.flows.stage import SCOPES, Stage
from tests.flows.token_stage import OTHER, Asked


@pytest.fixture
def stage(config: Config) -> Iterator[Stage]:
    """The bridge, the simulators and one live shop."""
    built = Stage(config)
    yield built
    built.close()


@pytest.fixture
def asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the token endpoint is asked, with a second shop that has the app."""
    stage.sandbox.shopify.open_shop(OTHER, SCOPES)
    return Asked(stage, monkeypatch)
