"""Effects towards returns partners: relay a QC report or a push, as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.domain.effects import PARTNER_FORWARD_RETURN, PARTNER_REPORT_QC
from core.errors import NeedsSettings
from core.flows.tenants import load_settings_with_secrets
from core.http import raise_for_answer
from core.reading import read_object
from core.registry import Absent, Done, Job, NotNeeded, Waiting
from core.relay.inbox import read_body
from core.runtime import Runtime
from core.settings import PartnerSettings


@dataclass(frozen=True)
class PartnerDeliverer:
    """Posts an inbound body to one partner endpoint, with the same `Idempotency-Key` on every repeat."""

    runtime: Runtime

    def render(self, session: Session, job: Job) -> Any:
        """The body; superseded when the partner was taken out of the settings."""
        if self._find_partner(session, job) is None:
            return NotNeeded(f"partner {job.params['partner']} is no longer in the settings")
        return read_object(read_body(session, self.runtime.keyring, job.shop_id, job.params["event_id"]))

    def _find_partner(self, session: Session, job: Job) -> PartnerSettings | None:
        settings = load_settings_with_secrets(session, self.runtime.keyring, job.shop_id)
        return next((one for one in settings.partners if one.name == job.params["partner"]), None)

    def send(self, job: Job, request: Any) -> Done:
        """POST once; any 2xx is delivered."""
        with self.runtime.database.read() as session:
            partner = self._find_partner(session, job)  # its address and headers as they are now
        if partner is None:
            raise NeedsSettings(f"partner {job.params['partner']} is no longer in the settings")
        headers = {**partner.headers, "Idempotency-Key": job.key}
        answer = self.runtime.http.send("POST", partner.url, headers=headers, json_body=request)
        raise_for_answer(answer, f"partner {job.params['partner']}")
        return Done(excerpt=f"{answer.status} {answer.excerpt()}")

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """Partners cannot be read back; the key makes a repeat harmless."""
        raise NeedsSettings("a partner cannot be asked what it has received")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Nothing to remember: the effect's own row says that it was delivered."""


def register_deliverers(runtime: Runtime) -> None:
    """Enter the partner kinds into the registry."""
    for kind in (PARTNER_REPORT_QC, PARTNER_FORWARD_RETURN):
        runtime.registry.deliverers[kind.name] = PartnerDeliverer(runtime)
