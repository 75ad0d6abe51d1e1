"""The other commands, in processes of their own."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from core.config import parse_keys
from core.crypto import Keyring
from core.db import Database, db_now
from core.domain.effects import OMS_CREATE_ORDER
from core.flows import tenants
from core.models import Effect, Event, Exchange, ExchangeLink, Order
from core.relay.inbox import record_event
from core.relay.outbox import Wanted, want
from tests.integration.command_line import CommandLine, prove_bad, prove_good


def test_the_tables_are_as_expected(commands: CommandLine) -> None:
    revision = commands.succeed("db", "current").strip()
    assert revision
    assert revision in commands.succeed("db", "upgrade")  # again: nothing to do
    assert "expects" in commands.succeed("db", "check")


def test_an_empty_database_says_so(commands: CommandLine, tmp_path: Any) -> None:
    empty = CommandLine({**commands.environment, "DATABASE_URL": f"sqlite:///{tmp_path}/new/empty.db"})
    assert empty.succeed("db", "current").strip() == "empty"
    assert "differ" in empty.fail("db", "check")
    assert "db upgrade" in empty.fail("shops", "list")


def test_a_database_that_is_not_there(commands: CommandLine) -> None:
    away = CommandLine({**commands.environment, "DATABASE_URL": "postgresql+psycopg://u:hush@127.0.0.1:1/x"})
    assert "hush" not in prove_bad(away.spawn("shops", "list"))


EVENT_KEYS = {"id", "source", "topic", "received_at", "outcome", "reason"}
EFFECT_KEYS = {"id", "kind", "lane", "state", "attempts", "due_at", "reason"}
EXCHANGE_KEYS = {"id", "order", "return_order_code", "state", "since", "reason"}


def new_columns(model: Any) -> dict[str, Any]:
    """Values for columns without a default, whichever this release has."""
    known = {"in_order": False, "fulfillment_orders": [], "code": "never_held"}
    return {name: value for name, value in known.items() if name in model.__table__.columns}


def fill(commands: CommandLine) -> tuple[str, int]:
    """A shop with one event, one effect parked after two sends, one exchange. Returns its domain and the effect."""
    domain = f"list-{uuid4().hex[:12]}.myshopify.com"
    database = Database(commands.environment["DATABASE_URL"])
    keyring = Keyring(parse_keys(commands.environment["ENCRYPTION_KEYS"]))
    with database.write() as session:
        shop = tenants.add_shop(session, keyring, domain, None)
        shop.mode = "paused"  # other tests' workers are to leave it alone
        known: dict[str, Any] = {"shop_id": shop.id, "source": "rms", "topic": "notification"}
        record_event(session, keyring, **known, delivery_id=uuid4().hex, body=b"{}")
        effect = want(session, shop.id, Wanted(OMS_CREATE_ORDER, "a", "1", "oms:order:1", {}))
        assert effect is not None
        row = session.get_one(Effect, effect)
        row.state, row.reason, row.started, row.progress = "parked", "sent twice", True, {"resent": True}
        row.attempts = 7
        stamps = {"created_at": db_now(), "updated_at": db_now()}
        lists: dict[str, Any] = {"tags": [], "lines": [], "return_codes": []}
        named = {"order_id": 1, "name": "#1", "fulfillment": "none", "link_rule": "tag", **new_columns(Order)}
        session.add(Order(shop_id=shop.id, **named, **lists, **stamps))
        session.flush()
        exchange = Exchange(
            shop_id=shop.id, order_id=1, state="review", since=db_now(), reason="why", **new_columns(Exchange)
        )
        session.add(exchange)
        session.flush()
        link = {"exchange_id": exchange.id, "return_code": "R1", "match": "tag", "linked_at": db_now()}
        session.add(ExchangeLink(shop_id=shop.id, **link))
    database.dispose()
    return domain, effect


def test_lists_are_arrays_with_the_promised_keys(commands: CommandLine) -> None:
    domain, effect = fill(commands)
    (event,) = commands.read("events", "list", "--json", "--shop", domain)
    assert set(event) >= EVENT_KEYS
    assert (event["outcome"], event["topic"]) == (None, "notification")
    (listed,) = commands.read("effects", "list", "--json", "--shop", domain, "--state", "parked")
    assert set(listed) >= EFFECT_KEYS
    assert (listed["id"], listed["lane"], listed["attempts"]) == (effect, "oms:order:1", 7)
    (exchange,) = commands.read("exchanges", "list", "--json", "--shop", domain)
    assert set(exchange) >= EXCHANGE_KEYS
    assert (exchange["order"], exchange["return_order_code"], exchange["state"]) == ("#1", "R1", "review")
    assert commands.read("exchanges", "show", str(exchange["id"]), "--json")["order"] == "#1"


@pytest.mark.parametrize("group", ["events", "effects", "exchanges"])
def test_an_empty_list_is_an_empty_array(commands: CommandLine, group: str) -> None:
    assert commands.read(group, "list", "--json", "--shop", "nobody.myshopify.com") == []


def test_retrying(commands: CommandLine) -> None:
    domain, effect = fill(commands)
    assert "999999999" in commands.fail("effects", "retry", "999999999")
    commands.fail("effects", "retry", "99999999999999999999999")
    commands.fail("effects", "retry", "one")
    commands.succeed("effects", "retry", str(effect))
    (row,) = commands.read("effects", "list", "--json", "--shop", domain)
    assert (row["state"], row["attempts"]) == ("pending", 0)


def test_a_person_s_retry_really_sends_again(commands: CommandLine) -> None:
    """Parked after its one second chance: a retry that kept that mark would look, find nothing and park again."""
    _, effect = fill(commands)
    commands.succeed("effects", "retry", str(effect))
    database = Database(commands.environment["DATABASE_URL"])
    with database.read() as session:
        assert not session.get_one(Effect, effect).progress.get("resent")
    database.dispose()


def test_a_worker_in_burst_thinks_about_what_waits(commands: CommandLine) -> None:
    domain, _ = fill(commands)
    database = Database(commands.environment["DATABASE_URL"])
    with database.write() as session:
        shop = tenants.find_shop(session, domain)
        assert shop is not None
        shop.mode = "observe"
    commands.succeed("worker", "--burst")
    with database.read() as session:
        assert session.query(Event.outcome).filter(Event.shop_id == shop.id).one()[0] == "parked"
    database.dispose()


WRONG = ["nonsense", "127.0.0.1", "127.0.0.1:", ":8000", "127.0.0.1:http", "127.0.0.1:-1"]


@pytest.mark.parametrize("bind", WRONG)
def test_serving_at_a_place_that_is_none(commands: CommandLine, bind: str) -> None:
    assert "HOST:PORT" in commands.fail("web", "--bind", bind)


@pytest.mark.parametrize("bind", ["127.0.0.1:99999", "127.0.0.1:²"])
def test_serving_at_a_port_that_is_none(somewhere: CommandLine, bind: str) -> None:
    prove_bad(somewhere.spawn("web", "--bind", bind))


OPTIONS = [("web", "--workers", "0"), ("worker", "--processes", "0"), ("events", "list", "--limit", "0"), ("nothing",)]


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_options_that_are_wrong(commands: CommandLine, words: tuple[str, ...]) -> None:
    commands.fail(*words)


def test_a_worker_in_burst_and_one_sweep_come_to_their_end(somewhere: CommandLine) -> None:
    prove_good(somewhere.spawn("worker", "--burst"))
    prove_good(somewhere.spawn("sweep", "--once"))


def test_adding_and_listing_in_processes_of_their_own(commands: CommandLine) -> None:
    domain = f"own-{uuid4().hex[:12]}.myshopify.com"
    made = json.loads(prove_good(commands.spawn("shops", "add", domain)))
    assert made["shop"] == domain
    listed = json.loads(prove_good(commands.spawn("shops", "list", "--json")))
    assert domain in [one["shop"] for one in listed]
    assert made["rms"]["authPassword"] not in json.dumps(listed)


BROKEN = {
    "SHOPIFY_API_SECRET": "short",
    "ENCRYPTION_KEYS": "k1:" + base64.b64encode(b"too short").decode(),
    "DATABASE_URL": "mysql://x",
    "ALLOW_PRIVATE_NETWORKS": "10.0.0.1/8",
    "LOG_LEVEL": "LOUD",
}


@pytest.mark.parametrize("words", [("shops", "list"), ("web",)], ids=" ".join)
def test_a_broken_environment_lists_all_its_faults(words: tuple[str, ...]) -> None:
    done = CommandLine(BROKEN).spawn(*words)
    assert not done.out.strip()
    for name in (*BROKEN, "SHOPIFY_API_KEY"):
        assert name in prove_bad(done), name
    assert BROKEN["ENCRYPTION_KEYS"][3:] not in done.err
