"""One run: the customer, RMS, staff, people on our pages and the workers, each move of which the laws watch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.domain.orders import OrderSnapshot
from core.errors import Permanent, Throttled
from core.flows import tenants
from core.flows.decisions import decide_exchange
from core.flows.orders import note_order
from core.flows.scene import Scene
from core.registry import Delivery, Outcome
from core.relay import inbox
from core.watch import DeadlineWatch
from shopify_app.client import AdminClient
from shopify_app.reads import read_current
from simulators.rms_bodies import notification_body, return_order_body, verdict_body
from tests.one_by_one import deliver, think
from tests.properties.ground import Ground
from tests.properties.laws import DEADLINE_SECONDS, Laws
from tests.properties.oms_world import Oms, Partners
from tests.properties.oracle import Rules
from tests.properties.shop_world import HOLD, ORDER_ID, REPLACEMENT, STAFF, Line, Shopify

RETURN, FORWARD = "RET-1", "4001"
Said = Mapping[str, tuple[str, str | None]]
_PARTNERS = {"alpha": ["qc"], "beta": ["qc"]}
_SLOW = ("shopify", "test/slow_worker")
_ROUNDS = 400
DEADLINES = {
    "verdict_deadline_days": DEADLINE_SECONDS / 86_400,
    "max_hold_days": 0.1,
}  # about half an hour, and two and a half


@dataclass(frozen=True)
class SlowWorker:
    """Notes an order as a worker read it some time ago: another worker was faster."""

    read_before: dict[str, OrderSnapshot]

    def read(self, delivery: Delivery) -> OrderSnapshot:
        """What it read then."""
        return self.read_before[delivery.body.decode()]

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """As any worker does."""
        settings = tenants.load_settings(session, delivery.shop_id)
        return note_order(Scene(session, delivery.shop_id, settings, delivery.id), facts)


class Play:
    """The world, our house in it, and the laws."""

    def __init__(self, ground: Ground, settings: Mapping[str, Any]):
        ground.clear()
        self.ground = ground
        self.shopify, self.oms, self.partners = Shopify(ground.clock), Oms(), Partners()
        ground.door.systems = {
            "shopify": self.shopify.answer,
            "oms": self.oms.answer,
            "partner": self.partners.answer,
        }
        self._numbers = itertools.count(1)
        self._slow: dict[str, OrderSnapshot] = {}  # in the order in which they read
        ground.runtime.registry.handlers[_SLOW] = SlowWorker(self._slow)
        self.settings: dict[str, Any] = {}
        self.always_app = True
        self.laws = Laws(self)
        self.oms.on_unhold = self.laws.check_unhold
        self.configure(settings)

    # Settings and time.

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Save settings; `changes` are flat: actor, wait_for, on_fail, on_mixed, on_deadline, cooling, …"""
        self.settings |= changes
        self.always_app = self.always_app and self.settings["actor"] == "app"
        now = self.settings
        qc = {name: now[name] for name in ("actor", "wait_for", "on_fail", "on_mixed", "on_deadline")} | DEADLINES
        document = {
            "mode": "live",
            "exchange": {"release_tag": now["release_tag"], "fulfillment_hold": now["binding"]},
            "qc": {**qc, "reasons": {"IRON": "pass", "ODD": "review"}},
            "cancel": {"cooling_off_minutes": now["cooling"]},
            "oms": {
                "base_url": "https://oms",
                "auth_username": "u",
                "auth_password": "p",
                "default_location": "Wid234",
            },
            "partners": [
                {"name": name, "kind": "generic", "url": f"https://partner/{name}", "events": events}
                for name, events in _PARTNERS.items()
            ],
        }
        self.ground.configure(document)

    @property
    def rules(self) -> Rules:
        """The settings in force, in the oracle's words."""
        now = self.settings
        return Rules(now["wait_for"], now["on_fail"], now["on_mixed"], {"IRON": "pass", "ODD": "review"})

    def pass_time(self, seconds: float) -> None:
        """Time passes, and Shopify goes on with what it was asked."""
        self.ground.clock.now += seconds
        self.shopify.follow_job()

    # What comes in.

    def record(self, source: str, topic: str, body: bytes, priority: int = inbox.NORMAL) -> None:
        """A door stores a delivery."""
        runtime = self.ground.runtime
        with runtime.database.write() as session:
            inbox.record_event(
                session,
                runtime.keyring,
                shop_id=self.ground.shop_id,
                source=source,
                topic=topic,
                delivery_id=str(next(self._numbers)),
                body=body,
                priority=priority,
            )

    def create_order(self, lines: Sequence[Line], *, held: bool, named: bool = True) -> None:
        """The customer gets a replacement order."""
        self.shopify.create([REPLACEMENT, *([HOLD] if held else [])], list(lines), RETURN if named else "")

    def bring_webhook(self, index: int) -> None:
        """Shopify delivers one of all the webhooks it has ever caused, in any order, as often as it likes."""
        topic, body = self.shopify.webhooks[index % len(self.shopify.webhooks)]
        self.record("shopify", topic, body)

    def push_return(self, units: Sequence[str], reason: str = "Size") -> None:
        """RMS pushes the whole return."""
        items = [{"itemCode": unit, "sku": f"OLD-{unit}", "reason": reason} for unit in units]
        fixed = {"returnOrderTime": "2026-09-21T10:00:00Z", "expectedDate": "2026-09-25T10:00:00Z"}
        body = return_order_body(RETURN, FORWARD, items, (), **fixed)
        body["orderDetails"]["invoiceTime"] = "2026-09-20T10:00:00Z"
        self.record("rms", "return_order", json.dumps(body).encode())

    def notify(self, status: str, units: Sequence[str]) -> None:
        """RMS tells where the parcel is."""
        items = [{"itemId": unit, "sku": f"OLD-{unit}", "quantity": 1} for unit in units]
        at = int(self.ground.clock.now)
        body = notification_body(RETURN, FORWARD, status, items, None, notificationUpdateTime=at, warehouseCode=None)
        body["returnOrderInfo"]["returnOrderTime"] = at
        self.record("rms", "notification", json.dumps(body).encode())

    def judge(self, said: Said) -> None:
        """RMS reports verdicts."""
        listed = [
            {"itemCode": unit, "sku": f"OLD-{unit}", "status": verdict, "reason": reason}
            for unit, (verdict, reason) in said.items()
        ]
        body = verdict_body(RETURN, FORWARD, listed)
        self.record("rms", "processing_update", json.dumps(body).encode(), inbox.FIRST)

    def be_slow(self) -> None:
        """A worker reads the order, and will note it only later; Shopify may be left alone just now."""
        name = f"slow-{next(self._numbers)}"
        runtime, shop_id = self.ground.runtime, self.ground.shop_id
        try:
            order = read_current(runtime, AdminClient(runtime), shop_id, ORDER_ID, self._exchange_rules())
        except Throttled:
            return
        assert order is not None
        self._slow[name] = replace(order, known_version=None)

    def _exchange_rules(self) -> Any:
        with self.ground.runtime.database.read() as session:
            return tenants.load_settings(session, self.ground.shop_id).exchange

    def note_slowly(self, index: int) -> None:
        """That worker comes round to it."""
        names = list(self._slow)
        if names:
            self.record(*_SLOW, names[index % len(names)].encode())

    # What we do.

    def think(self) -> bool:
        """One event is thought about."""
        if not self._is_due("events WHERE outcome IS NULL"):
            return False
        found = think(self.ground.runtime, 1)
        self.laws.watch("event")
        return bool(found)

    def deliver(self) -> bool:
        """One effect is tried."""
        if not self._is_due("effects WHERE state IN ('pending', 'sending')"):
            return False
        found = deliver(self.ground.runtime, 1)
        self.laws.watch("effect")
        return bool(found)

    def _is_due(self, table: str) -> bool:
        """A cheap look, for a claim that finds nothing costs as much as one that does."""
        now = round(self.ground.clock.now * 1000)
        return bool(self.ground.rows(f"SELECT 1 FROM {table} AND due_at <= :now LIMIT 1", now=now))

    def decide(self, decision: str, expected: str | None) -> bool:
        """A person decides on what they see. False when they are told that it cannot be."""
        self.laws.begin_decision(decision)
        try:
            with self.ground.runtime.database.write() as session:
                scene = Scene(session, self.ground.shop_id, tenants.load_settings(session, self.ground.shop_id))
                decide_exchange(scene, ORDER_ID, decision, "Asha", expected)
        except Permanent:
            self.laws.refuse_decision()
            return False
        self.laws.watch("hand")
        return True

    def meet_deadlines(self) -> None:
        """The watch has its turn: what waits too long does so no more."""
        DeadlineWatch(self.ground.runtime).take_turn(self.ground.shop_id)
        self.laws.watch("deadline")
        self.laws.check_nothing_late()

    def lift(self) -> None:
        """Staff take the hold off in Shopify."""
        self.shopify.edit_tags(STAFF, [], [HOLD])

    # The end.

    def settle(self) -> None:
        """All webhooks arrive, and everything is done that can be done."""
        self.ground.door.faults.clear()
        self.shopify.refusing = False
        told = 0
        for _ in range(_ROUNDS):
            if told < len(self.shopify.webhooks):
                self.bring_webhook(-1)  # any of them makes us read the order
            told = len(self.shopify.webhooks)
            while self.think() or self.deliver():
                pass
            if told == len(self.shopify.webhooks) and not self._waits():
                return
            self.pass_time(75)
        raise AssertionError(f"never at rest: {self._waits()}")

    def _waits(self) -> list[Any]:
        """What is still to be done; what waits in its lane behind something parked waits for a person."""
        effects = (
            "SELECT kind, state, reason FROM effects e WHERE state IN ('pending', 'sending') AND NOT EXISTS "
            "(SELECT 1 FROM effects p WHERE p.lane = e.lane AND p.id < e.id AND p.state = 'parked')"
        )
        return [
            *self.ground.rows("SELECT topic, reason FROM events WHERE outcome IS NULL"),
            *self.ground.rows(effects),
        ]
