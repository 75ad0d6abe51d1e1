"""Effects towards OMS about returns: the expectation and its newest status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.clock import render_time
from core.domain.effects import OMS_EXPECT_RETURN, OMS_UPDATE_RETURN
from core.errors import Ambiguous, Permanent
from core.flows.returns import find_return, load_units, note_expected
from core.flows.tenants import load_settings
from core.models import ReturnOrder
from core.reading import read_object
from core.registry import Absent, Done, Job, NotNeeded
from core.relay.inbox import read_body
from core.runtime import Runtime
from oms_bridge.client import OmsClient
from oms_bridge.render import render_return, render_return_units, shorten

READ_RETURN_FACTS = "rms.read_return_facts"
_CHECK_BY_HAND = (
    "it may have been created, and without an AWB OMS cannot be asked. "
    "Check OMS: if it is there, drop this; if not, retry and it is sent once more"
)


@dataclass(frozen=True)
class ExpectReturn:
    """`POST /return/return-orders`: OMS is to expect a parcel."""

    runtime: Runtime
    client: OmsClient

    def render(self, session: Session, job: Job) -> Any:
        """From the full body as RMS sent it when there is one, else from what notifications told."""
        order = find_return(session, job.shop_id, job.about)
        if order is None:
            return NotNeeded("the return is gone")
        if order.full_event_id is not None:
            body = read_object(read_body(session, self.runtime.keyring, job.shop_id, order.full_event_id))
            return render_return(self.runtime.registry.readers[READ_RETURN_FACTS](body))
        units = load_units(session, order.id)
        settings = load_settings(session, job.shop_id)
        return render_return_units(_make_head(order), units, settings.rms.default_return_reason)

    def send(self, job: Job, request: Any) -> Done:
        """POST once. "Already exists" is adopted after a look."""
        try:
            answer = self.client.call(job.shop_id, "POST", "/return/return-orders", request)
        except Permanent as refusal:
            if "exist" in str(refusal).lower() and isinstance(self.look(job, request), Done):
                return Done(excerpt="OMS had the return: adopted")
            raise
        return Done(excerpt=f"{answer.status}")

    def look(self, job: Job, request: Any) -> Done | Absent:
        """`POST /return/get/awb`. Without an AWB OMS cannot be asked: a person is, and their retry answers."""
        if not request.get("awbNumber"):
            if job.progress.get("checked"):
                return Absent()
            raise Permanent(_CHECK_BY_HAND)
        query = {"awbNumber": request["awbNumber"], "transporter": request.get("transporter")}
        found = self.client.look(job.shop_id, "POST", "/return/get/awb", query) or {}
        listed = found.get("returnOrderDetailsList") or []
        codes = [one.get("returnOrderCode") for one in listed if isinstance(one, dict)]
        return Done(excerpt="found in OMS") if request["returnOrderCode"] in codes else Absent()

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """OMS acknowledged the expectation."""
        note_expected(session, job.shop_id, job.about)


def _make_head(order: ReturnOrder) -> dict[str, Any]:
    return {
        "forwardOrderCode": order.forward_code,
        "returnOrderCode": order.code,
        "locationCode": order.location_code,
        "returnOrderTime": render_time(order.ordered_at) if order.ordered_at else None,
        "returnOrderStatus": order.status_text,
        "orderType": order.type,
        "awbNumber": order.awb,
        "transporter": order.transporter,
    }


@dataclass(frozen=True)
class UpdateReturn:
    """`POST /return/update-return-order`: the newest status and AWB. Here the AWB is called `trackingCode`."""

    client: OmsClient

    def render(self, session: Session, job: Job) -> Any:
        """The newest state."""
        order = find_return(session, job.shop_id, job.about)
        if order is None:
            return NotNeeded("the return is gone")
        body = {
            "returnOrderCode": order.code,
            "locationCode": order.location_code,
            "returnOrderStatus": order.status_text,
            "trackingCode": order.awb,
            "transporter": order.transporter,
        }
        return shorten({key: value for key, value in body.items() if value is not None})

    def send(self, job: Job, request: Any) -> Done:
        """POST once."""
        answer = self.client.call(job.shop_id, "POST", "/return/update-return-order", request)
        return Done(excerpt=f"{answer.status}")

    def look(self, job: Job, request: Any) -> Done | Absent:
        """A status is absolute, so a repeat is harmless and no look is needed."""
        raise Ambiguous("not read back")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Nothing to remember: the next status is compared with the return itself."""


def register_return_deliverers(runtime: Runtime) -> None:
    """Enter the return kinds into the registry."""
    client = OmsClient(runtime)
    runtime.registry.deliverers[OMS_EXPECT_RETURN.name] = ExpectReturn(runtime, client)
    runtime.registry.deliverers[OMS_UPDATE_RETURN.name] = UpdateReturn(client)
