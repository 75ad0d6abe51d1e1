"""Thinking again without news: right before an act is begun, and about every open exchange once settings were saved.

What an order, a return or a verdict changes is thought about when it comes; only the settings change without an event.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.domain.effects import (
    SHOPIFY_CANCEL_LINES,
    SHOPIFY_CANCEL_ORDER,
    SHOPIFY_HOLD_ORDER,
    SHOPIFY_RELEASE_ORDER,
    SHOPIFY_TAG_ORDER,
)
from core.domain.exchange import SETTLED
from core.flows.orders import follow_exchange, load_order, tell_oms
from core.flows.scene import Scene
from core.flows.tenants import RULES, ask_rethink, load_settings
from core.models import Exchange
from core.reading import read_object
from core.registry import Delivery, Outcome, handled
from core.runtime import Runtime

_ACTS = (
    SHOPIFY_TAG_ORDER,
    SHOPIFY_CANCEL_LINES,
    SHOPIFY_CANCEL_ORDER,
    SHOPIFY_HOLD_ORDER,
    SHOPIFY_RELEASE_ORDER,
)
BATCH = 100  # exchanges thought about in one transaction


def rethink_order(scene: Scene, order_id: int) -> bool:
    """Let an order's exchange, and what OMS is to know, follow the newest state and settings. True when it moved."""
    order = load_order(scene.session, scene.shop_id, order_id)
    if order is None:
        return False
    moved = follow_exchange(scene, order)
    tell_oms(scene, order)
    return moved


def rethink_before_act(session: Session, shop_id: int, about: str) -> None:
    """Right before an effect on an order is begun: what is no longer wanted is superseded by this."""
    rethink_order(Scene(session, shop_id, load_settings(session, shop_id)), int(about))


class RulesHandler:
    """The settings were saved: open exchanges are thought about anew, some at a time."""

    def __init__(self, keyring: Keyring):
        self._keyring = keyring

    def read(self, delivery: Delivery) -> tuple[int, int]:
        """The version that was saved, and the exchange after which to go on."""
        body = read_object(delivery.body)
        return int(body["version"]), int(body["after"])

    def apply(self, session: Session, delivery: Delivery, facts: tuple[int, int]) -> Outcome:
        """Some of them; the rest is another event."""
        version, after = facts
        scene = Scene(session, delivery.shop_id, load_settings(session, delivery.shop_id), delivery.id)
        query = select(Exchange.id, Exchange.order_id).where(
            Exchange.shop_id == delivery.shop_id, Exchange.id > after, Exchange.state.not_in(SETTLED)
        )
        found = session.execute(query.order_by(Exchange.id).limit(BATCH)).all()
        moved = sum(rethink_order(scene, row.order_id) for row in found)
        if len(found) == BATCH:
            ask_rethink(session, self._keyring, delivery.shop_id, version, found[-1].id)
        return handled(f"settings {version}: {len(found)} open exchange(s) thought about anew, {moved} moved")


def register_rethinking(runtime: Runtime) -> None:
    """Enter the handler, and the last thought before each act on an exchange."""
    runtime.registry.handlers[RULES] = RulesHandler(runtime.keyring)
    for kind in _ACTS:
        runtime.registry.rethinkers[kind.name] = rethink_before_act
