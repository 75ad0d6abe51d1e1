"""Which flow each RMS topic goes to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.domain.returns import ReturnReport, ReturnType, VerdictReport
from core.errors import BadInput, Permanent
from core.flows.qc import record_verdicts
from core.flows.reports import take_return
from core.flows.returns import forward_to_partners
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.reading import read_object
from core.registry import Delivery, Outcome, ignored, parked
from core.runtime import Runtime
from core.settings import RmsSettings
from rms_bridge.parse import parse_notification, parse_processing_update, parse_return_order, read_known_facts
from rms_bridge.partners.handlers import register_tracking_handlers
from rms_bridge.webhooks import SOURCE

READ_RETURN_FACTS = "rms.read_return_facts"
PARSE_VERDICTS = "rms.parse_verdicts"


@dataclass(frozen=True)
class ReturnHandler:
    """A return order or a notification: register it, then let exchanges linked to it look again."""

    runtime: Runtime
    topic: str

    def read(self, delivery: Delivery) -> Any:
        """Parse with the shop's settings."""
        body = read_object(delivery.body)
        with self.runtime.database.read() as session:
            settings = load_settings(session, delivery.shop_id)
        try:
            if self.topic == "return_order":
                return settings, parse_return_order(body, settings.rms), digest_content(body)
            return settings, parse_notification(body, settings.rms), None
        except BadInput as error:  # it passed at the door: the settings have changed since
            raise Permanent(f"under the settings of now it lacks: {error}") from None

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Register the return, or say why not."""
        settings, report, content = facts
        if not isinstance(report, ReturnReport):
            return ignored("tracking of a forward shipment")
        scene = Scene(session, delivery.shop_id, settings, delivery.id)
        forward_to_partners(scene, report, delivery.id, delivery.body)
        named = name_rto(report, settings.rms)
        if named is None:
            return parked("a return without a return order id: RMS must name it, or rms.rto_without_return be create")
        return take_return(scene, named, delivery.id, content)


def name_rto(report: ReturnReport, rms: RmsSettings) -> ReturnReport | None:
    """The report with a code; an RTO nobody named gets one from its AWB when the settings say so, else None."""
    if report.code:
        return report
    if rms.rto_without_return == "create" and report.type is ReturnType.RETURN_TO_ORIGIN and report.awb:
        return replace(report, code=f"RTO-{report.awb}")
    return None


def digest_content(body: dict[str, Any]) -> str:
    """Equal for two Create Return Order bodies that say the same; the status is news, not content."""
    facts = {key: value for key, value in read_known_facts(body).items() if key != "returnOrderStatus"}
    # 10 and 10.0 are one number to every sender; a boolean is none
    return hashlib.sha256(json.dumps(_plain_numbers(facts), sort_keys=True).encode()).hexdigest()


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True)
class VerdictHandler:
    """A Returns Processing Update."""

    runtime: Runtime

    def read(self, delivery: Delivery) -> VerdictReport:
        """Parse."""
        return parse_processing_update(read_object(delivery.body))

    def apply(self, session: Session, delivery: Delivery, facts: VerdictReport) -> Outcome:
        """Record the verdicts and act on them."""
        settings = load_settings(session, delivery.shop_id)
        return record_verdicts(Scene(session, delivery.shop_id, settings, delivery.id), facts, delivery.id)


def register_handlers(runtime: Runtime) -> None:
    """Enter the RMS topics, and what other bridges ask of RMS bodies, into the registry."""
    handlers = runtime.registry.handlers
    handlers[SOURCE, "return_order"] = ReturnHandler(runtime, "return_order")
    handlers[SOURCE, "notification"] = ReturnHandler(runtime, "notification")
    handlers[SOURCE, "processing_update"] = VerdictHandler(runtime)
    runtime.registry.readers[READ_RETURN_FACTS] = read_known_facts
    runtime.registry.readers[PARSE_VERDICTS] = parse_processing_update
    register_tracking_handlers(runtime)
