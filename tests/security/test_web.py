"""What every answer carries, what no answer carries, and where a browser can be led."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from core.config import Config
from core.migrations import upgrade
from core.reading import MAX_DEPTH
from tests.house.source import ROOT
from tests.integration.bridge import Bridge

TYPES = {
    *("text/html; charset=utf-8", "application/json", "text/plain; version=0.0.4; charset=utf-8"),
    *("text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/x-icon"),
}
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module", params=["https", "http"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Flask:
    folder = tmp_path_factory.mktemp("web")
    built = create_app(
        Config(
            database_url=f"sqlite:///{folder}/web.db",
            redis_url=valkey,
            app_url=f"{request.param}://app.example",
            shopify_api_key="test-key",
            shopify_api_secret="test-secret-of-at-least-thirty-two-bytes",
            encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
            instance_dir=Path(folder),
        )
    )
    upgrade(built.extensions["returnbridge"].database)
    built.add_url_rule("/breaks", view_func=lambda: 1 / 0)
    return built


def ask_everything(app: Flask) -> list[TestResponse]:
    """Every route with every method and without a credential, what is not there, and a fault of ours."""
    client, answers = app.test_client(), []
    for rule in app.url_map.iter_rules():
        _, path = rule.build(dict.fromkeys(rule.arguments, "1")) or ("", rule.rule)
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"):
            answers.append(client.open(path, method=method, query_string={"shop": "a.myshopify.com"}))
    answers += [client.get("/nothing"), client.get("/breaks"), client.get("/", headers={"Accept": "text/html"})]
    return [*answers, client.post("/rms/return-orders", data=b"x", headers={"Content-Length": str(11 * 1024 * 1024)})]


def read_policy(answer: TestResponse) -> dict[str, str]:
    (policy,) = answer.headers.getlist("Content-Security-Policy")
    parts = [part.strip().partition(" ") for part in policy.split(";")]
    assert len({name for name, _, _ in parts}) == len(parts), policy
    return {name: value for name, _, value in parts}


def test_every_answer_carries_the_headers_and_no_cookie(app: Flask) -> None:
    answers = ask_everything(app)
    assert {200, 401, 404, 405, 500} <= {answer.status_code for answer in answers}
    secure = app.extensions["returnbridge"].config.app_url.startswith("https")
    for answer in answers:
        for name, value in EVERYWHERE.items():
            assert answer.headers.getlist(name) == [value], answer.request.path
        assert answer.headers.getlist("Strict-Transport-Security") == (
            ["max-age=31536000; includeSubDomains"] if secure else []
        )
        assert not {"Set-Cookie", "Access-Control-Allow-Origin", "Server"} & set(answer.headers.keys())
        assert answer.headers["Cache-Control"]


def test_every_body_says_its_type_and_no_method_gives_a_request_back(app: Flask) -> None:
    for answer in ask_everything(app):
        kind = answer.headers.get("Content-Type", "")
        assert not answer.data or kind in TYPES, (answer.request.path, kind)
        if answer.request.method == "TRACE":
            assert answer.status_code in (401, 404, 405), answer.request.path


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "....//app.py", "/etc/passwd", "", "."])
def test_nothing_but_what_belongs_to_the_pages_is_served(app: Flask, path: str) -> None:
    assert app.test_client().get("/static/pages.css").status_code == 200
    assert app.test_client().get(f"/static/{path}", follow_redirects=True).status_code in (400, 404)
    for place in ("/.git/config", "/.env", "/app.py", "/instance/returnbridge.db", "/requirements.txt"):
        assert app.test_client().get(place).status_code == 404


def test_no_script_of_ours_keeps_anything_in_the_browser() -> None:
    scripts = sorted((ROOT / "shopify_app/static").glob("*.js"))
    assert scripts
    kept = re.compile(
        r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|innerHTML|insertAdjacentHTML|eval\("
    )
    assert [(path.name, one[0]) for path in scripts for one in kept.finditer(path.read_text())] == []


def test_no_policy_lets_a_page_run_what_stands_in_it(app: Flask) -> None:
    for answer in ask_everything(app):
        policy = read_policy(answer)
        assert {policy[name] for name in ("default-src", "object-src", "base-uri")} == {"'none'"}
        assert set(policy.get("img-src", "'none'").split()) <= {"'none'", "'self'", "https://cdn.shopify.com", "data:"}
        assert "unsafe" not in str(policy)
        assert "*" not in str(policy)
        assert policy["frame-ancestors"] == "'none'" or "myshopify.com" in policy["frame-ancestors"]
        for name in ("script-src", "style-src"):
            sources = set(policy.get(name, "'none'").split()) - {"'none'", "'self'", "https://cdn.shopify.com"}
            assert all(source.startswith("'nonce-") for source in sources)


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style(?![^>]*\bnonce=)|\sstyle\s*=|\son(?!e\b)[a-z]+\s*=|javascript:|\|\s*safe\b"
)


def test_no_template_holds_what_the_policy_forbids() -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    assert len(templates) >= 4
    found = [(path.name, one[0]) for path in templates for one in INLINE.finditer(path.read_text())]
    assert found == []


@pytest.mark.parametrize("bad", ["<script>", "<style>", "<p style='a'>", "<p onclick='a'>", "{{ a | safe }}"])
def test_such_a_template_would_be_found(bad: str) -> None:
    assert INLINE.search(bad)


def test_a_fault_of_ours_says_its_number_and_nothing_else(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    answer = app.test_client().get("/breaks")
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (500, "INTERNAL_ERROR")
    incident = re.fullmatch(r"incident ([0-9a-f]{12})", told["description"])
    assert incident
    assert "ZeroDivision" not in answer.text
    assert incident[1] in caplog.text


TARGETS = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "http:evil.example",
    "///evil.example",
]
TARGETS += [
    "/\t/evil.example",
    "/\n//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "",
    "evil.example",
    "/%0d%0aX: y\r\nZ: z",
]
TARGETS += [
    "/auth/patch-id-token?shopify-reload=/",
    " /x",
    "/x y",
    "/\x00",
    "/é",
    "@evil.example",
    ".evil.example",
    "/\\/evil.example",
]
SHOPS = ["evil.example", "a.myshopify.com.evil.example", "evil.example/a.myshopify.com", "a.myshopify.com@evil.example"]
SHOPS += [
    "a.myshopify.com:80",
    "a.myshopify.com/..",
    "a.myshopify.com\r\nX: y",
    "a.myshopify.com;script-src *",
    "",
    "x" * 300,
]
SHOPS += ["a.myshopify.com evil.example", "*.myshopify.com", ".myshopify.com", "é.myshopify.com", "a.b.myshopify.com"]


def prove_harmless(answer: TestResponse) -> None:
    """It leads to a page of ours or nowhere, and nobody outside may frame it."""
    ancestors = read_policy(answer)["frame-ancestors"]
    assert set(ancestors.split()) <= {"'none'", "https://a.myshopify.com", "https://admin.shopify.com"}
    assert "evil" not in str(answer.headers.getlist("Link"))
    for place in answer.headers.getlist("Location"):
        parts = urlsplit(place)
        assert parts.netloc in ("", "localhost")
        assert parts.path == "/auth/patch-id-token"
        (reload,) = parse_qs(parts.query)["shopify-reload"]
        assert re.fullmatch(r"/(?![/\\])[!-~]*", reload)


@pytest.mark.parametrize("target", TARGETS)
def test_the_bounce_page_leads_nowhere_else(app: Flask, target: str) -> None:
    answer = app.test_client().get(
        "/auth/patch-id-token", query_string={"shop": "a.myshopify.com", "shopify-reload": target}
    )
    assert answer.status_code == 400
    prove_harmless(answer)


@pytest.mark.parametrize("shop", SHOPS)
def test_a_made_up_shop_frames_nothing_and_leads_nowhere(app: Flask, shop: str) -> None:
    for path in ("/auth/patch-id-token", "/", "//evil.example/", "/\\evil.example"):
        query: dict[str, Any] = {"shop": shop, "host": "evil.example", "shopify-reload": "/"}
        answer = app.test_client().get(path, query_string=query, headers={"Accept": "text/html"})
        assert answer.status_code in (400, 401, 404), path
        prove_harmless(answer)


LIMITS: dict[str, bytes] = {
    "deep objects": b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    "very deep arrays": b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "unclosed": b'{"a":' * 200_000,
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "a number too large": b'{"a": 1e400}',
    "a number of 5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "NUL": b'{"a": "\\u0000"}',
    "NUL in a key": b'{"\\u0000": 1}',
    "half a pair": b'{"a": "\\ud800"}',
    "a key twice": b'{"returnOrderCode": "A", "returnOrderCode": "B"}',
    "a key twice, deep": b'{"orderItems": [{"itemCode": "A", "itemCode": "B"}]}',
    "a key twice, true and 1": b'{"a": true, "a": 1}',
    "UTF-8 that is none": b'{"a": "\xff"}',
    "an array": b"[]",
    "two values": b"{} {}",
}
PLACES = [("POST", "/rms/return-orders"), ("POST", "/rms/notifications"), ("PUT", "/rms/returns-processing-updates")]
PLACES += [("PUT", "/oms/return-acknowledgements"), ("PUT", "/oms/seller-cancellations")]


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_a_body_beyond_the_parsers_limits_is_refused_and_not_stored(bridge: Bridge, method: str, path: str) -> None:
    before = bridge.count_events()
    for what, body in LIMITS.items():
        reply = bridge.push(path, body, method)
        assert (reply.status, reply.error()["code"]) == (400, "BAD_DATA"), what
    assert bridge.count_events() == before


def test_the_same_value_twice_is_no_contradiction(bridge: Bridge) -> None:
    reply = bridge.push("/rms/return-orders", b'{"returnOrderCode": "A", "returnOrderCode": "A"}')
    assert "twice" not in reply.error()["description"]
