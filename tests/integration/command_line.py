"""Runs the commands: in this process where that says as much, and as an operator does in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app
from core.config import load_config

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass
class CommandLine:
    """`flask --app app …` over one environment. Whatever a command does, it never shows a traceback."""

    environment: dict[str, str] = field(default_factory=dict)

    @cached_property
    def app(self) -> Flask:
        return create_app(load_config(self.environment))

    def run(self, *words: str) -> Ended:
        """Run a command here."""
        result = self.app.test_cli_runner().invoke(args=list(words))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise AssertionError(f"a traceback would show: {result.exception!r}") from result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def spawn(self, *words: str, seconds: float = 60) -> Ended:
        """Run a command in a process of its own."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *words],
            check=False,
            env={**kept, **self.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def succeed(self, *words: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        return prove_good(self.run(*words))

    def fail(self, *words: str) -> str:
        """Run a command that must fail; returns its words on standard error."""
        return prove_bad(self.run(*words))

    def read(self, *words: str) -> Any:
        """Run a command that prints JSON and nothing else."""
        return json.loads(self.succeed(*words))


def prove_good(ended: Ended) -> str:
    assert ended.status == 0, ended.err
    return ended.out


def prove_bad(ended: Ended) -> str:
    assert ended.status != 0, ended.out
    assert ended.err.strip()
    return ended.err
