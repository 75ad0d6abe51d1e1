"""What the tests of installation and tokens do beside the stage: the app is opened, tokens end or go."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now
from core.flows.tenants import find_shop
from core.models import Shop
from shopify_app import queries
from shopify_app.client import AdminClient
from tests.flows.stage import Stage

OTHER = "second-shop.myshopify.com"


class Asked:
    """Counts what the token endpoint is asked, by grant type."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch):
        self.grants: list[str] = []
        answer = stage.sandbox.shopify.oauth.answer

        def count(domain: str, asked: dict[str, Any]) -> Any:
            self.grants.append(asked["grant_type"].rpartition(":")[2])
            return answer(domain, asked)

        patch.setattr(stage.sandbox.shopify.oauth, "answer", count)


def visit(stage: Stage, domain: str = OTHER, **claims: Any) -> int:
    """Somebody opens the app."""
    token = stage.sandbox.shopify.id_token(domain, **claims)
    return stage.app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code


def load(stage: Stage, domain: str = OTHER) -> Shop:
    with stage.runtime.database.read() as session:
        shop = find_shop(session, domain)
        assert shop is not None
        return shop


def change(stage: Stage, domain: str = OTHER, **values: Any) -> None:
    with stage.runtime.database.write() as session:
        session.execute(update(Shop).where(Shop.domain == domain).values(values))


def call(stage: Stage, domain: str = OTHER) -> dict[str, Any]:
    return AdminClient(stage.runtime).query(load(stage, domain).id, queries.READ_APP)


def end_soon(stage: Stage, seconds: float = -1) -> None:
    """The access token has this long to live, here and at Shopify."""
    change(stage, access_expires_at=db_now(seconds))
    if seconds <= 0:
        stage.sandbox.shopify.expire_tokens(OTHER)


def revoke(stage: Stage, domain: str = OTHER) -> None:
    """Shopify forgets the access tokens of a shop, and nobody is told."""
    tokens = stage.sandbox.shopify.tokens
    for value in [one.value for one in tokens.values() if one.shop == domain]:
        del tokens[value]


def remove_silently(stage: Stage, domain: str = OTHER) -> None:
    """The app is removed, and the webhook is lost."""
    stage.sandbox.shopify.delivery.lose_next(1, "app/uninstalled")
    stage.sandbox.shopify.uninstall(domain)
