"""The shop's admin around the app: frames it, hands it ID tokens, installs and removes it; and Shopify's CDN."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, send_from_directory
from werkzeug.wrappers import Response as Redirect

from simulators.shopify.oauth import make_id_token

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from simulators.shopify.simulator import ShopifySimulator

_PAGES = Path(__file__).parent.parent / "pages"
_CDN = Path(__file__).parent / "cdn"
PATHS = ("/shopifycloud/",)  # and /{shop}/admin itself with what is below it, but for /admin/api and /admin/oauth


def is_for_people(path: str) -> bool:
    """True for what a browser asks, False for the API."""
    parts = path.split("/")
    admin = len(parts) > 2 and parts[2] == "admin" and (len(parts) == 3 or parts[3] not in ("api", "oauth"))
    return admin or path == "/" or path.startswith(PATHS)


def make_frame_address(shopify: ShopifySimulator, shop: str, path: str) -> str:
    """The app's address as the admin's frame loads it: signed, with an ID token and Shopify's own parameters."""
    host = base64.urlsafe_b64encode(f"admin.shopify.com/store/{shop.partition('.')[0]}".encode()).decode().rstrip("=")
    asked = {"embedded": "1", "host": host, "locale": "en", "session": secrets.token_hex(16), "shop": shop}
    asked |= {"id_token": make_id_token(shopify, shop), "timestamp": str(int(time.time()))}
    said = "&".join(f"{name}={value}" for name, value in sorted(asked.items()))
    mark = hmac.new(shopify.api_secret.encode(), said.encode(), hashlib.sha256).hexdigest()
    return (
        f"{(shopify.app_url or '').rstrip('/')}{path}{'&' if '?' in path else '?'}{urlencode({**asked, 'hmac': mark})}"
    )


def _list_buttons(shopify: ShopifySimulator) -> dict[str, Callable[[str], Any]]:
    return {"install": shopify.open_shop, "uninstall": shopify.uninstall, "expire_tokens": shopify.expire_tokens}


def make_admin(shopify: ShopifySimulator) -> WSGIApplication:
    """The WSGI application for people."""
    app = Flask("admin", template_folder=str(_PAGES))
    buttons = _list_buttons(shopify)

    def find(shop: str) -> str:
        return shop if shop in shopify.shops else abort(404)

    @app.get("/")
    def list_shops() -> str:
        links = "".join(f'<p><a href="/{shop}/admin">{shop}</a></p>' for shop in shopify.shops)
        return f"<!doctype html><title>Shops</title>{links}"

    @app.get("/<shop>/admin")
    def show_admin(shop: str) -> str:
        path = request.args.get("path", "/")
        if not path.startswith("/") or path.startswith("//"):
            abort(400)
        installed = shopify.shops[find(shop)].installed
        offered = [("uninstall", "Remove the app"), ("expire_tokens", "Let its tokens end")]
        return render_template(
            "admin.html",
            shop=shop,
            shops=list(shopify.shops),
            here=f"/{shop}/admin",
            installed=installed,
            frame=make_frame_address(shopify, shop, path),
            app_origin="{0.scheme}://{0.netloc}".format(urlsplit(shopify.app_url or "")),
            buttons=offered if installed else [("install", "Install Returnbridge")],
        )

    @app.post("/<shop>/admin/id_token")
    def issue_id_token(shop: str) -> Response:
        return jsonify(id_token=make_id_token(shopify, find(shop), seconds=shopify.id_token_seconds))

    @app.get("/<shop>/admin/scopes")
    def tell_scopes(shop: str) -> Response:
        return jsonify(granted=list(shopify.shops[find(shop)].scopes), required=[], optional=[])

    @app.post("/<shop>/admin/press/<button>")
    def press(shop: str, button: str) -> Redirect:
        buttons.get(button, lambda _: abort(404))(find(shop))
        return redirect(f"/{shop}/admin", code=303)

    @app.get("/shopifycloud/<path:name>")
    def serve_script(name: str) -> Response:
        return send_from_directory(_CDN, name, mimetype="text/javascript")

    return app.wsgi_app


def in_front(people: WSGIApplication, api: WSGIApplication) -> WSGIApplication:
    """One address for both."""

    def choose(environ: Any, start_response: Any) -> Any:
        return (people if is_for_people(environ.get("PATH_INFO", "")) else api)(environ, start_response)

    return choose
