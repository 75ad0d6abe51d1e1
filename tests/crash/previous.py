"""The previous release: the sources as they were before the newest migration came."""

from __future__ import annotations

import subprocess
from pathlib import Path


def find_previous(root: Path) -> str:
    """Its commit. Needs a clone with its history."""
    newest = _run_git(root, "log", "-1", "--format=%H", "--diff-filter=A", "--", "migrations/versions").decode().strip()
    return _run_git(root, "rev-parse", f"{newest}^").decode().strip()


def unpack(root: Path, commit: str, folder: Path) -> Path:
    """A commit's sources in a folder of their own."""
    unpacked = folder / "previous"
    unpacked.mkdir()
    subprocess.run(["tar", "-x"], cwd=unpacked, check=True, input=_run_git(root, "archive", commit))
    return unpacked


def _run_git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE).stdout
