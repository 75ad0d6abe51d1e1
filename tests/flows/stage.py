"""What an end-to-end test stands on: the app on a socket, the sandbox, one shop, and a worker that works on demand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app import create_app
from core.config import Config
from core.flows import credentials, tenants
from core.flows.decisions import decide_exchange, link_exchange
from core.flows.scene import Scene
from core.models import Effect, Event, Exchange
from core.relay.claiming import find_due
from core.relay.inbox import waiting_events
from core.relay.jobs import work
from core.runtime import Runtime
from shopify_app.topics import ORDER_TOPICS
from simulators.sandbox import OMS_PASSWORD, OMS_USERNAME, Sandbox
from simulators.serving import serve

REPLACEMENT, HOLD = "increff_exchange", "increff_hold"


class Stage:
    """`settle()` works until the bridge, Shopify's deliveries and all effects are at rest."""

    def __init__(self, config: Config, settings: dict[str, Any] | None = None):
        key, secret = config.shopify_api_key, config.shopify_api_secret
        self.sandbox = Sandbox("http://127.0.0.1:1", key, secret, scopes=SCOPES).start()
        self.sandbox.shopify.topics = set(ORDER_TOPICS)
        shopify = self.sandbox.shopify_url
        self.config = config.model_copy(update={"shopify_admin_url": shopify + "/{shop}", "shopify_cdn_url": shopify})
        self.app = create_app(self.config)
        self.runtime: Runtime = self.app.extensions["returnbridge"]
        self.server = serve(self.app.wsgi_app)
        self.url = self.server.url
        self.sandbox.shopify.app_url = self.url
        self.shop = self.sandbox.shop
        with self.runtime.database.write() as session:
            shop = tenants.add_shop(session, self.runtime.keyring, self.shop, self.sandbox.access_token)
            self.shop_id = shop.id
            self.credential = credentials.make_credential(session, shop, "rms")
        self.sandbox.rms.connect(self.credential.username, self.credential.password, bridge_url=self.url)
        self.configure(settings or {})

    def configure(self, changes: dict[str, Any]) -> None:
        """Save the sandbox's settings with these sections changed."""
        document: dict[str, Any] = {
            "mode": "live",
            "oms": {
                "base_url": self.sandbox.oms_url,
                "auth_username": OMS_USERNAME,
                "auth_password": OMS_PASSWORD,
                "default_location": "Wid234",
            },
            "cancel": {"cooling_off_minutes": 0},
            "partners": [
                {
                    "name": "returns_prime",
                    "kind": "returns_prime",
                    "url": self.sandbox.partner_url + "/qc",
                    "headers": {"x-rp-token": "partner-secret"},
                    "events": ["qc"],
                }
            ],
        }
        for section, values in changes.items():
            document[section] = {**document.get(section, {}), **values} if isinstance(values, dict) else values
        with self.runtime.database.write() as session:
            shop = tenants.find_shop(session, self.shop)
            assert shop is not None
            tenants.save_settings(session, self.runtime.keyring, shop, document, "test", self.runtime.http.guard)

    def new_order(self, lines: list[dict[str, Any]], code: str | None = "RET-1", **facts: Any) -> dict[str, Any]:
        """A replacement order, held, naming its return."""
        facts.setdefault("tags", [REPLACEMENT, HOLD])
        attributes = {"return_order_code": code} if code else {}
        return self.sandbox.shopify.create_order(self.shop, line_items=lines, note_attributes=attributes, **facts)

    def push_return(self, items: dict[str, str], code: str = "RET-1", forward: str = "108", **facts: Any) -> None:
        """RMS pushes a return of these units: item code -> SKU."""
        listed = [{"itemCode": item, "sku": sku, "reason": "Size"} for item, sku in items.items()]
        answer = self.sandbox.rms.push_return(code, forward, listed, **facts)
        assert answer[0] == 200, answer

    def judge(self, verdicts: dict[str, str], code: str = "RET-1", forward: str = "108") -> None:
        """RMS reports QC: item code -> PASS, FAIL or FAIL:REASON."""
        listed = []
        for item, said in verdicts.items():
            status, _, reason = said.partition(":")
            reason = reason or ("STAIN_DAMAGE" if status == "FAIL" else "")
            listed.append({"itemCode": item, "sku": "SKU-" + item, "status": status, "reason": reason or None})
        answer = self.sandbox.rms.send_verdict(code, forward, listed)
        assert answer[0] == 200, answer

    def shopify_order(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order as Shopify has it."""
        return self.sandbox.shopify.order(self.shop, order["id"])

    def oms_order(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """The order as OMS has it."""
        return self.sandbox.oms.order(str(order["id"]))

    def oms_calls(self, order: dict[str, Any]) -> list[str]:
        """What OMS was asked about an order after its creation, in order: hold, unhold, cancel."""
        path, heard = f"/orders/{order['id']}", []
        for call in self.sandbox.oms.calls:
            if call["path"] == path:
                heard.append("hold" if call["body"]["onHold"] else "unhold")
            elif call["path"] == f"{path}/cancel":
                heard.append("cancel")
        return heard

    def state(self, order: dict[str, Any]) -> tuple[str, str]:
        """State and outcome code of an order's exchange."""
        exchange = self.exchange(order["id"])
        return exchange.state, exchange.code

    def decide(self, order: dict[str, Any], decision: str, actor: str = "Asha", expected: str | None = None) -> None:
        """A person decides."""
        with self.runtime.database.write() as session:
            scene = Scene(session, self.shop_id, tenants.load_settings(session, self.shop_id))
            decide_exchange(scene, order["id"], decision, actor, expected)

    def link(self, order: dict[str, Any], code: str, actor: str = "Asha") -> None:
        """A person links an exchange to a return."""
        with self.runtime.database.write() as session:
            scene = Scene(session, self.shop_id, tenants.load_settings(session, self.shop_id))
            link_exchange(scene, order["id"], code, actor)

    def exists(self, order: dict[str, Any], state: str) -> bool:
        """True when the order's exchange exists and is in this state."""
        with self.runtime.database.read() as session:
            found = session.scalars(select(Exchange.state).where(Exchange.order_id == order["id"])).first()
        return found == state

    def describe_waiting(self) -> list[str]:
        """Events not ended and effects due now."""
        with self.runtime.database.read() as session:
            events = session.scalars(select(Event.topic).where(Event.outcome.is_(None)))
            return [*events, *(["an effect"] if find_due(session) else [])]

    def describe_waiting_now(self) -> list[str]:
        """Events and effects that could be claimed now; what was put off is left out."""
        with self.runtime.database.read() as session:
            events = session.scalars(select(Event.topic).where(waiting_events()))
            return [*events, *(["an effect"] if find_due(session) else [])]

    def settle(self, seconds: float = 20) -> None:
        """Work until nothing moves any more."""
        self.wait_for(self._is_at_rest, seconds)

    def wait_for(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Work until something holds; fails when it does not in time."""
        end = time.monotonic() + seconds
        while not self._work_then(holds):
            assert time.monotonic() < end, self.describe()
            time.sleep(0.02)

    def _work_then(self, holds: Callable[[], bool]) -> bool:
        work(self.runtime, 5)
        return holds()

    def _is_at_rest(self) -> bool:
        if not self.sandbox.shopify.settle(0.05):
            return False
        with self.runtime.database.read() as session:
            thinking = session.scalars(select(Event.id).where(Event.outcome.is_(None))).first()
            sending = session.scalars(select(Effect.id).where(Effect.state.in_(("pending", "sending")))).first()
        return thinking is None and sending is None

    def describe(self) -> str:
        """Events and effects as they are, for a failing test."""
        with self.runtime.database.read() as session:
            events = [(e.id, e.topic, e.outcome, e.reason) for e in session.scalars(select(Event))]
            effects = [(e.id, e.kind, e.state, e.attempts, e.reason) for e in session.scalars(select(Effect))]
        return "\n".join(map(str, [*events, *effects]))

    def exchange(self, order_id: int) -> Exchange:
        """The exchange of an order."""
        with self.runtime.database.read() as session:
            return session.scalars(select(Exchange).where(Exchange.order_id == order_id)).one()

    def effects(self, *kinds: str) -> list[Effect]:
        """The effects of these kinds, oldest first."""
        with self.runtime.database.read() as session:
            query = select(Effect).order_by(Effect.id)
            return list(session.scalars(query.where(Effect.kind.in_(kinds)) if kinds else query))

    def events(self, topic: str) -> list[Event]:
        """The events of a topic, oldest first."""
        with self.runtime.database.read() as session:
            return list(session.scalars(select(Event).where(Event.topic == topic).order_by(Event.id)))

    def close(self) -> None:
        """End everything this stage started."""
        self.server.close()
        self.sandbox.close()
        self.runtime.database.dispose()


SCOPES = (
    "write_orders",
    "write_order_edits",
    "read_returns",
    "write_merchant_managed_fulfillment_orders",
    "read_locations",
)
