"""Two shops with a row in every table, made from the tables themselves so that a new table is filled too."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Float, LargeBinary, String, Table, Text, insert, select
from sqlalchemy.orm import Session

from core.addresses import AddressGuard
from core.crypto import Keyring
from core.db import Base, Database, Moment
from core.flows import credentials, tenants
from core.flows.credentials import NewCredential
from core.models import Shop

ONE, TWO = "one.myshopify.com", "two.myshopify.com"
_OUR_WORDS = {  # the product's own, of no shop: an operator's figures count by them, and acts by hand ask for them
    "exchanges.state": "review",
    "exchange_history.state": "review",
    "effects.state": "parked",
    "events.outcome": "parked",
    "orders.fulfillment": "none",
    "endpoints.state": "resting",
}
CANARY = {ONE: "canary-of-one", TWO: "canary-of-two"}
KEYRING = Keyring({"k1": bytes(32)})
_numbers = itertools.count(1)


def fill(database: Database) -> dict[str, NewCredential]:
    """Both shops; returns their RMS credentials."""
    made = {}
    for domain in (ONE, TWO):
        with database.write() as session:
            shop = tenants.add_shop(session, KEYRING, domain, None)
            made[domain] = credentials.make_credential(session, shop, "rms")
            document = {"exchange": {"replacement_tag": CANARY[domain]}}
            tenants.save_settings(session, KEYRING, shop, document, CANARY[domain], AddressGuard(()))
            _fill_tables(session, shop.id, CANARY[domain])
    return made


def _fill_tables(session: Session, shop_id: int, canary: str) -> None:
    made: dict[str, dict[str, Any]] = {"shops": {"id": shop_id}}
    for table in Base.metadata.sorted_tables:
        if table.name == "shops":
            continue
        there = select(table).where(table.c.shop_id == shop_id) if "shop_id" in table.c else None
        row = session.execute(there).mappings().first() if there is not None else None
        if row is None:
            values = {one.name: _invent(one, made, canary) for one in table.columns if not _counts_up(table, one)}
            row = session.execute(insert(table).values(values).returning(*table.columns)).mappings().one()
        made[table.name] = dict(row)


def _counts_up(table: Table, column: Column[Any]) -> bool:
    return column is table.autoincrement_column


def _invent(column: Column[Any], made: dict[str, dict[str, Any]], canary: str) -> Any:
    for key in column.foreign_keys:
        return made[key.column.table.name][key.column.name]
    if isinstance(column.type, Moment):
        return datetime(2026, 1, 1, tzinfo=UTC)
    if isinstance(column.type, LargeBinary):
        return canary.encode()
    if f"{column.table.name}.{column.name}" in _OUR_WORDS:
        return _OUR_WORDS[f"{column.table.name}.{column.name}"]
    if isinstance(column.type, String | Text):
        return f"{canary}-{next(_numbers)}"[: column.type.length or 99]
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Float):
        return 1.0
    return {} if "JSON" in str(column.type) else next(_numbers)


def list_rows(database: Database, domain: str) -> dict[str, list[dict[str, Any]]]:
    """Table -> everything of a shop, seen without any scope."""
    with database.read() as session:
        shop_id = session.scalars(select(Shop.id).where(Shop.domain == domain)).one()
        rows: dict[str, list[dict[str, Any]]] = {}
        for table in Base.metadata.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            if table.name == "shops":
                query = query.where(table.c.id == shop_id)
            elif "shop_id" in table.c:
                query = query.where(table.c.shop_id == shop_id)
            else:
                parent = next(key for key in table.foreign_keys if key.ondelete == "CASCADE")
                owners = [row["id"] for row in rows[parent.column.table.name]]
                query = query.where(parent.parent.in_(owners))
            rows[table.name] = [dict(row) for row in session.execute(query).mappings()]
        return rows
