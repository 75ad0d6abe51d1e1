"""The doors on a socket, and the app as its composition root builds it."""

from __future__ import annotations

from tests.house.conftest import built_app
from tests.integration.conftest import bridge, shared_postgres

__all__ = ["bridge", "built_app", "shared_postgres"]
