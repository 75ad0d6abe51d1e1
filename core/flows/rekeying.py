"""Changing the key that secrets are sealed with, while everything runs.

A value tells by its first letters which key sealed it, so the work needs no notes of its own: what is not under the
writing key is still to do, and a run that was broken off goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.crypto import Keyring
from core.errors import Permanent
from core.flows.audit import COMMAND_LINE, audit
from core.flows.tenants import secrets_place, token_place
from core.models import Effect, Event, SettingsVersion, Shop
from core.relay.inbox import seal_place
from core.relay.outbox import request_place

_KID_LETTERS = 17  # a key id has at most 16, and the colon follows


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values, and where each value belongs: its associated data, from its row."""

    column: InstrumentedAttribute[Any]
    place: Callable[[Any], tuple[str, ...]]

    @property
    def name(self) -> str:
        """`table.column`."""
        return f"{self.column.class_.__tablename__}.{self.column.key}"

    @property
    def shop_id(self) -> Any:
        """Whose a value is: the column that tells."""
        return getattr(self.column.class_, "shop_id", Shop.id)


SEALED = (
    SealedColumn(Shop.access_token, lambda shop: token_place(shop, "access_token")),
    SealedColumn(Shop.refresh_token, lambda shop: token_place(shop, "refresh_token")),
    SealedColumn(SettingsVersion.secrets, lambda saved: secrets_place(saved.shop_id, saved.version)),
    SealedColumn(Event.body, lambda event: seal_place(event.source, event.shop_id, event.delivery_id)),
    SealedColumn(Effect.request, request_place),
)


@dataclass(frozen=True)
class Batch:
    """What one batch did. `last` is the id it ended with, None when there was nothing left; `faults` could not open."""

    last: int | None
    resealed: int
    faults: list[str]


def count_old(session: Session, keyring: Keyring) -> dict[int, dict[str, int]]:
    """Shop -> column -> how many values are not under the writing key; shops and columns without any are left out."""
    found: dict[int, dict[str, int]] = {}
    for sealed in SEALED:
        counts = select(sealed.shop_id, func.count(sealed.column)).where(*_old(keyring, sealed))
        for shop_id, count in session.execute(counts.group_by(sealed.shop_id)):
            found.setdefault(shop_id, {})[sealed.name] = count
    return found


def begin_rotation(session: Session, keyring: Keyring, shop_id: int, counts: dict[str, int]) -> None:
    """Note in a shop's audit log that its secrets are about to be sealed anew: before it is done, lest it be missed."""
    audit(session, shop_id, COMMAND_LINE, "keys.rotate", f"key {keyring.writer}", values=counts)


def reseal_batch(session: Session, keyring: Keyring, sealed: SealedColumn, after: int, limit: int) -> Batch:
    """Seal some values anew, those of the rows after an id. What does not open is named and left as it is."""
    model = sealed.column.class_
    query = select(model).where(*_old(keyring, sealed), model.id > after).order_by(model.id).limit(limit)
    rows, faults = session.scalars(query.with_for_update(key_share=True)).all(), []
    for row in rows:
        place = sealed.place(row)
        try:
            clear = keyring.open(getattr(row, sealed.column.key), *place)
        except Permanent as error:
            faults.append(f"{sealed.name} of row {row.id}: {error}")
        else:
            setattr(row, sealed.column.key, keyring.seal(clear, *place))
    return Batch(rows[-1].id if rows else None, len(rows) - len(faults), faults)


def count_keys(session: Session) -> dict[str, int]:
    """Key id -> how many values it sealed."""
    found: dict[str, int] = {}
    for sealed in SEALED:
        start = func.substr(sealed.column, 1, _KID_LETTERS)
        query = select(start, func.count()).where(sealed.column.isnot(None)).group_by(start)
        for letters, count in session.execute(query):
            kid = bytes(letters).partition(b":")[0].decode("ascii", "replace")
            found[kid] = found.get(kid, 0) + count
    return found


def _old(keyring: Keyring, sealed: SealedColumn) -> tuple[Any, ...]:
    mark = keyring.writing_mark
    return (sealed.column.isnot(None), func.substr(sealed.column, 1, len(mark)) != mark)
