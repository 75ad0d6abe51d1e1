"""The previous release: the sources as they were before the newest migration came."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def find_previous() -> str:
    """Its commit. Needs a clone with its history."""
    newest = _run_git("log", "-1", "--format=%H", "--diff-filter=A", "--", "migrations/versions").decode().strip()
    return _run_git("rev-parse", f"{newest}^").decode().strip()


def unpack(commit: str, folder: Path) -> Path:
    """A commit's sources in a folder of their own."""
    root = folder / "previous"
    root.mkdir()
    subprocess.run(["tar", "-x"], cwd=root, check=True, input=_run_git("archive", commit))
    return root


def _run_git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
