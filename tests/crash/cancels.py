"""Cancels whose answers are lost: the far side may have refunded or not, and nobody said which."""

from __future__ import annotations

from sqlalchemy import select

from core.db import Database, lock_row
from core.domain.effects import SHOPIFY_CANCEL_ORDER
from core.models import Shop
from core.relay.outbox import Wanted, want
from tests.crash.checks import Verdict
from tests.crash.evidence import Evidence
from tests.crash.house import House
from tests.crash.outside import FIRST_CANCEL

# of each orderCancel: done and never answered, never done nor answered, done after the product has hung up
UNCLEAR = {"CancelOrder": {"lost": 0.4, "dropped": 0.2, "late": 0.05}}
_BATCH = 100


def want_cancels(house: House) -> None:
    """Want every waiting order cancelled, with a refund."""
    params = {"reason": "OTHER", "restock": True, "refund": "original", "notify_customer": False, "held_by": None}
    database = Database(house.url)
    with database.read() as session:
        shops = list(session.scalars(select(Shop.id).order_by(Shop.id)))
    numbers = range(FIRST_CANCEL, FIRST_CANCEL + house.scale.cancels)
    for start in range(0, len(numbers), _BATCH):
        with database.write() as session:
            for order_id in numbers[start : start + _BATCH]:
                shop_id, about = shops[order_id % len(shops)], str(order_id)
                lock_row(session, Shop.id, shop_id)
                end = {"cancelled": True}
                aspect, lane = f"shopify.fate:{order_id}", f"shopify:{order_id}"
                want(session, shop_id, Wanted(SHOPIFY_CANCEL_ORDER, aspect, about, lane, end, params))
    database.dispose()


def judge_cancels(found: Evidence, verdict: Verdict) -> None:
    """Each was refunded once; or not at all, and a person is shown why."""
    for effect in found.effects:
        if effect.kind != SHOPIFY_CANCEL_ORDER.name or int(effect.about) < FIRST_CANCEL:
            continue
        order = found.told["orders"][effect.about]
        if effect.state == "parked" and effect.reason and order["refunds"] <= 1:
            verdict.visible[effect.reason[:70]] += 1
        elif effect.state != "done" or order["refunds"] != 1:
            verdict.faults["wrong"].append(f"cancel of {effect.about} {effect.state}, {order['refunds']} refunds")
