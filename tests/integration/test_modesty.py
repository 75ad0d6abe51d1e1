"""A worker lets the web server go first, whatever kind of session it was started in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.commands.processes import MODESTY

AUTOGROUP = Path("/proc/self/autogroup")
_ASK = "from core.commands.processes import give_way; give_way(); import os; print(os.nice(0)); print({group})"
_READ = f"open({str(AUTOGROUP)!r}).read()"


def give_way_apart(session: bool, group: str = "''") -> list[str]:
    """The niceness of a process that gives way, and of its session's group; in a session of its own, or in ours."""
    command = [sys.executable, "-c", _ASK.format(group=group)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, start_new_session=session, check=True)
    return asked.stdout.splitlines()


@pytest.mark.parametrize("session", [True, False])
def test_a_worker_is_nicer_than_others_of_its_session(session: bool) -> None:
    assert give_way_apart(session)[0] == str(min(19, os.nice(0) + MODESTY))


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not group processes by session")
def test_a_worker_that_is_a_service_is_nicer_than_other_sessions() -> None:
    assert give_way_apart(True, _READ)[1].endswith(f"nice {MODESTY}")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not group processes by session")
def test_a_session_that_others_share_stays_as_it_is() -> None:
    assert give_way_apart(False, _READ)[1] == AUTOGROUP.read_text().strip()
