"""The merchant's pages inside Shopify admin. Every route is of one verified shop (`embedding.guard`)."""

from __future__ import annotations

from flask import Blueprint, render_template

from core.models import Shop
from core.runtime import Runtime
from shopify_app.embedding import current_shop_id, guard


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The pages over a runtime."""
    pages = Blueprint("pages", __name__)
    guard(pages, runtime)

    @pages.get("/")
    def show_overview() -> str:
        with runtime.database.read() as session:
            shop = session.get_one(Shop, current_shop_id())
        return render_template("overview.html", shop=shop)

    return pages
