"""The stand-in admin: what it frames, what it hands out, and that it is not in the API's way."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.test import Client

from simulators.shopify import ShopifySimulator
from simulators.shopify.admin import is_for_people, make_frame_address
from simulators.shopify.oauth import make_id_token, read_id_token

SHOP, SECRET = "exchange-demo.myshopify.com", "a-secret-of-at-least-thirty-two-bytes"


@pytest.fixture
def admin():
    simulator = ShopifySimulator("key", SECRET, "http://127.0.0.1:8000")
    simulator.add_shop(SHOP)
    yield simulator, Client(simulator.wsgi)
    simulator.close()


def test_the_frame_is_signed_and_brings_an_id_token(admin):
    simulator, _ = admin
    address = urlsplit(make_frame_address(simulator, SHOP, "/settings"))
    asked = dict(parse_qsl(address.query))
    said = "&".join(f"{name}={value}" for name, value in sorted(asked.items()) if name != "hmac")
    assert asked["hmac"] == hmac.new(SECRET.encode(), said.encode(), hashlib.sha256).hexdigest()
    assert (address.path, asked["shop"], asked["embedded"]) == ("/settings", SHOP, "1")
    assert read_id_token(simulator, asked["id_token"])["dest"] == f"https://{SHOP}"


def test_each_id_token_is_new(admin):
    _, client = admin
    tokens = {client.post(f"/{SHOP}/admin/id_token").json["id_token"] for _ in range(3)}
    assert len(tokens) == 3
    assert client.get(f"/{SHOP}/admin/id_token").status_code == 405
    assert client.post("/nobody.myshopify.com/admin/id_token").status_code == 404


def test_removing_and_installing(admin):
    _, client = admin
    assert client.post(f"/{SHOP}/admin/press/uninstall").status_code == 303
    page = client.get(f"/{SHOP}/admin").text
    assert "not installed" in page
    assert "<iframe" not in page
    client.post(f"/{SHOP}/admin/press/install")
    assert "<iframe" in client.get(f"/{SHOP}/admin").text
    assert client.post(f"/{SHOP}/admin/press/no_such_button").status_code == 404


@pytest.mark.parametrize("name", ["app-bridge.js", "polaris.js"])
def test_the_cdn_serves_its_two_scripts(admin, name):
    answer = admin[1].get(f"/shopifycloud/{name}")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")


@pytest.mark.parametrize(
    "path", ["/shopifycloud/../admin.py", "/shopifycloud/%2e%2e/admin.py", "/shopifycloud/none.js"]
)
def test_and_nothing_else(admin, path):
    assert admin[1].get(path).status_code == 404


@pytest.mark.parametrize("path", ["//evil.example", "evil", ""])
def test_a_path_of_the_app_only(admin, path):
    assert admin[1].get(f"/{SHOP}/admin", query_string={"path": path}).status_code == 400


def test_the_api_is_still_there(admin):
    simulator, client = admin
    assert not is_for_people(f"/{SHOP}/admin/api/2026-10/graphql.json")
    asked = {"client_id": "key", "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": "none"}
    assert client.post(f"/{SHOP}/admin/oauth/access_token", json=asked).json["error"] == "invalid_grant"
    assert make_id_token(simulator, SHOP) != make_id_token(simulator, SHOP)
