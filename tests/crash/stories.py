"""What happens outside: exchanges, each with an order, a return, its verdicts, and now and then a seller's cancel, a
hold that staff lift and put back, or a failed unit that passes after all."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tests.crash.compress import SLACK
from tests.crash.shopify import HOLD, REPLACEMENT, Line, Order

MIX = {"pass": 38, "fail": 22, "mixed": 12, "corrected": 4, "flip": 6, "seller": 6, "rehold": 6, "none": 6}
FIRST_ORDER = 5_000_000
_AWB_DAYS = 1_600_000_000
_CORRECTED = (0.05, 3.0)  # between the verdicts: before, while and after the failed line is cut
_BY_HAND = (0.3, 4.0)  # between what staff do: sooner and later than OMS hears, and than what is unclear has settled
_PATIENCE = 20 * SLACK


@dataclass(frozen=True)
class Story:
    """One exchange. `verdicts` is what QC says, one after another: item code -> PASS or FAIL."""

    kind: str
    shop: int
    order_id: int
    return_code: str
    units: tuple[str, ...]
    verdicts: tuple[dict[str, str], ...]
    tagged: bool  # it comes with the hold tag; else the product must put it on
    hands: tuple[bool, ...] = ()  # what staff make of the hold tag, one after another: on or off


def write_story(chance: random.Random, number: int, shops: int, mix: dict[str, int]) -> Story:
    """The next story."""
    kind = chance.choices(list(mix), list(mix.values()))[0]
    order_id = FIRST_ORDER + number
    count = 2 if kind in ("mixed", "corrected", "seller") else chance.choice((1, 1, 2))
    units = tuple(f"U{order_id}-{position}" for position in range(count))
    verdicts, tagged = _judge(kind, units, chance), chance.random() < 0.7
    hands = _choose_hands(chance, tagged) if kind == "rehold" else ()
    return Story(kind, number % shops, order_id, f"R{order_id}", units, verdicts, tagged, hands)


def _choose_hands(chance: random.Random, tagged: bool) -> tuple[bool, ...]:
    """Lifted and put back; or that and lifted once more; or put on, sooner than we might, and lifted."""
    if not tagged and chance.random() < 0.5:
        return True, False
    return (False, True) if chance.random() < 0.75 else (False, True, False)


def _judge(kind: str, units: tuple[str, ...], chance: random.Random) -> tuple[dict[str, str], ...]:
    if kind == "none" or (kind == "rehold" and chance.random() < 0.5):
        return ()
    if kind in ("mixed", "corrected"):
        mixed = {units[0]: "FAIL", units[1]: "PASS"}
        return (mixed, {units[0]: "PASS"}) if kind == "corrected" else (mixed,)
    if kind == "flip":
        said = ("FAIL", "PASS", "FAIL") if chance.random() < 0.7 else ("FAIL", "PASS")
        return tuple(dict.fromkeys(units, one) for one in said)
    return (dict.fromkeys(units, "FAIL" if kind == "fail" else "PASS"),)


def make_order(story: Story, domain: str) -> Order:
    """The replacement order as Shopify makes it."""
    lines = [
        Line(id=story.order_id * 10 + position, sku=f"SKU-{unit}", quantity=1, current=1, unit=unit)
        for position, unit in enumerate(story.units)
    ]
    tags = [REPLACEMENT, HOLD] if story.tagged else [REPLACEMENT]
    return Order(story.order_id, domain, story.return_code, lines, tags)


def make_return(story: Story) -> dict[str, Any]:
    """A Create Return Order body."""
    items = [{"itemCode": unit, "reason": "Size", "channelSkuCode": f"SKU-{unit}"} for unit in story.units]
    return {
        "forwardOrderCode": f"F{story.order_id}",
        "returnOrderCode": story.return_code,
        "locationCode": "Wid234",
        "orderItems": items,
        "awbNumber": f"AWB{story.order_id}",
        "transporter": "courier",
    }


def make_notification(story: Story, status: str) -> dict[str, Any]:
    """A tracking notification about the return."""
    info = {"returnOrderId": story.return_code, "returnAwb": f"AWB{story.order_id}", "transporter": "courier"}
    return {
        "forwardOrderCode": f"F{story.order_id}",
        "courierName": "courier",
        "notificationType": status,
        "returnOrderInfo": {**info, "returnOrderTime": _AWB_DAYS + story.order_id},
        "items": [{"itemId": unit, "sku": f"SKU-{unit}", "quantity": 1} for unit in story.units],
    }


def make_verdict(story: Story, verdict: dict[str, str]) -> dict[str, Any]:
    """A Returns Processing Update."""
    items = [
        {"itemCode": unit, "channelSkuCode": f"SKU-{unit}", "qcStatus": said}
        | {"qcReason": "DAMAGED" if said == "FAIL" else None, "imageUrls": None}
        for unit, said in verdict.items()
    ]
    return {"returnOrderCode": story.return_code, "forwardOrderCode": f"F{story.order_id}", "orderItems": items}


def make_seller_cancellation(story: Story) -> dict[str, Any]:
    """OMS cannot serve the first line."""
    line = {"channelSkuCode": f"SKU-{story.units[0]}", "orderItemCode": str(story.order_id * 10)}
    items = [{**line, "cancelledQuantity": 1}]
    return {"orderCode": str(story.order_id), "locationCode": "Wid234", "orderItems": items}


async def play(story: Story, outside: Any) -> None:
    """Let it happen. The parts come in any order; only verdicts of one return come one after another."""
    chance: random.Random = outside.chance
    tracking = "/rms/notifications"
    parts = [
        _later(chance.uniform(0, 1.2), outside.create_order, story),
        _later(chance.uniform(0, 1.5), outside.push, story, "/rms/return-orders", make_return(story)),
        _later(chance.uniform(0.2, 2.5), outside.push, story, tracking, make_notification(story, "PICKED_UP")),
        _later(chance.uniform(0.4, 3.0), outside.push, story, tracking, make_notification(story, "DELIVERED")),
        _use_hands(story, outside) if story.hands else _later(chance.uniform(0.5, 4.0), _tell_verdicts, story, outside),
    ]
    if story.kind == "seller":
        parts.append(_later(0.5, outside.cancel_as_seller, story))
    # calm must not come between two words of the same story
    with outside.stay_open() if story.kind in ("rehold", "corrected") else nullcontext():
        await asyncio.gather(*parts)


async def _later(seconds: float, act: Any, *given: Any) -> None:
    await asyncio.sleep(seconds)
    await act(*given)


async def _use_hands(story: Story, outside: Any) -> None:
    """Staff change the hold, in most stories of an order that OMS has; only then QC speaks."""
    chance: random.Random = outside.chance
    await asyncio.sleep(chance.uniform(0, 0.3) if story.hands[0] else chance.uniform(0.3, 2.5))
    await _until(lambda: story.order_id in outside.shopify.orders)
    for number, held in enumerate(story.hands):
        if number:
            await asyncio.sleep(chance.uniform(*_BY_HAND))
        elif not held:
            await _until(lambda: outside.is_held(story))
            if chance.random() < 0.8:
                await _until(lambda: outside.knows(story))
        outside.shopify.change_by_hand(story.order_id, held)
    await asyncio.sleep(chance.uniform(0, 1))
    await _tell_verdicts(story, outside)


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait for it, but not for ever: what hangs is found by others."""
    began = time.monotonic()
    while not is_so() and time.monotonic() - began < _PATIENCE:
        await asyncio.sleep(0.05)


async def _tell_verdicts(story: Story, outside: Any) -> None:
    if story.kind == "seller":
        await outside.seller_heard(story)
    once = len(story.verdicts) > 1
    for verdict in story.verdicts:
        path = "/rms/returns-processing-updates"
        await outside.push(story, path, make_verdict(story, verdict), once=once)
        least, most = _CORRECTED if story.kind == "corrected" else (0, outside.plan.get("pause", 0.6))
        await asyncio.sleep(outside.chance.uniform(least, most) if once else 0)
