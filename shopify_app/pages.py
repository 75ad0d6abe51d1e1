"""The merchant's pages inside Shopify admin. Every route is of one verified shop (`embedding.guard`).

This is their frame: the blueprint, what every template may use, the first page. Each page has a file of its own.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import select

from core.flows.tenants import load_settings
from core.models import BridgeCredential, Endpoint, Shop
from core.runtime import Runtime
from shopify_app import labels, words
from shopify_app.activity_page import add_activity_pages
from shopify_app.embedding import carry_on, current_shop_id, guard
from shopify_app.listings import count_attention, list_findings
from shopify_app.settings_page import add_settings_page


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The pages over a runtime."""
    pages = Blueprint("pages", __name__)
    guard(pages, runtime)
    _offer_words(pages)
    _add_overview(pages, runtime)
    add_settings_page(pages, runtime)
    add_activity_pages(pages, runtime)
    return pages


def _offer_words(pages: Blueprint) -> None:
    filters = {
        "words": words.find_words,
        "tone": words.find_tone,
        "label": words.find_label,
        "shown": words.show_value,
        "retold": words.retell,
    }
    for name, find in filters.items():
        pages.add_app_template_filter(find, name)

    @pages.context_processor
    def offer() -> dict[str, Any]:
        return {
            "carry": carry_on,
            "choices": labels.CHOICES,
            "modes": labels.MODES,
            "section_labels": labels.SECTIONS,
        }


def _add_overview(pages: Blueprint, runtime: Runtime) -> None:
    @pages.get("/")
    def show_overview() -> str:
        shop_id = current_shop_id()
        with runtime.database.read() as session:
            called = select(BridgeCredential.id).where(BridgeCredential.shop_id == shop_id)
            troubled = select(Endpoint).where(Endpoint.shop_id == shop_id, Endpoint.state != "working")
            return render_template(
                "overview.html",
                shop=session.get_one(Shop, shop_id),
                settings=load_settings(session, shop_id),
                has_credential=session.scalars(called.limit(1)).first() is not None,
                findings=list_findings(session, shop_id),
                attention=count_attention(session, shop_id),
                endpoints=list(session.scalars(troubled.order_by(Endpoint.name))),
            )
