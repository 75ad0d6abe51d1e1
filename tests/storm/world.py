"""The outside world of a storm: an OMS for each shop that notes every call, exchanges on request, floods of updates.

`python -m tests.storm.world PLAN.json`, as `tests.crash.outside`, and asked in the same way.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import traceback
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.crash.outside import Outside, main
from tests.crash.parent import die_with_parent
from tests.crash.shopify import Line, Order, render_payload, stamp
from tests.crash.stories import FIRST_ORDER, Story, make_return, make_verdict
from tests.crash.wire import Answer, Request

_OMS = re.compile(r"/oms-(\d+)(/.*)")
_OF_NO_CONCERN = 7_000_000  # orders that are no exchanges
_AT_ONCE = 40  # webhooks that are under way


class World(Outside):
    """`calls`: when, to which shop's OMS, what. `latencies`: verdict pushed to unhold heard, in seconds, by label."""

    def __init__(self, plan: dict[str, Any]):
        super().__init__(plan)
        self.calls: list[tuple[float, int, str]] = []
        self.reads: Counter[str] = Counter()
        self.down: set[int] = set()
        self.waiting: dict[int, list[Story]] = defaultdict(list)  # shop -> exchanges on hold, without a verdict
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.troubles: list[str] = []  # faults of this world itself
        self.busy = 0  # what was asked for and has not ended

    async def respond(self, request: Request) -> Answer:
        found = _OMS.fullmatch(request.target)
        if found:
            return self._hear(int(found[1]), replace(request, target="/oms" + found[2]))
        if request.path.endswith("/graphql.json"):
            self.reads[self.shopify.name_operation(request)] += 1
        return await super().respond(request)

    def _hear(self, shop: int, request: Request) -> Answer:
        what = request.path.rpartition("/")[2]
        self.calls.append((time.time(), shop, "hold or unhold" if what.isdecimal() else what))
        if shop not in self.down:
            return self.oms.execute(request)
        # nothing is done while it is down: a gateway says so, or the connection ends
        return None if len(self.calls) % 2 else (503, {"message": "down"})

    def _control(self, request: Request) -> Answer:
        asked, given = (
            request.path[1:],
            {name: float(value) for name, value in request.query.items() if name != "label"},
        )
        shop = int(given.get("shop", 0))
        if asked in ("down", "up"):
            (self.down.add if asked == "down" else self.down.discard)(shop)
        if asked == "prepare":
            self._begin(self._prepare(shop, int(given["count"])))
        if asked == "decide":
            self._begin(self._decide(shop, int(given["count"]), given["every"], request.query["label"]))
        if asked == "flood":
            self._begin(self._flood(shop, int(given["count"])))
        if asked == "told":
            waiting = {key: len(stories) for key, stories in self.waiting.items()}
            told = {"reads": self.reads, "latencies": self.latencies, "troubles": self.troubles}
            return 200, {**told, "busy": self.busy, "waiting": waiting}
        if asked == "calls":
            return 200, self.calls
        return super()._control(request)

    def _begin(self, work: Any) -> None:
        async def count() -> None:
            self.busy += 1
            try:
                await work
            except Exception:  # noqa: BLE001 - told to who asks next
                self.troubles.append(traceback.format_exc())
            self.busy -= 1

        self._start(count())

    def _send(self, mark: str, method: str, path: str, headers: dict[str, str], body: bytes) -> asyncio.Task[None]:
        """At once, not doubled, and with Shopify's own time of what happened."""
        headers = {**headers, "X-Shopify-Triggered-At": datetime.now(UTC).isoformat()}
        task = asyncio.ensure_future(self._insist(mark, method, path, headers, body, 0))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _prepare(self, shop: int, count: int) -> None:
        """Exchanges up to where OMS has the order, on hold, and expects the return."""
        for _ in range(count):
            number = FIRST_ORDER + len(self.stories)
            unit = (f"U{number}-0",)
            story = Story("pass", shop, number, f"R{number}", unit, (dict.fromkeys(unit, "PASS"),), tagged=True)
            self.stories.append(story)
            await self.create_order(story)
            await self.push(story, "/rms/return-orders", make_return(story))
            await _until(lambda: str(number) in self.oms.orders and f"R{number}" in self.oms.returns)  # noqa: B023
            self.waiting[shop].append(story)

    async def _decide(self, shop: int, count: int, every: float, label: str) -> None:
        """So many verdicts, one every so many seconds; each is waited for until OMS has heard the unhold."""
        stories = [self.waiting[shop].pop(0) for _ in range(count)]
        tasks = []
        for story in stories:
            tasks.append(asyncio.ensure_future(self._decide_one(story, label)))
            await asyncio.sleep(every)
        await asyncio.gather(*tasks)

    async def _decide_one(self, story: Story, label: str) -> None:
        began = time.monotonic()
        await self.push(story, "/rms/returns-processing-updates", make_verdict(story, story.verdicts[0]), once=True)
        await _until(lambda: "unhold" in self.oms.orders[str(story.order_id)].heard)
        self.latencies[label].append(time.monotonic() - began)

    async def _flood(self, shop: int, count: int) -> None:
        """Order updates that change nothing that matters: four fifths of strangers, the others of exchanges on hold."""
        domain = self.plan["shops"][shop]["domain"]
        strangers = [self._make_stranger(number, domain) for number in range(count // 5)]
        held = [self.shopify.orders[story.order_id] for story in self.waiting[shop]]
        free = asyncio.Semaphore(_AT_ONCE)

        async def tell(order: Order) -> None:
            async with free:
                order.updated = stamp()
                await self._emit_one(order.shop, "orders/updated", f"flood-{order.id}", render_payload(order))

        of_held, of_strangers = cycle(held or strangers), cycle(strangers)
        orders = [next(of_strangers if number % 5 else of_held) for number in range(count)]
        await asyncio.gather(*(tell(order) for order in orders))

    def _make_stranger(self, number: int, domain: str) -> Order:
        key = _OF_NO_CONCERN + number
        order = Order(key, domain, "", [Line(key * 10, f"SKU-{key}", 1, 1, "")], [])
        self.shopify.orders[key] = order
        return order


async def _until(is_so: Any) -> None:
    while not is_so():
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), World))
