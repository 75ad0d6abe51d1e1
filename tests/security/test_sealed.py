"""Secrets at rest: each opens in its own place only, and their key can be changed while everything runs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, update

from core.commands import keys
from core.crypto import Keyring
from core.db import Base, Database, db_now
from core.domain.effects import OMS_UNHOLD_ORDER
from core.errors import Permanent
from core.flows import rekeying, tenants
from core.flows.rekeying import SEALED, SealedColumn, count_keys, reseal_batch
from core.flows.tenants import secrets_place, token_place
from core.models import AuditEntry, Effect, Event, SettingsVersion, Shop
from core.relay.inbox import record_event
from core.relay.outbox import Wanted, seal_request, want
from tests.integration.command_line import CommandLine
from tests.integration.conftest import settings_of_tests

OLD, NEW = ("k1", bytes(32)), ("k2", bytes(range(32)))
CANARY = "sealed-canary"
EVENTS = 7


def ring(*pairs: tuple[str, bytes]) -> Keyring:
    return Keyring(dict(pairs))


def spell(*pairs: tuple[str, bytes]) -> str:
    return ",".join(f"{kid}:{base64.b64encode(key).decode()}" for kid, key in pairs)


def fill(database: Database, keyring: Keyring, domain: str) -> None:
    """A shop with a value in every sealed column."""
    with database.write() as session:
        shop = tenants.add_shop(session, keyring, domain, CANARY)
        shop.refresh_token = keyring.seal(CANARY.encode(), *token_place(shop, "refresh_token"))
        sealed = keyring.seal(json.dumps({"oms.auth_password": CANARY}).encode(), *secrets_place(shop.id, 1))
        session.add(
            SettingsVersion(
                shop_id=shop.id, version=1, document={}, secrets=sealed, saved_at=db_now(), saved_by="a test"
            )
        )
        for number in range(EVENTS):
            body = f"{CANARY} {number}".encode()
            known = {"shop_id": shop.id, "source": "rms", "topic": "t", "delivery_id": f"d{number}"}
            record_event(session, keyring, **known, body=body)  # type: ignore[arg-type] # by name
        for aspect in ("a", "b"):
            wish = Wanted(OMS_UNHOLD_ORDER, aspect, aspect, aspect, {"on": True})
            effect = session.get_one(Effect, want(session, shop.id, wish))
            effect.request = seal_request(keyring, effect, CANARY)


@pytest.fixture
def filled(database: Database) -> Database:
    """Two shops with a value in every sealed column, under the old key."""
    for domain in ("one.myshopify.com", "two.myshopify.com"):
        fill(database, ring(OLD), domain)
    return database


@pytest.fixture
def line(filled: Database, database_url: str, tmp_path: Path) -> CommandLine:
    """The command line with the new key first."""
    settings = {**settings_of_tests(database_url, None, tmp_path), "encryption_keys": spell(NEW, OLD)}
    return CommandLine({name.upper(): str(value) for name, value in settings.items() if value is not None})


def list_values(database: Database) -> Iterator[tuple[SealedColumn, Any, bytes]]:
    with database.read() as session:
        for sealed in SEALED:
            for row in session.scalars(select(sealed.column.class_).where(sealed.column.isnot(None))):
                yield sealed, row, getattr(row, sealed.column.key)


def test_every_column_of_bytes_is_known_as_sealed() -> None:
    """A new one must be entered in SEALED, or `keys rotate` would leave it behind under a key that goes away."""
    binary = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert {sealed.name for sealed in SEALED} == binary


def test_no_value_opens_in_anothers_place(filled: Database) -> None:
    values = list(list_values(filled))
    assert {sealed.name for sealed, _, _ in values} == {sealed.name for sealed in SEALED}
    places = [sealed.place(row) for sealed, row, _ in values]
    assert len(set(places)) == len(places)
    for number, (_, _, value) in enumerate(values):
        for other, place in enumerate(places):
            if number == other:
                assert CANARY.encode() in ring(OLD).open(value, *place)
            else:
                with pytest.raises(Permanent):
                    ring(OLD).open(value, *place)


def test_a_value_moved_by_hand_is_not_used(filled: Database) -> None:
    with filled.write() as session:
        one, two = session.scalars(select(Shop).order_by(Shop.id))
        one.access_token, two.access_token = two.access_token, one.access_token
    with filled.read() as session:
        for shop in session.scalars(select(Shop)):
            with pytest.raises(Permanent):
                ring(OLD).open(shop.access_token or b"", *token_place(shop, "access_token"))


def test_after_the_rotation_the_old_key_may_go(filled: Database, line: CommandLine) -> None:
    before = len(list(list_values(filled)))
    said = line.succeed("keys", "rotate")
    assert "under key k2" in said
    assert str(before) in said
    assert CANARY not in said
    values = list(list_values(filled))
    assert len(values) == before
    for sealed, row, value in values:
        assert CANARY.encode() in ring(NEW).open(value, *sealed.place(row))
    assert "under key k2" in line.succeed("keys", "rotate")  # nothing left to do
    assert [value for _, _, value in list_values(filled)] == [value for _, _, value in values]


def test_each_shop_whose_values_are_touched_knows_of_it(filled: Database, line: CommandLine) -> None:
    line.succeed("keys", "rotate")
    line.succeed("keys", "rotate")  # touches nothing, and is no entry
    with filled.read() as session:
        shops = list(session.scalars(select(Shop.id)))
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "keys.rotate")).all()
    assert sorted(one.shop_id for one in entries) == sorted(shops)
    for one in entries:
        assert (one.actor, one.about) == ("command line", "key k2")
        assert sum(one.detail["values"].values()) * len(shops) == len(list(list_values(filled)))
        assert one.detail["values"]["events.body"] == EVENTS
    assert "altered" not in line.succeed("audit", "verify")


def test_a_rotation_that_was_broken_off_goes_on(
    filled: Database, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def reseal(*args: Any) -> rekeying.Batch:
        done.append(1)
        if len(done) == 5:
            raise KeyboardInterrupt
        return reseal_batch(*args)

    monkeypatch.setattr(keys, "_BATCH", 3)
    monkeypatch.setattr(keys, "reseal_batch", reseal)
    assert line.run("keys", "rotate").status != 0
    with filled.read() as session:
        half = count_keys(session)
    assert set(half) == {"k1", "k2"}
    line.succeed("keys", "rotate")
    with filled.read() as session:
        assert count_keys(session) == {"k2": half["k1"] + half["k2"]}


def test_a_value_that_does_not_open_is_named_and_stops_nothing(filled: Database, line: CommandLine) -> None:
    with filled.write() as session:
        event = session.scalars(select(Event).order_by(Event.id).limit(1)).one()
        event.body = (event.body or b"")[:-1] + b"x"
    said = line.fail("keys", "rotate")
    assert f"events.body of row {event.id}" in said
    with filled.read() as session:
        assert count_keys(session)["k1"] == 1


def test_what_others_still_write_with_the_old_key_is_told(
    filled: Database, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(runtime: Any) -> None:
        fill(filled, ring(OLD), "late.myshopify.com")
        tell(runtime)

    tell = keys._tell_end
    monkeypatch.setattr(keys, "_tell_end", end)
    assert "restart every process" in line.fail("keys", "rotate")
    monkeypatch.setattr(keys, "_tell_end", tell)
    line.succeed("keys", "rotate")


def test_work_goes_on_while_keys_are_rotated(filled: Database) -> None:
    """A row whose other columns are written meanwhile keeps both changes."""
    with filled.read() as session:
        event = session.scalars(select(Event).order_by(Event.id).limit(1)).one()
    column = next(sealed for sealed in SEALED if sealed.name == "events.body")
    with filled.write() as session:
        session.execute(update(Event).where(Event.id == event.id).values(attempts=3))
    with filled.write() as session:
        assert reseal_batch(session, ring(NEW, OLD), column, 0, 100).resealed == 2 * EVENTS
    with filled.read() as session:
        again = session.get_one(Event, event.id)
        assert again.attempts == 3
        assert ring(NEW).open(again.body or b"", *column.place(again)) == ring(OLD).open(
            event.body or b"", *column.place(event)
        )
