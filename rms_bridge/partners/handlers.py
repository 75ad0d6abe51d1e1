"""A partner's tracking webhook: find its return, then the same flow as for RMS's notifications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.domain.returns import ReturnReport, ReturnType
from core.flows.reports import take_return
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import ReturnOrder
from core.reading import read_object
from core.registry import Delivery, Outcome, ignored, parked, unknown
from core.runtime import Runtime
from core.settings import Settings
from rms_bridge.partners import clickpost, shiprocket
from rms_bridge.partners.contract import RTO_STATUSES, ForwardParcel, Tracking
from rms_bridge.partners.matching import find_tracked_return

TOPIC = "tracking"
Parse = Callable[[dict[str, Any], str], Tracking | ForwardParcel]


@dataclass(frozen=True)
class TrackingHandler:
    """A webhook of one partner. It is a hint: it moves a return's status and never releases anything by itself."""

    runtime: Runtime
    parse: Parse

    def read(self, delivery: Delivery) -> tuple[Settings, Tracking | ForwardParcel]:
        """Parse."""
        with self.runtime.database.read() as session:
            settings = load_settings(session, delivery.shop_id)
        return settings, self.parse(read_object(delivery.body), settings.rms.default_return_reason)

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Register what it says of a return we can name, or say why not."""
        settings, told = facts
        if isinstance(told, ForwardParcel):
            return ignored(told.words)
        if told.quarantine:
            return parked(f"{told.quarantine}: look at the parcel; nothing was changed")
        order = find_tracked_return(session, delivery.shop_id, told)
        if order is not None and told.report.type is ReturnType.RETURN_TO_ORIGIN and order.type != told.report.type:
            return parked(f"RTO is reported of customer return {order.code}: look at the parcel; nothing was changed")
        report = complete_report(told.report, order)
        missing = find_gaps(report, order)
        if missing:
            return missing
        scene = Scene(session, delivery.shop_id, settings, delivery.id)
        outcome = take_return(scene, report, delivery.id, None)
        return _word(outcome, told)


def complete_report(report: ReturnReport, order: ReturnOrder | None) -> ReturnReport:
    """Fill in what we know of the return and the partner does not say. RMS's name of a courier outlives a partner's."""
    if order is None:
        return report
    same_parcel = report.awb is None or report.awb == order.awb
    transporter = order.transporter or report.transporter if same_parcel else report.transporter or order.transporter
    return replace(
        report,
        code=order.code,
        forward_code=order.forward_code,
        type=ReturnType(order.type) if order.known else report.type,
        transporter=transporter,
    )


def find_gaps(report: ReturnReport, order: ReturnOrder | None) -> Outcome | None:
    """Why a report cannot be registered: only one that names items and order can introduce a return to us."""
    if order is not None and order.known:
        return None
    if not report.code:
        which = f"AWB {report.awb}" if report.awb else "a parcel without an AWB"
        kind = "RTO of a parcel" if report.status in RTO_STATUSES else "a return"
        return ignored(f"{kind} no return order is known for: {which}; RMS has to push it first")
    lacks = {"items": report.units, "forward order": report.forward_code}
    missing = [name for name, value in lacks.items() if not value]
    if not missing:
        return None
    return parked(
        f"return {report.code} is not known and the webhook names no {', no '.join(missing)}: RMS must push it"
    )


def _word(outcome: Outcome, told: Tracking) -> Outcome:
    """Name an unknown code in the outcome; one that brought nothing else is unknown."""
    if told.reading.status is not None or not told.reading.words:
        return outcome
    reason = f"{told.reading.words}; {outcome.reason}"
    if outcome.kind == "ignored":
        return ignored(reason) if told.reading.known else unknown(reason)
    return Outcome(outcome.kind, reason)


def register_tracking_handlers(runtime: Runtime) -> None:
    """Enter the partners' topics into the registry."""
    handlers = runtime.registry.handlers
    handlers["clickpost", TOPIC] = TrackingHandler(runtime, clickpost.parse_tracking)
    handlers["shiprocket", TOPIC] = TrackingHandler(runtime, shiprocket.parse_tracking)
