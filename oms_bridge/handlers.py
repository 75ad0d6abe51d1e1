"""Which flow each OMS topic goes to."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.domain.orders import OrderSnapshot
from core.domain.returns import VerdictReport
from core.flows.cancellations import cancel_by_seller
from core.flows.orders import note_taken_order
from core.flows.qc import record_verdicts
from core.flows.scene import Scene, open_scene
from core.flows.tenants import load_settings
from core.reading import read_object
from core.registry import Delivery, Outcome, ignored
from core.runtime import Runtime
from oms_bridge.parse import SellerCancelled, parse_seller_cancellation
from oms_bridge.webhooks import PARSE_VERDICTS, SOURCE

READ_CURRENT_ORDER = "shopify.read_current_order"
ORDER_TAKEN = "order_taken"  # an event of our own


@dataclass(frozen=True)
class AcknowledgementHandler:
    """A return acknowledgement: verdicts, in the words of a Returns Processing Update."""

    runtime: Runtime

    def read(self, delivery: Delivery) -> VerdictReport:
        """Parse."""
        report: VerdictReport = self.runtime.registry.readers[PARSE_VERDICTS](read_object(delivery.body))
        return report

    def apply(self, session: Session, delivery: Delivery, facts: VerdictReport) -> Outcome:
        """Record the verdicts; those RMS told already are nothing new."""
        scene = Scene(session, delivery.shop_id, load_settings(session, delivery.shop_id), delivery.id)
        return record_verdicts(scene, facts, delivery.id)


@dataclass(frozen=True)
class SellerCancellationHandler:
    """Pieces that OMS cannot serve."""

    def read(self, delivery: Delivery) -> SellerCancelled:
        """Parse."""
        return parse_seller_cancellation(read_object(delivery.body))

    def apply(self, session: Session, delivery: Delivery, facts: SellerCancelled) -> Outcome:
        """Want them cancelled in Shopify."""
        scene = Scene(session, delivery.shop_id, load_settings(session, delivery.shop_id), delivery.id)
        return cancel_by_seller(scene, facts.code, facts.totals)


@dataclass(frozen=True)
class OrderTakenHandler:
    """OMS took an order that had changed meanwhile: it is read once more, and compared with what OMS was told."""

    runtime: Runtime

    def read(self, delivery: Delivery) -> OrderSnapshot | None:
        """The order as Shopify has it now."""
        read_current = self.runtime.registry.readers[READ_CURRENT_ORDER]
        order: OrderSnapshot | None = read_current(delivery.shop_id, read_object(delivery.body)["order"])
        return order

    def apply(self, session: Session, delivery: Delivery, facts: OrderSnapshot | None) -> Outcome:
        """Note the order; what differs now and OMS has no call for is a task."""
        if facts is None:
            return ignored("Shopify no longer shows this order")
        return note_taken_order(open_scene(session, delivery), facts)


def register_handlers(runtime: Runtime) -> None:
    """Enter the OMS topics into the registry."""
    handlers = runtime.registry.handlers
    handlers[SOURCE, "return_acknowledgement"] = AcknowledgementHandler(runtime)
    handlers[SOURCE, "seller_cancellation"] = SellerCancellationHandler()
    handlers[SOURCE, ORDER_TAKEN] = OrderTakenHandler(runtime)
