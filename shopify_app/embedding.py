"""Pages inside Shopify admin: each request is of one verified shop, and each page may be framed by that shop alone.

A link inside the frame carries no ID token. Such a request is sent over the bounce page, which holds nothing but App
Bridge: that fetches a fresh token and asks for `shopify-reload` again, with the token in a header (shopify.md §1.5).
Only the shop of the token is believed; the `shop` of a query is a hint whom the bounce page may be framed by, no more.
"""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from core.config import Config
from core.db import only_shop
from core.errors import Unauthorized
from core.runtime import Runtime
from shopify_app.auth import Visitor, read_shop, verify_id_token
from shopify_app.tokens import TokenKeeper

logger = logging.getLogger(__name__)

BOUNCE_PATH = "/auth/patch-id-token"
RELOAD = "shopify-reload"
_BEARER = "Bearer "
# what a link inside the frame has to carry on, and the form of each
_CARRIED = {
    "host": re.compile(r"[A-Za-z0-9_+/=-]{1,255}"),
    "embedded": re.compile("1"),
    "locale": re.compile(r"[A-Za-z0-9-]{2,12}"),
}
_ONCE = {"id_token", "hmac", "timestamp", "session", RELOAD}  # of one load: never in a link of ours
_ROOT_RELATIVE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,4000}")  # printable ASCII without a backslash


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The bounce page."""
    pages = Blueprint("embedding", __name__)

    @pages.get(BOUNCE_PATH)
    def bounce() -> Response:
        shop, target = read_shop(request.args.get("shop")), request.args.get(RELOAD, "")
        if shop is None or not is_root_relative(target):
            return _show_outside(400)
        return _frame(runtime.config, make_response(render_template("bounce.html", **_head(runtime.config))), shop)

    return pages


def guard(pages: Blueprint, runtime: Runtime) -> None:
    """Give every route of a blueprint a verified shop, `current_visitor()` and `current_shop_id()`; refuse the rest."""
    keeper = TokenKeeper(runtime)

    @pages.before_request
    def verify() -> AnyResponse | None:
        try:
            visitor = verify_id_token(runtime.config, _read_token())
            g.shop_id, g.visitor = keeper.admit(visitor), visitor
            logger.info("staff %s of shop %s: %s %s", visitor.user, g.shop_id, request.method, request.url_rule)
            g.scope = ExitStack()
            g.scope.enter_context(only_shop(g.shop_id))
        except Unauthorized:
            if _is_document():
                return _bounce()
            raise
        return None

    @pages.teardown_request
    def leave(_error: BaseException | None) -> None:
        scope: ExitStack | None = g.pop("scope", None)
        if scope is not None:
            scope.close()

    @pages.after_request
    def frame(response: Response) -> Response:
        if response.status_code == 401:
            response.headers["X-Shopify-Retry-Invalid-Session-Request"] = "1"
        visitor: Visitor | None = g.get("visitor")
        return _frame(runtime.config, response, visitor.domain if visitor else None)

    @pages.app_context_processor
    def offer() -> dict[str, Any]:
        visitor: Visitor | None = g.get("visitor")
        return {"link_to": link_to, "shop_domain": visitor.domain if visitor else "", **_head(runtime.config)}


def current_visitor() -> Visitor:
    """Who asked, in a guarded route."""
    visitor: Visitor = g.visitor
    return visitor


def current_shop_id() -> int:
    """The id of the verified shop, in a guarded route."""
    shop_id: int = g.shop_id
    return shop_id


def link_to(endpoint: str, **values: Any) -> str:
    """A link that stays inside the frame: `url_for`, with what the bounce page needs later. For redirects too."""
    return url_for(endpoint, **{**carry_on(), **values})


def frame_ancestors(config: Config, domain: str | None) -> str:
    """The `frame-ancestors` directive: this shop's admin and nobody else's; nobody's without a shop.

    Where SHOPIFY_ADMIN_URL names a stand-in, its origin takes the place of the shop's.
    """
    if domain is None:
        return "frame-ancestors 'none'"
    admin = urlsplit(config.shopify_admin_url.format(shop=domain))
    return f"frame-ancestors {admin.scheme}://{admin.netloc} https://admin.shopify.com"


def is_root_relative(target: str) -> bool:
    """True for a path of our own: a browser can not take it for another host, nor for this very page."""
    return bool(_ROOT_RELATIVE.fullmatch(target)) and not target.startswith(BOUNCE_PATH)


def _read_token() -> str | None:
    """From the header; a mere look may bring it in its query, as the first load in the frame does."""
    header = request.headers.get("Authorization", "")
    if header.startswith(_BEARER):
        return header.removeprefix(_BEARER)
    return request.args.get("id_token") if request.method in ("GET", "HEAD") else None


def _is_document() -> bool:
    """True for a browser that opens a page. App Bridge's own requests carry the header and can be repeated by it."""
    if request.method not in ("GET", "HEAD") or "Authorization" in request.headers:
        return False
    fetched_for = request.headers.get("Sec-Fetch-Dest")
    return fetched_for in ("document", "iframe") if fetched_for else "text/html" in request.headers.get("Accept", "")


def _bounce() -> AnyResponse:
    shop = read_shop(request.args.get("shop"))
    if shop is None:
        return _show_outside(401)
    kept = urlencode([(name, value) for name, value in request.args.items(multi=True) if name not in _ONCE])
    target = "/" + quote(request.path.lstrip("/\\")) + (f"?{kept}" if kept else "")
    return redirect(f"{BOUNCE_PATH}?{urlencode({**carry_on(shop), RELOAD: target})}")


def carry_on(shop: str | None = None) -> dict[str, str]:
    """What a link, or a form that is sent with GET, carries on: the shop and Shopify's own parameters.

    The shop is the verified one, where there is one.
    """
    visitor: Visitor | None = g.get("visitor")
    domain = visitor.domain if visitor else shop
    given = {name: request.args.get(name, "") for name in _CARRIED}
    kept = {name: value for name, value in given.items() if _CARRIED[name].fullmatch(value)}
    return {**({"shop": domain} if domain else {}), **kept}


def _show_outside(status: int) -> Response:
    """For who opens the app's address by itself: without a shop there is no frame, and nothing to show."""
    page = make_response(render_template("outside.html"), status)
    page.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    return page


def _head(config: Config) -> dict[str, str]:
    return {"api_key": config.shopify_api_key, "cdn_url": config.shopify_cdn_url}


def _frame(config: Config, response: Response, domain: str | None) -> Response:
    response.headers["Content-Security-Policy"] = frame_ancestors(config, domain)
    response.headers["Cache-Control"] = "no-store"  # it is one shop's, and its address may hold a token
    if domain and response.mimetype == "text/html":
        cdn = config.shopify_cdn_url
        scripts = [f'<{cdn}/shopifycloud/{name}.js>; rel="preload"; as="script"' for name in ("app-bridge", "polaris")]
        response.headers["Link"] = ", ".join([f'<{cdn}>; rel="preconnect"', *scripts])
    return response
