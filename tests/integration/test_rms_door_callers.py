"""Callers who are not who they say, send another type, or knock at another door."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.flows import credentials, tenants
from core.migrations import make_alembic_config
from tests.integration.bridge import SHOP, Bridge, Reply, head
from tests.integration.test_rms_door_bodies import DOORS, at_every_door, dump, prove_door_open


def prove_unauthorized(bridge: Bridge, reply: Reply, before: int) -> None:
    assert reply.status == 401
    assert reply.error()["code"] == "UNAUTHORIZED"
    assert bridge.count_events() == before


WRONG = {
    "no headers": {"authUsername": "", "authPassword": ""},
    "no password": {"authPassword": ""},
    "no name": {"authUsername": ""},
    "another password": {"authPassword": "x" * 43},
    "another name": {"authUsername": "rms-nobody-00000000"},
    "very long password": {"authPassword": "p" * 30_000},
    "very long name": {"authUsername": "n" * 30_000},
    "quote": {"authUsername": "' OR '1'='1", "authPassword": "' OR '1'='1"},
    "percent": {"authUsername": "%", "authPassword": "%"},
    "a sentence": {"authUsername": "a b\tc", "authPassword": "  "},
    "non-ASCII": {"authUsername": "Ren\xe9", "authPassword": "\xff\xfe\xfd"},
}


@at_every_door
def test_credentials_that_are_wrong(bridge: Bridge, method: str, path: str, topic: str) -> None:
    for change in WRONG.values():
        before = bridge.count_events()
        prove_unauthorized(bridge, bridge.push(path, dump(topic), method, **change), before)
    prove_door_open(bridge, method, path, topic)


@at_every_door
def test_credentials_of_raw_bytes(bridge: Bridge, method: str, path: str, topic: str) -> None:
    before = bridge.count_events()
    body = dump(topic)
    for name in ("authUsername", "authPassword"):
        headers = {**bridge.rms_headers(), "Content-Length": str(len(body)), name: "\xc3\x28\x80\xff"}
        prove_unauthorized(bridge, bridge.send_raw(head(method, path, headers) + body), before)


@at_every_door
def test_the_callers_place_is_checked_before_its_body(bridge: Bridge, method: str, path: str, topic: str) -> None:
    before = bridge.count_events()
    prove_unauthorized(bridge, bridge.push(path, b"not json", method, authPassword="wrong"), before)


def test_a_credential_of_oms_opens_no_door_of_rms(bridge: Bridge) -> None:
    with bridge.runtime.database.write() as session:
        shop = tenants.find_shop(session, SHOP)
        assert shop is not None
        made = credentials.make_credential(session, shop, "oms")
    before = bridge.count_events()
    headers = {"authUsername": made.username, "authPassword": made.password}
    prove_unauthorized(bridge, bridge.push("/rms/return-orders", dump("return_order"), **headers), before)


def test_a_header_given_twice_is_no_way_in(bridge: Bridge) -> None:
    body = dump("return_order")
    before = bridge.count_events()
    extra = f"authPassword: wrong\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head("POST", "/rms/return-orders", bridge.rms_headers())[:-2] + extra.encode() + body
    prove_unauthorized(bridge, bridge.send_raw(request), before)


def test_a_flood_of_wrong_credentials_never_locks_out_a_right_one(bridge: Bridge) -> None:
    for _ in range(60):
        reply = bridge.push("/rms/return-orders", dump("return_order"), authPassword="wrong")
        assert reply.status in (401, 429)
        reply.error()
    prove_door_open(bridge, *DOORS[0].values)  # type: ignore[arg-type]


TYPES = ["", "text/plain", "text/html", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
TYPES += ["application/xml", "application/jsonp", "json", "application/octet-stream", "\xe9", "x" * 5000, ";;;"]


@at_every_door
def test_another_content_type(bridge: Bridge, method: str, path: str, topic: str) -> None:
    for content_type in TYPES:
        before = bridge.count_events()
        reply = bridge.push(path, dump(topic), method, **{"Content-Type": content_type})
        assert reply.status == 415, content_type
        assert reply.error()["code"] == "UNSUPPORTED_MEDIA_TYPE"
        assert bridge.count_events() == before
    prove_door_open(bridge, method, path, topic)


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON", 'application/json;charset="UTF-8"', "application/hal+json"],
)
def test_json_by_its_other_names(bridge: Bridge, content_type: str) -> None:
    reply = bridge.push("/rms/return-orders", dump("return_order"), **{"Content-Type": content_type})
    assert (reply.status, reply.body) == (200, b"")


METHODS = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW")


@at_every_door
def test_another_method(bridge: Bridge, method: str, path: str, topic: str) -> None:
    allowed = {"POST", "PUT"} if topic == "processing_update" else {"POST"}
    for wrong in set(METHODS) - allowed:
        before = bridge.count_events()
        reply = bridge.call(wrong, path, dump(topic), bridge.rms_headers())
        assert reply.status == 405, wrong
        if wrong != "HEAD":
            assert reply.error()["code"] == "METHOD_NOT_ALLOWED"
        assert bridge.count_events() == before


@pytest.mark.parametrize("path", ["/rms/return-orders", "/webhooks/shopify", "/healthz"])
def test_a_405_names_the_methods_that_are_allowed(bridge: Bridge, path: str) -> None:
    reply = bridge.call("DELETE", path)
    assert reply.status == 405
    assert {one.strip() for one in (reply.headers["Allow"] or "").split(",")} & {"POST", "GET"}


PATHS = [
    "/rms",
    "/rms/",
    "/rms/nothing",
    "/rms/return-orders/",
    "/rms/return-orders/7",
    "/RMS/return-orders",
    "/webhooks",
]
PATHS += ["/%ff", "/%00", "/rms/%2e%2e/healthz", "/.env", "/" + "x" * 8000, "//evil.example/rms"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path(bridge: Bridge, method: str) -> None:
    before = bridge.count_events()
    for path in PATHS:
        reply = bridge.call(method, path, dump("return_order"), bridge.rms_headers())
        assert reply.status == 404, path
        assert reply.error()["code"] == "NOT_FOUND"
    assert bridge.count_events() == before


def test_health_says_alive_and_ready(bridge: Bridge) -> None:
    assert bridge.call("GET", "/healthz").status == 200
    assert bridge.call("GET", "/readyz").status == 200


@pytest.mark.parametrize(
    ("revision", "status"),
    [("0123abcdef45", 200), ("older", 503), (None, 503)],
    ids=["of a newer release, which is about to take its place", "of an older one", "none"],
)
def test_ready_depends_on_the_tables(bridge: Bridge, revision: str | None, status: int) -> None:
    scripts = ScriptDirectory.from_config(make_alembic_config(bridge.runtime.database))
    newest, older, *_ = [script.revision for script in scripts.walk_revisions()]
    there = older if revision == "older" else revision
    set_revision(bridge, there)
    try:
        reply = bridge.call("GET", "/readyz")
    finally:
        set_revision(bridge, newest)
    assert reply.status == status
    assert (b"db upgrade" in reply.body) == (status == 503)


def set_revision(bridge: Bridge, revision: str | None) -> None:
    with bridge.runtime.database.write() as session:
        session.execute(text("DELETE FROM alembic_version"))
        if revision:
            session.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def test_no_answer_names_its_server_or_shows_a_trace(bridge: Bridge) -> None:
    for reply in (bridge.push("/rms/return-orders", b"no"), bridge.call("GET", "/nothing")):
        assert "server" not in reply.headers
        assert b"Traceback" not in reply.body
