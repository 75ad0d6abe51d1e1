"""After a whole run: no secret and nothing of a person in the log, in Redis, in our answers or in the database."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import pytest
from redis import Redis

from core.config import Config
from simulators.sandbox import OMS_PASSWORD
from tests.flows.stage import Stage

PEOPLE = ["12 Sample Street", "Near Test Park", "+919000000001", "asha@example.com", "9999999999"]
TOKEN = "partner-secret-canary-7f3a"
PARTNER = {
    "name": "returns_prime",
    "kind": "returns_prime",
    "headers": {"x-rp-token": TOKEN},
    "events": ["qc", "return", "tracking"],
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is to hold everything that is logged; the root logger is put right afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every answer the app gives, headers and body."""
    from flask import Flask, Response

    given: list[bytes] = []
    process = Flask.process_response

    def keep(self: Flask, response: Response) -> Response:
        done = process(self, response)
        given.append(str(done.headers).encode() + done.get_data())
        return done

    monkeypatch.setattr(Flask, "process_response", keep)
    return given


def play(stage: Stage) -> None:
    """Two exchanges, one passed and one failed; then calls that are refused, and commands."""
    stage.configure(
        {"partners": [{**PARTNER, "url": stage.sandbox.partner_url + "/qc"}], "oms": {"create_orders": True}}
    )
    for number, verdict in enumerate(("PASS", "FAIL")):
        code = f"RET-{number}"
        stage.new_order([{"sku": f"SKU-I{number}", "quantity": 1, "price": "499.00"}], code)
        stage.push_return({f"I{number}": f"SKU-I{number}"}, code, forward=f"10{number}")
        stage.settle()
        stage.judge({f"I{number}": verdict}, code, forward=f"10{number}")
        stage.settle()
    client = stage.app.test_client()
    wrong = {"authUsername": stage.credential.username, "authPassword": stage.credential.password + "x"}
    right = {"authUsername": stage.credential.username, "authPassword": stage.credential.password}
    client.post("/rms/return-orders", json={"a": PEOPLE[0]}, headers=wrong)
    client.post("/rms/return-orders", json={"forwardAddress": {"email": PEOPLE[3]}}, headers=right)
    client.get(f"/hooks/st/{stage.credential.password}")
    for path in ("/healthz", "/readyz", "/metrics", "/nothing", "/?id_token=abc", "/rms/openapi.json"):
        client.get(path)
    runner = stage.app.test_cli_runner()
    for words in (
        ["shops", "show", stage.shop],
        ["events", "list", "--json"],
        ["effects", "list", "--json"],
        ["doctor"],
    ):
        stage.printed += runner.invoke(args=words).output  # type: ignore[attr-defined] # kept for the look below


def dump_database(url: str) -> bytes:
    """Every value of every table, as the store holds it."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return b"\n".join(_spell(row) for name in tables for row in connection.execute(f'SELECT * FROM "{name}"'))
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return b"\n".join(_spell(row) for (name,) in names for row in connection.execute(f'SELECT * FROM "{name}"'))


def _spell(row: Iterable[Any]) -> bytes:
    return b"|".join(one if isinstance(one, bytes) else json.dumps(one, default=str).encode() for one in row)


def dump_redis(url: str) -> bytes:
    with Redis.from_url(url) as server:
        return b"\n".join(key + b"=" + (server.dump(key) or b"") for key in server.scan_iter(count=10_000))


def test_no_canary_is_left_anywhere(config: Config, valkey: str, log: io.StringIO, answers: list[bytes]) -> None:
    stage = Stage(config)
    stage.printed = ""  # type: ignore[attr-defined] # what commands print
    try:
        root = logging.getLogger()
        root.handlers[:] = [logging.StreamHandler(log)]  # create_app set its own
        root.setLevel("DEBUG")
        play(stage)
        heard = json.dumps([call["body"] for call in stage.sandbox.oms.calls], default=str)
        assert [one for one in PEOPLE if one in heard] == PEOPLE  # so all of it went through us
        secrets = [
            *(OMS_PASSWORD, TOKEN, stage.sandbox.access_token, stage.credential.password),
            *(config.shopify_api_secret, next(iter(config.encryption_keys.values())).hex()),
        ]
        places = {
            "log": log.getvalue().encode(),
            "redis": dump_redis(valkey),
            "answers": b"\n".join(answers),
            "database": dump_database(config.database),
            "printed": stage.printed.encode(),  # type: ignore[attr-defined] # as above
        }
    finally:
        stage.close()
    assert all(len(content) > 50 for name, content in places.items() if name != "redis")
    found = {(name, one) for name, content in places.items() for one in (*PEOPLE, *secrets) if one.encode() in content}
    assert found == set()
