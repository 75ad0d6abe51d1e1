"""Effects towards returns partners: relay a QC report, or a push as RMS sent it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utc_now
from core.domain.effects import PARTNER_FORWARD_RETURN, PARTNER_REPORT_QC
from core.domain.returns import VerdictReport
from core.errors import BadInput, Gone, NeedsSettings, Permanent
from core.flows.tenants import load_settings_with_secrets
from core.http import ENOUGH_BYTES, raise_for_answer
from core.masking import mask_answer
from core.reading import read_object
from core.registry import Absent, Done, Job, NotNeeded, Waiting
from core.relay.endpoints import call_endpoint, name_partner
from core.relay.inbox import read_body
from core.runtime import Runtime
from core.settings import PartnerSettings
from rms_bridge.parse import parse_processing_update
from rms_bridge.partners import clickpost, returns_prime, shiprocket
from rms_bridge.partners.contract import render_processing_update
from rms_bridge.partners.signature import make_headers

TRY_CONNECTION = "partner.try_connection"
QC_RENDERERS: dict[str, Callable[[VerdictReport], dict[str, Any]]] = {
    "clickpost": clickpost.render_qc,
    "returns_prime": returns_prime.render_qc,
    "shiprocket": shiprocket.render_qc,
    "generic": render_processing_update,
}


@dataclass(frozen=True)
class PartnerDeliverer:
    """Posts to one partner endpoint: the same body under the same `Idempotency-Key` on every repeat.

    A partner cannot be read back, so a repeat rests on that key alone.
    """

    runtime: Runtime

    def render(self, session: Session, job: Job) -> Any:
        """The body's text; superseded when the partner was taken out of the settings."""
        partner = self._find_partner(session, job)
        if partner is None:
            return NotNeeded(f"partner {job.params['partner']} is no longer in the settings")
        raw = read_body(session, self.runtime.keyring, job.shop_id, job.params["event_id"])
        return {
            "body": _render_qc(partner, raw, job.params["items"])
            if job.kind == PARTNER_REPORT_QC.name
            else _decode(raw)
        }

    def _find_partner(self, session: Session, job: Job) -> PartnerSettings | None:
        settings = load_settings_with_secrets(session, self.runtime.keyring, job.shop_id)
        return next((one for one in settings.partners if one.name == job.params["partner"]), None)

    def send(self, job: Job, request: Any) -> Done:
        """POST once; any 2xx is delivered. What a 2xx says is not kept: it may repeat what it was sent."""
        with self.runtime.database.read() as session:
            partner = self._find_partner(session, job)  # its address and headers as they are now
        if partner is None:
            name = job.params["partner"]
            raise Permanent(f"partner {name} is no longer in the settings: put it back and retry, or drop this")
        body = request["body"].encode()
        with call_endpoint(self.runtime.database, job.shop_id, name_partner(partner.name)):
            headers = make_headers(partner, job.key, utc_now(), body)
            answer = self.runtime.http.send("POST", partner.url, headers=headers, body=body, enough_bytes=ENOUGH_BYTES)
            masked = mask_answer(answer, json.loads(request["body"]), partner.headers.values())
            try:
                raise_for_answer(masked, f"partner {partner.name}")
            except Gone as gone:
                raise Gone(f"{gone}: the partner has switched this address off; set its new one, then retry") from None
        return Done(excerpt=f"{answer.status}")

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """Partners cannot be read back; the key makes a repeat harmless."""
        raise NeedsSettings("a partner cannot be asked what it has received")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Nothing to remember: the effect's own row says that it was delivered."""


def _render_qc(partner: PartnerSettings, raw: bytes, items: list[str]) -> str:
    """The report's news: a verdict told before may have started a refund, and is not told twice."""
    try:
        whole = parse_processing_update(read_object(raw))
    except BadInput as error:
        raise Permanent(f"the QC report cannot be relayed: {error}") from None
    report = replace(whole, verdicts=tuple(one for one in whole.verdicts if one.item_code in items))
    return json.dumps(QC_RENDERERS[partner.kind](report), ensure_ascii=False)


def _decode(raw: bytes) -> str:
    """The text as RMS sent it; JSON may come as UTF-16 or with a byte order mark, and goes out as UTF-8."""
    return raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")


def try_connection(runtime: Runtime, partner: PartnerSettings) -> str:
    """Ask a partner's address for nothing (GET); what it said, in a merchant's words. Raises Fault.

    Only a real report could prove more, and it would start a refund.
    """
    headers = make_headers(partner, "connection-test", utc_now(), b"")
    said = runtime.http.send("GET", partner.url, headers=headers, enough_bytes=ENOUGH_BYTES)
    answer = mask_answer(said, None, partner.headers.values())
    if answer.status in (401, 403, 410) or answer.status >= 500:
        raise_for_answer(answer, f"partner {partner.name}")
    if answer.status == 404:
        return (
            "The address was reached and answered 404: some partners do so for anything but a report. Check its path."
        )
    return f"The address was reached and answered {answer.status}. The first real report proves the headers."


def register_deliverers(runtime: Runtime) -> None:
    """Enter the partner kinds into the registry."""
    runtime.registry.readers[TRY_CONNECTION] = partial(try_connection, runtime)
    for kind in (PARTNER_REPORT_QC, PARTNER_FORWARD_RETURN):
        runtime.registry.deliverers[kind.name] = PartnerDeliverer(runtime)
