"""Pages inside Shopify admin: the way in, the bounce page, the headers, and links that lead back in."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask, redirect
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from app import create_app
from core.config import Config
from core.flows.tenants import find_shop
from core.migrations import upgrade
from core.runtime import Runtime
from shopify_app.embedding import current_shop_id, current_visitor, guard, is_root_relative, link_to
from tests.unit.test_id_tokens import KEY, SECRET, SHOP, make_claims, make_token

HOST = base64.urlsafe_b64encode(b"admin.shopify.com/store/demo").decode().rstrip("=")
DOCUMENT = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "iframe"}
FETCH = {"Accept": "application/json", "Sec-Fetch-Dest": "empty"}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("embedded")
    config = Config(
        database_url=f"sqlite:///{folder}/embedded.db",
        redis_url="redis://127.0.0.1:1",
        shopify_api_key=KEY,
        shopify_api_secret=SECRET,
        shopify_cdn_url="https://cdn.example",
        encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
        instance_dir=Path(folder),
    )
    app = create_app(config)
    runtime: Runtime = app.extensions["returnbridge"]
    upgrade(runtime.database)
    app.register_blueprint(_make_pages(runtime))
    yield app
    runtime.database.dispose()


def _make_pages(runtime: Runtime) -> Blueprint:
    pages = Blueprint("probe", __name__, url_prefix="/probe")
    guard(pages, runtime)

    @pages.route("/who", methods=["GET", "POST"])
    def tell_who() -> dict[str, str | int]:
        return {"shop": current_visitor().domain, "user": current_visitor().user, "id": current_shop_id()}

    @pages.get("/link")
    def tell_link() -> str:
        return link_to("probe.tell_who", page=2)

    @pages.get("/away")
    def send_away() -> Response:
        return redirect(link_to("probe.tell_who"))

    @pages.get("/breaks")
    def breaks() -> str:
        raise RuntimeError("planted")

    return pages


@pytest.fixture
def client(embedded: Flask) -> FlaskClient:
    return embedded.test_client()


def bearer(token: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token or make_token()}"}


def stale() -> str:
    return make_token(make_claims(exp=1_700_000_000, nbf=1_600_000_000, iat=1_600_000_000))


def policy(answer: TestResponse) -> str:
    """Who may frame it; the rest of the policy is every answer's."""
    return str(answer.headers["Content-Security-Policy"]).partition("; ")[0]


def test_the_first_load_brings_its_token_in_the_query(client: FlaskClient) -> None:
    answer = client.get("/", query_string={"id_token": make_token(), "shop": SHOP, "host": HOST}, headers=DOCUMENT)
    assert answer.status_code == 200
    assert SHOP in answer.text
    assert policy(answer) == f"frame-ancestors https://{SHOP} https://admin.shopify.com"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "X-Frame-Options" not in answer.headers


def test_app_bridge_is_the_first_script_and_waits_for_nothing(client: FlaskClient) -> None:
    page = client.get("/", headers={**DOCUMENT, **bearer()}).text
    scripts = [line for line in page.splitlines() if line.startswith("<script")]
    assert scripts[0] == '<script src="https://cdn.example/shopifycloud/app-bridge.js"></script>'
    assert scripts[1] == '<script src="https://cdn.example/shopifycloud/polaris.js"></script>'
    assert page.index(f'<meta name="shopify-api-key" content="{KEY}">') < page.index(scripts[0])


def test_what_the_page_needs_is_announced(client: FlaskClient) -> None:
    link = client.get("/", headers={**DOCUMENT, **bearer()}).headers["Link"]
    assert '<https://cdn.example>; rel="preconnect"' in link
    assert '<https://cdn.example/shopifycloud/app-bridge.js>; rel="preload"; as="script"' in link


def test_the_shop_is_the_tokens_and_never_the_querys(client: FlaskClient, embedded: Flask) -> None:
    other = "other.myshopify.com"
    answer = client.get("/probe/who", query_string={"shop": other}, headers=bearer())
    assert answer.get_json()["shop"] == SHOP
    assert SHOP in policy(answer)
    assert other not in policy(answer)
    with embedded.extensions["returnbridge"].database.read() as session:
        assert find_shop(session, other) is None
        shop = find_shop(session, SHOP)
        assert shop is not None
        assert (shop.id, shop.mode) == (answer.get_json()["id"], "observe")


