"""A process that is frozen in the middle of a transaction must not hold its locks for ever."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import db
from core.db import Database, lock_row
from core.models import Shop


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_ends_it_and_frees_the_lock(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_IDLE_MILLISECONDS", 200)
    frozen, other = Database(database_url), Database(database_url)
    with frozen.write() as session:
        shop = Shop(domain="frozen.myshopify.com", created_at=db.db_now())
        session.add(shop)
        session.flush()
        shop_id = shop.id
    with pytest.raises(DBAPIError):
        _wake_too_late(frozen, other, shop_id)
    frozen.dispose()
    other.dispose()


def _wake_too_late(frozen: Database, other: Database, shop_id: int) -> None:
    with frozen.write() as session:
        lock_row(session, Shop.id, shop_id)
        with other.write() as another:
            another.execute(text("SET LOCAL lock_timeout = '20s'"))
            lock_row(another, Shop.id, shop_id)
        session.execute(text("SELECT 1"))
