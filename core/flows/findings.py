"""Findings: what differs or needs somebody, kept as rows that are open until their cause is gone (docs/watch.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.differences import Difference, Kind
from core.models import Finding


def keep_findings(
    session: Session, shop_id: int, about: str, kinds: Collection[str], differences: Collection[Difference]
) -> list[Finding]:
    """Write down what was found about something; what is no longer found, of these kinds, is cleared.

    Returns the findings that stand.
    """
    open_now = {row.kind: row for row in _list_open(session, shop_id, kinds, about)}
    kept = {one.kind.value: _keep(session, shop_id, about, open_now.get(one.kind), one) for one in differences}
    for kind, row in open_now.items():
        if kind not in kept:
            row.cleared_at = db_now()
    session.flush()
    return list(kept.values())


def keep_all(session: Session, shop_id: int, kind: Kind, found: Mapping[str, Difference]) -> None:
    """The same for one kind over a whole shop, by what each is about."""
    open_now = {row.about: row for row in _list_open(session, shop_id, [kind])}
    for about, one in found.items():
        _keep(session, shop_id, about, open_now.get(about), one)
    for about, row in open_now.items():
        if about not in found:
            row.cleared_at = db_now()
    session.flush()


def _keep(session: Session, shop_id: int, about: str, row: Finding | None, found: Difference) -> Finding:
    if row is None:
        row = Finding(shop_id=shop_id, kind=found.kind.value, about=about, since=db_now(), repairs=0)
        session.add(row)
    row.last_seen, row.detail, row.repairable = db_now(), found.detail, found.repairable
    return row


def _list_open(session: Session, shop_id: int, kinds: Collection[str], about: str | None = None) -> list[Finding]:
    query = select(Finding).where(Finding.shop_id == shop_id, Finding.kind.in_(kinds), Finding.cleared_at.is_(None))
    return list(session.scalars(query if about is None else query.where(Finding.about == about)))
