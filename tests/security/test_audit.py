"""The audit log: every act by hand leaves an entry, and nobody alters the log unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from core.addresses import AddressGuard
from core.crypto import Keyring
from core.db import Database
from core.flows import credentials, tenants
from core.flows.audit import audit, find_break
from core.flows.credentials import Restriction
from core.models import AuditEntry, AuditHead, Shop
from tests.integration.command_line import CommandLine
from tests.integration.conftest import settings_of_tests

KEYRING = Keyring({"k1": bytes(32)})
SHOPS = ("one.myshopify.com", "two.myshopify.com")
PASSWORD = "pa55-that-no-entry-shows"


@pytest.fixture
def audited(database: Database) -> Database:
    """Two shops with six entries each, written in turn."""
    with database.write() as session:
        shops = [tenants.add_shop(session, KEYRING, domain, None) for domain in SHOPS]
        for number in range(6):
            for shop in shops:
                audit(session, shop.id, "staff 17", "exchange.decided", f"order {number}", decision="release", ü="é")
    return database


def shop_id(database: Database, domain: str = SHOPS[0]) -> int:
    with database.read() as session:
        return session.scalars(select(Shop.id).where(Shop.domain == domain)).one()


def breaks(database: Database) -> dict[str, str | None]:
    with database.read() as session:
        return {shop.domain: find_break(session, shop.id) for shop in session.scalars(select(Shop))}


def tamper(database: Database, statement: str, **values: Any) -> None:
    """As somebody does who may do anything: the triggers are taken away first."""
    with database.write() as session:
        if database.is_sqlite:
            for trigger in ("audit_log_keeps", "audit_log_stays"):
                session.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        else:
            session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        assert session.execute(text(statement), {"shop": shop_id(database), **values}).rowcount  # type: ignore[attr-defined]


def test_a_log_nobody_touched_is_whole(audited: Database) -> None:
    assert breaks(audited) == dict.fromkeys(SHOPS)
    with audited.read() as session:
        numbers = select(AuditEntry.number).where(AuditEntry.shop_id == shop_id(audited)).order_by(AuditEntry.id)
        assert list(session.scalars(numbers)) == [1, 2, 3, 4, 5, 6]


ALTERED = {
    "actor": "UPDATE audit_log SET actor = 'staff 18' WHERE number = 3 AND shop_id = :shop",
    "action": "UPDATE audit_log SET action = 'x' WHERE number = 1 AND shop_id = :shop",
    "about": "UPDATE audit_log SET about = 'order 9' WHERE number = 6 AND shop_id = :shop",
    "detail": "UPDATE audit_log SET detail = '{}' WHERE number = 2 AND shop_id = :shop",
    "time": "UPDATE audit_log SET at = at + 1 WHERE number = 4 AND shop_id = :shop",
    "hash": "UPDATE audit_log SET hash = '0' WHERE number = 5 AND shop_id = :shop",
    "removed first": "DELETE FROM audit_log WHERE number = 1 AND shop_id = :shop",
    "removed inside": "DELETE FROM audit_log WHERE number = 3 AND shop_id = :shop",
    "removed last": "DELETE FROM audit_log WHERE number = 6 AND shop_id = :shop",
    "removed all": "DELETE FROM audit_log WHERE shop_id = :shop",
    "closed up": "UPDATE audit_log SET number = number + 10 WHERE shop_id = :shop",
    "head": "UPDATE audit_heads SET number = 5 WHERE shop_id = :shop",
    "head removed": "DELETE FROM audit_heads WHERE shop_id = :shop",
    "inserted": "INSERT INTO audit_log (shop_id, number, at, actor, action, about, detail, hash) "
    "SELECT shop_id, 7, at, actor, action, about, detail, hash FROM audit_log WHERE number = 6 AND shop_id = :shop",
    "from another shop": "UPDATE audit_log SET actor = (SELECT actor FROM audit_log LIMIT 1), hash = (SELECT hash FROM "
    "audit_log b WHERE b.number = 4 AND b.shop_id <> :shop) WHERE number = 4 AND shop_id = :shop",
}


@pytest.mark.parametrize("how", ALTERED)
def test_what_was_altered_is_found_and_in_that_shop_only(audited: Database, how: str) -> None:
    tamper(audited, ALTERED[how])
    found = breaks(audited)
    assert found[SHOPS[0]]
    assert found[SHOPS[1]] is None


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
def test_the_database_refuses_to_alter_it(audited: Database, statement: str) -> None:
    with pytest.raises(SQLAlchemyError, match="append-only"), audited.write() as session:
        session.execute(text(statement))
    assert breaks(audited) == dict.fromkeys(SHOPS)


def test_it_goes_with_its_shop(audited: Database) -> None:
    with audited.write() as session:
        session.execute(text("DELETE FROM shops WHERE domain = :domain"), {"domain": SHOPS[0]})
    with audited.read() as session:
        assert set(session.scalars(select(AuditHead.number))) == {6}
    assert breaks(audited) == {SHOPS[1]: None}


def test_what_is_undone_is_no_entry(audited: Database) -> None:
    with audited.write() as session:
        audit(session, shop_id(audited), "staff 17", "x", "y")
        session.rollback()
    assert breaks(audited) == dict.fromkeys(SHOPS)


def list_acts(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(row.actor, row.action, row.about) for row in rows]


def test_acts_by_hand_leave_entries_without_secrets(database: Database) -> None:
    document: dict[str, Any] = {
        "mode": "live",
        "oms": {"base_url": "https://oms.example.com", "auth_password": PASSWORD},
    }
    with database.write() as session:
        shop = tenants.add_shop(session, KEYRING, SHOPS[0], None)
        made = [credentials.make_credential(session, shop, "rms")]
        made.append(credentials.rotate_credential(session, shop, "rms", "staff 17"))
        key = credentials.rotate_hook_key(session, shop, "st")
        credentials.restrict_credentials(session, shop, "rms", Restriction("d", ("203.0.113.0/24",)), "staff 17")
        tenants.save_settings(session, KEYRING, shop, document, "staff 17", AddressGuard(()))
    assert list_acts(database) == [
        ("command line", "credential.made", "rms"),
        ("staff 17", "credential.made", "rms"),
        ("command line", "credential.made", "st"),
        ("staff 17", "credential.restricted", "rms"),
        ("staff 17", "settings.saved", "version 1"),
    ]
    with database.read() as session:
        entries = list(session.scalars(select(AuditEntry)))
    assert entries[-1].detail == {"changed": ["mode", "oms.auth_password", "oms.base_url"]}
    shown = json.dumps([[str(value) for value in vars(entry).values()] for entry in entries])
    assert not [secret for secret in (PASSWORD, key[10:], *(one.password for one in made)) if secret in shown]


def test_the_command_tells_and_fails(audited: Database, database_url: str, tmp_path: Path) -> None:
    settings = settings_of_tests(database_url, None, tmp_path)
    line = CommandLine({name.upper(): str(value) for name, value in settings.items() if value is not None})
    assert "6 entries" in line.succeed("audit", "verify")
    assert len(line.read("audit", "list", "--json", "--shop", SHOPS[0])) == 6
    tamper(audited, ALTERED["actor"])
    assert "was altered" in line.fail("audit", "verify")
    assert "6 entries" in line.succeed("audit", "verify", SHOPS[1])
    line.fail("audit", "verify", SHOPS[0])
    assert "no shop" in line.fail("audit", "verify", "nobody.myshopify.com")
