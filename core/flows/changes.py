"""Saved settings documents: who saved which, when, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.flows.tenants import open_secrets
from core.models import SettingsVersion
from core.reading import render_path
from core.settings import Settings, merge_secrets, split_secrets

_SECRET = ("oms.auth_password", "headers.")


@dataclass(frozen=True)
class Change:
    """One setting that differs; None where it was absent. A secret is only said to be set, replaced or cleared."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Save:
    """One saved version, and what it changed of the version before it."""

    version: int
    saved_at: datetime
    saved_by: str
    changes: tuple[Change, ...]


def list_saves(session: Session, keyring: Keyring, shop_id: int, after: int = 0, limit: int = 10) -> list[Save]:
    """The newest saves after a version, newest first."""
    query = select(SettingsVersion).where(SettingsVersion.shop_id == shop_id, SettingsVersion.version >= after)
    rows = list(session.scalars(query.order_by(SettingsVersion.version.desc()).limit(limit + 1)))
    defaults = dict(_flatten(split_secrets(Settings().model_dump(mode="json"))[0]))
    opened = [(row, _open(keyring, row)) for row in rows]
    befores = [values for _, values in opened[1:]] + [defaults]
    return [
        Save(row.version, row.saved_at, row.saved_by, _compare(before, values))
        for (row, values), before in zip(opened[:limit], befores, strict=False)
        if row.version > after
    ]


def _open(keyring: Keyring, row: SettingsVersion) -> dict[str, Any]:
    return dict(_flatten(merge_secrets(row.document, open_secrets(keyring, row))))


def _flatten(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Path -> value of every leaf; a partner goes by its name, for its place may change."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flatten(one, (*path, key))
    elif path == ("partners",):
        for one in value:
            yield from _flatten(one, (*path, one["name"]))
    else:
        yield render_path(path), value


def _compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[Change, ...]:
    paths = [path for path in dict.fromkeys((*before, *after)) if before.get(path) != after.get(path)]
    return tuple(_make_change(path, before.get(path), after.get(path)) for path in paths)


def _make_change(path: str, before: Any, after: Any) -> Change:
    if any(mark in path for mark in _SECRET):
        return Change(path, "set" if before else None, ("replaced" if before else "set") if after else None)
    return Change(path, before, after)
