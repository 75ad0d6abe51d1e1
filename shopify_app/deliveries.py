"""Effects towards Shopify: change an order's tags, cancel an order (DESIGN §9; shopify.md §3.1, §3.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.clock import parse_time
from core.domain.effects import SHOPIFY_CANCEL_ORDER, SHOPIFY_TAG_ORDER
from core.domain.orders import Fulfillment, has_tag
from core.errors import Ambiguous, Permanent, Undone
from core.flows.readback import note_cancelled, note_read_back
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.registry import Absent, Done, Job, Waiting
from core.runtime import Runtime
from shopify_app import edits, holds, queries
from shopify_app.client import AdminClient, raise_user_errors, spell_errors
from shopify_app.gids import make_gid
from shopify_app.parse import find_our_holds, parse_display_status
from shopify_app.reads import refuse_if_lifted

_FIRST_POLL_SECONDS = 0.7
_LATER_POLL_SECONDS = 5.0
_MOST_POLLS = 360
_SURE_LOOKS, _SURE_SECONDS = 5, 60.0
_STAFF_NOTE = "Returnbridge: the returned goods failed quality control"
_REFUNDS = {"original": {"originalPaymentMethodsRefund": True}, "store_credit": {"storeCreditRefund": {}}}


@dataclass(frozen=True)
class TagOrder:
    """Tags contain these and do not contain those. Only our own changes are sent, never a whole list."""

    client: AdminClient

    def render(self, session: Session, job: Job) -> Any:
        """The wanted end as it was decided."""
        return job.wanted

    def send(self, job: Job, request: Any) -> Done:
        """Add, remove, then compare with the tags Shopify answers: it has dropped tags without an error before."""
        add, remove = request["add"], request["remove"]
        document = queries.SWAP_TAGS if add and remove else queries.ADD_TAGS if add else queries.REMOVE_TAGS
        variables = {name: tags for name, tags in (("add", add), ("remove", remove)) if tags}
        data = self.client.mutate(job.shop_id, document, id=make_gid("Order", job.about), **variables)
        for part in data.values():
            raise_user_errors(part["userErrors"], "change the order's tags")
        node = list(data.values())[-1]["node"]
        _check_tags(node["tags"], add, remove)
        return Done(node, f"tags are now: {', '.join(node['tags'])}")

    def look(self, job: Job, request: Any) -> Done:
        """A tag change is repeated rather than looked up."""
        raise Ambiguous("not read back")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Know the tags Shopify answered."""
        scene = Scene(session, job.shop_id, load_settings(session, job.shop_id), None)
        written = [*request["add"], *request["remove"]]
        about_hold = "holds" in job.params
        note_read_back(
            scene, int(job.about), facts["tags"], parse_time(facts["updatedAt"]), written, about_hold=about_hold
        )


def _check_tags(tags: list[str], add: list[str], remove: list[str]) -> None:
    missing = [tag for tag in add if not has_tag(tags, tag)]
    left = [tag for tag in remove if has_tag(tags, tag)]
    if missing or left:
        raise Permanent(f"Shopify did not change the tags as asked: missing {missing}, still there {left}")


