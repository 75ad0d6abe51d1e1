"""`worker --processes N`: whichever ends is started again, and all of them end with the first."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.integration.command_line import ROOT, CommandLine


@pytest.fixture
def parent(commands: CommandLine) -> Iterator[psutil.Popen]:
    """The first of two worker processes."""
    command = [sys.executable, "-m", "flask", "--app", "app", "worker", "--processes", "2"]
    with psutil.Popen(command, cwd=ROOT, env=commands.environment, stderr=subprocess.PIPE, text=True) as started:
        yield started
        if started.poll() is None:  # the test has failed
            for process in (*started.children(recursive=True), started):
                process.kill()


def find_worker(parent: psutil.Popen, other_than: int | None = None) -> psutil.Process | None:
    """The one beside the first."""
    alive = [child for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE]
    return next((child for child in alive if child.pid != other_than and "worker" in child.cmdline()), None)


def wait_for(look: Callable[[], psutil.Process | None], seconds: float = 30) -> psutil.Process:
    end = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
    return found


def test_a_worker_that_was_killed_is_replaced_and_all_end_with_the_first(parent: psutil.Popen) -> None:
    first = wait_for(lambda: find_worker(parent))
    first.kill()
    second = wait_for(lambda: find_worker(parent, other_than=first.pid))
    parent.terminate()
    assert parent.wait(30) == 0
    second.wait(30)
    assert f"worker process {first.pid} ended with -9: another takes its place" in parent.stderr.read()