def test_who_looks_is_logged_and_the_token_is_not(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    token = make_token()
    told = client.get(f"/probe/who?id_token={token}").get_json()
    assert f"staff {told['user']} of shop {told['id']}: GET /probe/who" in caplog.messages
    assert token not in caplog.text


def test_two_shops_get_two_ids(client: FlaskClient) -> None:
    other = make_token(make_claims(iss="https://other-one.myshopify.com/admin", dest="https://other-one.myshopify.com"))
    first, second = (client.get("/probe/who", headers=bearer(token)).get_json() for token in (make_token(), other))
    assert first["shop"] != second["shop"]
    assert first["id"] != second["id"]


@pytest.mark.parametrize("query", [{}, {"id_token": "stale"}, {"id_token": "nonsense"}])
def test_a_document_without_a_good_token_bounces(client: FlaskClient, query: dict[str, str]) -> None:
    if query.get("id_token") == "stale":
        query = {"id_token": stale()}
    once = {"hmac": "abc", "timestamp": "1", "session": "s", "shopify-reload": "//evil.example"}
    carried = {"shop": SHOP, "host": HOST, "embedded": "1", "locale": "en"}
    answer = client.get("/probe/link", query_string={**carried, **query, **once, "page": "2"}, headers=DOCUMENT)
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert target.path == "/auth/patch-id-token"
    given = {name: values[0] for name, values in parse_qs(target.query).items()}
    back = urlsplit(given.pop("shopify-reload"))
    assert given == carried
    assert (back.scheme, back.netloc, back.path) == ("", "", "/probe/link")
    assert {name: values[0] for name, values in parse_qs(back.query).items()} == {**carried, "page": "2"}
    bounced = client.get(answer.headers["Location"], headers=DOCUMENT)
    assert bounced.status_code == 200
    assert "app-bridge.js" in bounced.text
    assert policy(bounced) == f"frame-ancestors https://{SHOP} https://admin.shopify.com"


def test_after_a_bounce_the_header_gets_the_whole_page(client: FlaskClient) -> None:
    answer = client.get("/", headers={**bearer(), "X-Shopify-Bounce": "1"})
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


@pytest.mark.parametrize("headers", [FETCH, {**FETCH, **bearer("nonsense")}, {**DOCUMENT, **bearer("nonsense")}, {}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_fetch_without_a_good_token_may_be_repeated(
    client: FlaskClient, method: str, headers: dict[str, str]
) -> None:
    answer = client.open("/probe/who", method=method, query_string={"shop": SHOP}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    assert answer.get_json()["code"] == "UNAUTHORIZED"
    assert policy(answer) == "frame-ancestors 'none'"


def test_a_change_takes_no_token_from_an_address(client: FlaskClient) -> None:
    answer = client.post("/probe/who", query_string={"id_token": make_token(), "shop": SHOP}, headers=DOCUMENT)
    assert answer.status_code == 401
    assert client.post("/probe/who", headers=bearer()).status_code == 200


@pytest.mark.parametrize("shop", [None, "", "evil.example", "x.myshopify.com.evil.example", "a; script-src *"])
def test_without_a_shop_there_is_no_frame(client: FlaskClient, shop: str | None) -> None:
    query = {} if shop is None else {"shop": shop}
    answer = client.get("/probe/who", query_string=query, headers=DOCUMENT)
    assert answer.status_code == 401
    assert "lives in Shopify admin" in answer.text
    assert policy(answer) == "frame-ancestors 'none'"
    bounced = client.get("/auth/patch-id-token", query_string={**query, "shopify-reload": "/"}, headers=DOCUMENT)
    assert bounced.status_code == 400
    assert policy(bounced) == "frame-ancestors 'none'"


AWAY = ["", "//evil.example", "/\\evil.example", "\\evil.example", "https://evil.example", "javascript:alert(1)", "x"]
AWAY += ["/\t/evil.example", "/\r\nX: y", "/a\\b", "/ a", "/caf\xe9", "/auth/patch-id-token?shopify-reload=/", "/" * 5]
AWAY += ["/" + "a" * 5000, "data:text/html,x", "\x00/", "/\x00"]


@pytest.mark.parametrize("target", AWAY)
def test_the_bounce_page_leads_nowhere_else(client: FlaskClient, target: str) -> None:
    assert not is_root_relative(target)
    answer = client.get("/auth/patch-id-token", query_string={"shop": SHOP, "shopify-reload": target})
    assert answer.status_code == 400
    assert "<script" not in answer.text


@pytest.mark.parametrize("target", ["/", "/settings", "/exchanges?page=2&shop=demo.myshopify.com", "/a%20b#c", "/.//x"])
def test_paths_of_ours(target: str) -> None:
    assert is_root_relative(target)


def test_the_bounce_page_holds_nothing_of_the_query(client: FlaskClient) -> None:
    query = {"shop": SHOP, "shopify-reload": "/<script>alert(1)</script>", "host": "<b>", "x": "canary"}
    page = client.get("/auth/patch-id-token", query_string=query).text
    assert not {"canary", "alert", "<b>"} & set(page.replace("<", " <").split())
    assert "alert" not in page


def test_links_carry_what_the_next_bounce_needs(client: FlaskClient) -> None:
    query = {"shop": "other.myshopify.com", "host": HOST, "embedded": "1", "locale": "en-IN", "session": "s"}
    link = urlsplit(client.get("/probe/link", query_string={**query, "id_token": make_token()}).text)
    given = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert given == {"shop": SHOP, "host": HOST, "embedded": "1", "locale": "en-IN", "page": "2"}


@pytest.mark.parametrize("name", ["host", "embedded", "locale"])
def test_links_carry_nothing_odd(client: FlaskClient, name: str) -> None:
    for value in ("<script>", "a b", "\r\nX: y", "x" * 300, "\xe9"):
        assert name not in client.get("/probe/link", query_string={name: value}, headers=bearer()).text


def test_a_redirect_stays_in_the_frame(client: FlaskClient) -> None:
    answer = client.get("/probe/away", query_string={"host": HOST}, headers=bearer())
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"shop": [SHOP], "host": [HOST]}


def test_a_fault_of_ours_is_framed_too(client: FlaskClient) -> None:
    answer = client.get("/probe/breaks", headers=bearer())
    assert answer.status_code == 500
    assert "planted" not in answer.text
    assert policy(answer) == f"frame-ancestors https://{SHOP} https://admin.shopify.com"


def test_a_stand_in_frames_in_place_of_the_shop(tmp_path: Path) -> None:
    config = Config(
        shopify_api_key=KEY,
        shopify_api_secret=SECRET,
        shopify_admin_url="http://127.0.0.1:9101/{shop}",
        encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
        instance_dir=tmp_path,
    )
    app = create_app(config)
    answer = app.test_client().get("/auth/patch-id-token", query_string={"shop": SHOP, "shopify-reload": "/"})
    assert policy(answer) == "frame-ancestors http://127.0.0.1:9101 https://admin.shopify.com"
