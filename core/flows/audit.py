"""Writing the audit log, and finding out whether somebody altered it.

Each entry's hash covers the entry and the hash before it. An entry that was altered, removed or put in between breaks
the chain. Who can write the whole table could make a new chain; so every entry's hash is also a line of the process
log, which is kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import insert_once, lock_row, read_clock
from core.models import AuditEntry, AuditHead, Shop
from core.statements import prepared, scalars

COMMAND_LINE = "command line"
SYSTEM = "system"  # nobody's hand: by the merchant's rules
DECIDED = "exchange.decided"
_BEGINNING = "0" * 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


def audit(session: Session, shop_id: int, actor: str, action: str, about: str, **detail: Any) -> None:
    """Note who did what to what. Nothing personal and no secret: ids, codes, states, names of settings."""
    lock_row(session, Shop.id, shop_id)
    insert_once(session, AuditHead, shop_id=shop_id, number=0, hash=_BEGINNING)
    head = scalars(session, _select_head(shop_id)).one()
    entry = AuditEntry(
        shop_id=shop_id,
        number=head.number + 1,
        at=read_clock(session),
        actor=actor[:255],
        action=action,
        about=about[:255],
        detail=detail,
    )
    entry.hash = _hash(head.hash, entry)
    session.add(entry)
    head.number, head.hash = entry.number, entry.hash
    session.flush()
    logger.info("audit: shop %s entry %s %s", shop_id, entry.number, entry.hash)


@prepared
def _select_head(shop_id: int) -> Select[AuditHead]:
    return select(AuditHead).where(AuditHead.shop_id == shop_id).with_for_update()


def find_break(session: Session, shop_id: int) -> str | None:
    """Where a shop's chain is broken, in words; None when it is whole."""
    number, before = 0, _BEGINNING
    query = select(AuditEntry).where(AuditEntry.shop_id == shop_id).order_by(AuditEntry.number, AuditEntry.id)
    for entry in session.scalars(query.execution_options(yield_per=500)):
        number += 1
        if entry.number != number:
            return f"entry {number} is missing, entry {entry.number} comes in its place"
        if entry.hash != _hash(before, entry):
            return f"entry {number} ({entry.action}, {entry.at.isoformat()}) or the one before it was altered"
        before = entry.hash
    head = session.get(AuditHead, shop_id)
    end = (head.number, head.hash) if head else (0, _BEGINNING)
    return None if end == (number, before) else f"it ends with entry {number}, where entry {end[0]} should be the last"


def _hash(before: str, entry: AuditEntry) -> str:
    said: Mapping[str, Any] = {
        "before": before,
        "shop": entry.shop_id,
        "number": entry.number,
        "at": (entry.at - _EPOCH) // timedelta(milliseconds=1),
        "actor": entry.actor,
        "action": entry.action,
        "about": entry.about,
        "detail": entry.detail,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
