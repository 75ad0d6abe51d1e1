"""What the proof stands on: the real runtime on an in-memory database whose clock the test moves, and a door that
leads to the small world of `world.py` instead of the network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from app import create_runtime
from core.addresses import AddressGuard
from core.config import Config
from core.db import Base
from core.errors import Ambiguous, Transient
from core.flows import tenants
from core.http import Answer
from core.runtime import Runtime

SHOP = "proof.myshopify.com"
START = 1_790_000_000.0  # seconds since 1970
_UNIX_EPOCH_JULIAN_DAY = 2_440_587.5


class Clock:
    """Seconds since 1970; only the test moves it."""

    def __init__(self) -> None:
        self.now = START

    def julian_day(self, _moment: object) -> float:
        """What SQLite's `julianday('now')` answers."""
        return self.now / 86_400 + _UNIX_EPOCH_JULIAN_DAY


class Door:
    """Stands for `core.http.HttpDoor`. One fault may be laid for the next change in each system."""

    def __init__(self) -> None:
        self.systems: dict[str, Callable[[str, str, Any, dict[str, str]], Any]] = {}
        self.faults: dict[str, str] = {}
        self.guard = AddressGuard(("127.0.0.0/8",))

    def send(self, method: str, url: str, headers: Any = None, **sent: Any) -> Answer:
        """Lead a call to its system. Faults: down (nothing done), before, after (no answer; not done, done)."""
        system, _, path = url.removeprefix("https://").partition("/")
        body = sent.get("json_body") if sent.get("json_body") is not None else sent.get("body") or sent.get("params")
        fault = self.faults.pop(system, None) if _changes(method, body) else None
        if fault == "down":
            raise Transient("could not connect")
        if fault == "before":
            raise Ambiguous("no answer: the call was lost")
        status, answer = self.systems[system](method, "/" + path, body, dict(headers or {}))
        if fault == "after":
            raise Ambiguous("no answer: it was lost on its way back")
        return Answer(status, {}, json.dumps(answer).encode())


def _changes(method: str, body: Any) -> bool:
    if isinstance(body, dict) and "query" in body:
        return str(body["query"]).lstrip().startswith("mutation")
    return method != "GET"


class Ground:
    """One runtime for all examples; `clear` gives each of them an empty house with one live shop."""

    def __init__(self) -> None:
        self.clock, self.door = Clock(), Door()
        self.runtime = _make_runtime(self.clock)
        self.runtime.http = self.door  # type: ignore[assignment] - it answers the one method that is called
        Base.metadata.create_all(self.runtime.database.engine)
        self.shop_id = 0

    def clear(self) -> None:
        """Forget everything."""
        self.clock.now = START
        self.door.faults.clear()
        with self.runtime.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
            shop = tenants.add_shop(session, self.runtime.keyring, SHOP, "token")
            session.flush()
            self.shop_id = shop.id

    def configure(self, document: dict[str, Any]) -> None:
        """Save a settings document."""
        with self.runtime.database.write() as session:
            shop = tenants.find_shop(session, SHOP)
            assert shop is not None
            tenants.save_settings(session, self.runtime.keyring, shop, document, "test", self.runtime.http.guard)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of a plain query, as they are now."""
        raw = self._connect()
        found = raw.execute(query, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _connect(self) -> Any:
        """The one connection of an in-memory database, below SQLAlchemy: the laws look thousands of times."""
        pooled = self.runtime.database.engine.raw_connection()
        try:
            return pooled.driver_connection
        finally:
            pooled.close()


def _make_runtime(clock: Clock) -> Runtime:
    config = Config(
        database_url="sqlite:///:memory:",
        redis_url="redis://127.0.0.1:1",
        shopify_api_key="key",
        shopify_api_secret="secret-of-at-least-thirty-two-bytes-x",
        shopify_admin_url="https://shopify/{shop}",
        encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
        settle_seconds=30,
        cancel_settle_seconds=120,
        instance_dir=Path("instance"),
    )
    runtime = create_runtime(config)

    def prepare(connection: Any, _record: Any) -> None:
        connection.create_function("julianday", 1, clock.julian_day)
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(runtime.database.engine, "connect", prepare)
    return runtime
