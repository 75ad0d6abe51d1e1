"""The outside world as one process: Shopify, OMS and a partner that count, and everybody who sends to the product.

`python -m tests.crash.outside PLAN.json`; it is asked at /progress, calmed at /calm, and tells all at /dump.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.crash.increff import Oms, Partner
from tests.crash.mischief import READ_BACK, Mischief
from tests.crash.parent import die_with_parent
from tests.crash.shopify import HOLD, Order, Shopify
from tests.crash.stories import MIX, Story, make_order, make_seller_cancellation, play, write_story
from tests.crash.wire import Answer, Request, call, serve

GIVE_UP_SECONDS = 5.0  # what Shopify waits for an answer
_SELLER_SECONDS = 15.0
FIRST_CANCEL = 9_000_000


class Outside:
    """`accepted`: webhook id or a push's mark -> how often it got its 2xx."""

    def __init__(self, plan: dict[str, Any]):
        self.plan = plan
        self.chance = random.Random(plan["seed"])
        self.mischief = Mischief(plan["seed"] + 1, plan.get("rates"), plan.get("special", {}))
        self.shopify = Shopify(self.emit, self._run_later)
        self.oms, self.partner = Oms(), Partner()
        self.accepted: Counter[str] = Counter()
        self.sent: dict[str, dict[str, Any]] = {}
        self.stories: list[Story] = []
        self.refused: dict[int, str] = {}  # seller cancellations the product refused, in its words
        self.answers: Counter[str] = Counter()
        self.launching, self.open = plan["rate"] > 0, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._journal = Path(plan["journal"]).open("a", buffering=1)  # noqa: SIM115 - open for the process's life

    def _run_later(self, seconds: float, act: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # receiving

    async def respond(self, request: Request) -> Answer:
        """Any call the product makes, and those of the run's own control."""
        if request.path.startswith("/oms/"):
            return await self._treat(self.oms.name_call(request), request, self.oms, reads=self.oms.is_read(request))
        if request.path.startswith("/partner/"):
            return await self._treat("partner", request, self.partner, reads=False)
        if request.path.endswith("/graphql.json"):
            name = self.shopify.name_operation(request)
            reads = self.shopify.is_read(request)
            name = READ_BACK if reads and self.shopify.is_read_back(request) else name
            return await self._treat(name, request, self.shopify, reads=reads)
        return self._control(request)

    async def _treat(self, operation: str, request: Request, far: Any, *, reads: bool) -> Answer:
        def act() -> Any:
            if not reads:
                self._note(operation, request)
            return far.execute(request)

        return await self.mischief.treat(operation, act, reads=reads, throttled=far.throttled)

    def _note(self, operation: str, request: Request) -> None:
        said = request.json()
        about = said.get("variables", {k: v for k, v in said.items() if isinstance(v, str | bool)})
        row = [round(time.time(), 3), operation, request.path, about, request.headers.get("idempotency-key")]
        self._journal.write(json.dumps(row) + "\n")

    def _control(self, request: Request) -> Answer:
        if request.path == "/calm":
            self.launching, self.mischief.calm = False, True
        if request.path == "/pace":
            self.plan["rate"] = float(request.query["rate"])
        if request.path == "/more":
            self.plan["events"] = int(request.query["events"])
        if request.path == "/dump":
            return 200, self.dump()
        progress = {"accepted": self._count(), "stories": len(self.stories), "open": self.open}
        return 200, {**progress, "launching": self.launching}

    def dump(self) -> dict[str, Any]:
        """Everything the checker needs."""
        return {
            "accepted": dict(self.accepted),
            "sent": self.sent,
            "by_return": self._list_forwarded(),
            "stories": [asdict(story) for story in self.stories],
            "orders": {str(key): asdict(one) for key, one in self.shopify.orders.items()},
            "oms_orders": {key: asdict(one) for key, one in self.oms.orders.items()},
            "oms_returns": {key: asdict(one) for key, one in self.oms.returns.items()},
            "out_of_order": self.oms.out_of_order,
            "messages": self.partner.messages,
            "refused": self.refused,
            "mischief": dict(self.mischief.counts),
            "answers": dict(self.answers),
        }

    def _list_forwarded(self) -> dict[str, list[str]]:
        """Return code -> marks of the pushes that partners are to get as they came."""
        forwarded: dict[str, list[str]] = {}
        for mark, one in self.sent.items():
            if one["topic"] in ("/rms/return-orders", "/rms/notifications"):
                forwarded.setdefault(one["about"], []).append(mark)
        return forwarded

    # sending

    def emit(self, shop: str, topics: list[str], payload: dict[str, Any]) -> None:
        """One change in Shopify: a delivery for each topic, all under one event id; some doubled, all in any order."""
        event_id = str(uuid.UUID(int=self.chance.getrandbits(128)))
        for topic in topics:
            self._emit_one(shop, topic, event_id, payload)
        if self.chance.random() < 0.06:  # nobody asked for it: its end is an outcome too
            self._emit_one(shop, "products/update", event_id, {"id": 1})

    def _emit_one(self, shop: str, topic: str, event_id: str, payload: dict[str, Any]) -> asyncio.Task[None]:
        body = json.dumps(payload).encode()
        mark = str(uuid.UUID(int=self.chance.getrandbits(128)))
        signature = hmac.digest(self.plan["secret"].encode(), body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": shop,
            "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode(),
            "X-Shopify-Webhook-Id": mark,
            "X-Shopify-Event-Id": event_id,
        }
        self.sent[mark] = {"source": "shopify", "topic": topic, "about": payload["id"]}
        return self._send(mark, "POST", "/webhooks/shopify", headers, body)

    def _send(self, mark: str, method: str, path: str, headers: dict[str, str], body: bytes) -> asyncio.Task[None]:
        for _ in range(2 if self.chance.random() < self.plan.get("duplicates", 0.3) else 1):
            task = asyncio.ensure_future(self._insist(mark, method, path, headers, body, self.chance.uniform(0, 0.5)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    async def _insist(
        self, mark: str, method: str, path: str, headers: dict[str, str], body: bytes, wait: float
    ) -> None:
        """Send until it is accepted, as Shopify and RMS do, but sooner; a busy machine is not asked ever more."""
        self.open += 1
        try:
            while True:
                await asyncio.sleep(wait)
                answer = await call(self.chance.choice(self.plan["webs"]), method, path, headers, body, GIVE_UP_SECONDS)
                self.answers[str(answer[0] if answer else "none")] += 1
                if answer and 200 <= answer[0] < 300:
                    self.accepted[mark] += 1
                    return
                wait = min(6.0, 1.5 * wait + self.chance.uniform(0.1, 0.4))
        finally:
            self.open -= 1

    async def create_order(self, story: Story) -> None:
        """The customer's replacement order."""
        self.shopify.create(make_order(story, self.plan["shops"][story.shop]["domain"]))

    async def push(self, story: Story, path: str, body: dict[str, Any], once: bool = False) -> None:
        """A push by RMS; it names no delivery, so each carries a mark of ours in a field nobody knows."""
        mark = str(uuid.UUID(int=self.chance.getrandbits(128)))
        content = json.dumps({**body, "mark": mark}).encode()
        self.sent[mark] = {"source": "rms", "topic": path, "about": story.return_code}
        if once:
            await self._insist(mark, "POST", path, self._head(story), content, 0)
        else:
            self._send(mark, "POST", path, self._head(story), content)

    def _head(self, story: Story) -> dict[str, str]:
        shop = self.plan["shops"][story.shop]
        credential = {"authUsername": shop["username"], "authPassword": shop["password"]}
        return {"Content-Type": "application/json", **credential}

    def knows(self, story: Story) -> bool:
        """OMS has the order."""
        return str(story.order_id) in self.oms.orders

    def is_held(self, story: Story) -> bool:
        """It has the hold tag in Shopify."""
        order = self.shopify.orders.get(story.order_id)
        return order is not None and HOLD in order.tags

    @contextmanager
    def stay_open(self) -> Iterator[None]:
        """Calm does not come before this has ended."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def cancel_as_seller(self, story: Story) -> None:
        """OMS cancels a line of an order that it has, and repeats the call until it is told how it went."""
        while not self.knows(story):
            await asyncio.sleep(0.2)
        body = make_seller_cancellation(story)
        line = body["orderItems"][0]["orderItemCode"]
        self.oms.orders[str(story.order_id)].cancelled[line] = 1
        content = json.dumps(body).encode()
        self.open += 1
        while True:
            port = self.chance.choice(self.plan["webs"])
            answer = await call(port, "PUT", "/oms/seller-cancellations", self._head(story), content, _SELLER_SECONDS)
            if answer and answer[0] == 200:
                said = json.loads(answer[1])
                self.refused |= {story.order_id: said["errorMessage"]} if said["hasError"] else {}
                break
            await asyncio.sleep(0.3)
        self.sent[f"seller-{story.order_id}"] = {"source": "oms", "topic": "seller", "about": story.order_id}
        self.open -= 1

    async def seller_heard(self, story: Story) -> None:
        """Wait until the seller's cancel has been answered."""
        while f"seller-{story.order_id}" not in self.sent:
            await asyncio.sleep(0.2)

    async def launch(self) -> None:
        """New stories at the plan's rate, until enough events were accepted."""
        while self.launching:
            if self.plan["rate"] <= 0:
                await asyncio.sleep(0.2)
                continue
            story = write_story(self.chance, len(self.stories), len(self.plan["shops"]), self.plan.get("mix", MIX))
            self.stories.append(story)
            self._start(play(story, self))
            await asyncio.sleep(self.chance.expovariate(self.plan["rate"]))
            self.launching = self.launching and self._count() < self.plan["events"]

    def _count(self) -> int:
        return sum(self.accepted.values())


def make_cancels(outside: Outside, count: int) -> None:
    """Orders that stand and wait to be cancelled, without any story."""
    shops = outside.plan["shops"]
    for number in range(FIRST_CANCEL, FIRST_CANCEL + count):
        outside.shopify.orders[number] = Order(number, shops[number % len(shops)]["domain"], "", [], [])


async def main(plan: dict[str, Any], kind: type[Outside] = Outside) -> None:
    """Serve until killed."""
    outside = kind(plan)
    make_cancels(outside, plan.get("cancels", 0))
    server = await serve(outside.respond, plan["port"])
    launching = asyncio.ensure_future(outside.launch()) if plan["rate"] else None
    async with server:
        await server.serve_forever()
    del launching


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