@dataclass(frozen=True)
class CancelOrder:
    """The order is cancelled. Cannot be undone: it is read first, sent once, and its job followed to the end."""

    client: AdminClient

    def render(self, session: Session, job: Job) -> Any:
        """The merchant's choices as they were when it was decided."""
        return job.params

    def send(self, job: Job, request: Any) -> Done | Waiting:
        """Look, then cancel. The answer names a job; only the order's own `cancelledAt` proves the end."""
        order = self._read(job)
        if order["cancelledAt"]:
            return Done(order, "was cancelled already")
        if parse_display_status(order["displayFulfillmentStatus"]) is not Fulfillment.NONE:
            raise Permanent("the order has been fulfilled in part or whole: it is not cancelled")
        refuse_if_lifted(order, request["held_by"])
        return self._cancel_despite_hold(job, request)

    def _cancel_despite_hold(self, job: Job, request: Any) -> Waiting:
        """A hold of ours may stand in the way: when Shopify refuses, or what was sent came to nothing, it is lifted."""
        if job.progress.get("resent") and holds.lift_holds(self.client, job.shop_id, int(job.about)):
            return self._cancel_unheld(job, request)
        try:
            return self._cancel(job, request)
        except Permanent:
            if not holds.lift_holds(self.client, job.shop_id, int(job.about)):
                raise
        return self._cancel_unheld(job, request)

    def _cancel_unheld(self, job: Job, request: Any) -> Waiting:
        """Hold the order again unless it is being cancelled, also where that is in doubt: a hold may at worst make the
        cancel fail, and a look finds that; without it, goods may leave that QC has failed (DESIGN §8).
        """
        try:
            begun = self._cancel(job, request)
        except Exception:
            holds.restore_holds(self.client, job.shop_id, int(job.about))
            raise
        return replace(begun, progress={**begun.progress, "lifted": True})

    def _cancel(self, job: Job, request: Any) -> Waiting:
        answer = self.client.mutate(job.shop_id, queries.CANCEL_ORDER, **_render_cancel(job, request))["orderCancel"]
        raise_user_errors(answer["orderCancelUserErrors"], "cancel the order")
        job_id = (answer["jobResult"] or {}).get("id")
        if not job_id:
            raise Ambiguous("Shopify took the cancel and named no job")
        return Waiting(_FIRST_POLL_SECONDS, {"job": job_id}, "Shopify is cancelling the order")

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """The order first, then the job that was to cancel it."""
        order = self._read(job)
        if order["cancelledAt"]:
            return Done(order, "cancelled")
        job_id = job.progress.get("job")
        if not job_id:
            return self._look_without_job(job, request)
        result = self.client.query(job.shop_id, queries.READ_CANCEL_JOB, id=job_id)["node"]
        if result and result["done"] and result["status"] == "FAILED":
            return self._end_failed(job, result)
        polls = int(job.progress.get("polls", 0)) + 1
        if polls > _MOST_POLLS:
            if job.progress.get("lifted"):
                holds.restore_holds(self.client, job.shop_id, int(job.about))
            raise Permanent("Shopify has been cancelling this order for half an hour: look at it there, then retry")
        return Waiting(_LATER_POLL_SECONDS if polls > 1 else _FIRST_POLL_SECONDS, {"polls": polls})

    def _end_failed(self, job: Job, result: dict[str, Any]) -> Absent:
        """The job ended without a cancel. When a hold of ours was on, the cancel is sent once more without it."""
        nodes = holds.read_fulfillment_orders(self.client, job.shop_id, int(job.about))
        if any(find_our_holds(node) for node in nodes) and not job.progress.get("resent"):
            return Absent()
        if job.progress.get("lifted"):
            holds.restore_holds(self.client, job.shop_id, int(job.about))
        raise Undone(f"Shopify refused to cancel the order: {spell_errors(result['errors'])}")

    def _look_without_job(self, job: Job, request: Any) -> Waiting | Absent:
        """The answer that named the job was lost. Where money would go back, one look at the order proves too little:
        the cancel may still be at work.
        """
        looks = int(job.progress.get("looks", 0)) + 1
        if request["refund"] == "none" or looks > _SURE_LOOKS:
            return Absent()
        return Waiting(_SURE_SECONDS, {"looks": looks}, "the order is not cancelled yet")

    def _read(self, job: Job) -> dict[str, Any]:
        order = self.client.query(job.shop_id, queries.READ_CANCELLATION, id=make_gid("Order", job.about))["order"]
        if order is None:
            raise Permanent("Shopify no longer shows this order")
        found: dict[str, Any] = order
        return found

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """The order is known to be cancelled."""
        scene = Scene(session, job.shop_id, load_settings(session, job.shop_id), None)
        cancelled_at, updated_at = parse_time(facts["cancelledAt"]), parse_time(facts["updatedAt"])
        note_cancelled(scene, int(job.about), cancelled_at, updated_at)


def _render_cancel(job: Job, request: Any) -> dict[str, Any]:
    variables = {
        "id": make_gid("Order", job.about),
        "reason": request["reason"],
        "restock": request["restock"],
        "notifyCustomer": request["notify_customer"],
        "staffNote": _STAFF_NOTE,
    }
    refund = _REFUNDS.get(request["refund"])  # none: the argument is left out, and nothing is refunded
    return {**variables, "refundMethod": refund} if refund else variables


def register_deliverers(runtime: Runtime) -> None:
    """Enter the Shopify kinds into the registry."""
    client = AdminClient(runtime)
    runtime.registry.deliverers[SHOPIFY_TAG_ORDER.name] = TagOrder(client)
    runtime.registry.deliverers[SHOPIFY_CANCEL_ORDER.name] = CancelOrder(client)
    edits.register_deliverers(runtime)
    holds.register_deliverers(runtime)
