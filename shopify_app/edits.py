"""The effect that cancels single lines: an order edit, begun, set and committed in one go (shopify.md §3.3).

Only the commit changes anything, and it states quantities, so the read that comes first makes a repeat harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.clock import parse_time
from core.domain.effects import SHOPIFY_CANCEL_LINES
from core.errors import Ambiguous, Permanent, once_changed
from core.flows.readback import note_quantities
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.registry import Absent, Done, Job
from core.runtime import Runtime
from shopify_app import queries
from shopify_app.client import AdminClient, raise_user_errors
from shopify_app.gids import make_gid, read_gid
from shopify_app.holds import lift_holds, restore_holds
from shopify_app.reads import read_pages, refuse_if_lifted

_STAFF_NOTE = "Returnbridge: these lines' returned goods failed quality control"


@dataclass(frozen=True)
class CancelLines:
    """Lines keep the quantities that were decided; what is above is cancelled."""

    client: AdminClient

    def render(self, session: Session, job: Job) -> Any:
        """The quantities and the merchant's choices as they were when it was decided."""
        return {**job.params, "left": job.wanted["left"]}

    def send(self, job: Job, request: Any) -> Done:
        """Read, then edit what is still above; a hold of ours that stands in the way is lifted for the edit."""
        order, lines = self._read(job)
        above = find_above(lines, request["left"])
        if not above:
            return Done(_make_facts(order, lines), "the lines were cancelled already")
        if order["cancelledAt"]:
            raise Permanent("the order was cancelled whole in the meantime: no line is cancelled")
        refuse_if_lifted(order, request["held_by"])
        if not order["merchantEditable"]:
            words = "; ".join(order["merchantEditableErrors"]) or "no reason given"
            raise Permanent(f"Shopify does not let this order be edited: {words}")
        self._edit_despite_hold(job, request, above)
        with once_changed():  # the pieces are gone: a reading that fails must not pass for an edit that was not made
            return self._read_back(job, request, f"cancelled pieces of {len(above)} line(s)")

    def _read_back(self, job: Job, request: Any, what: str) -> Done:
        order, lines = self._read(job)
        if find_above(lines, request["left"]):
            raise Ambiguous("Shopify took the edit, but the quantities are not there yet")
        return Done(_make_facts(order, lines), what)

    def look(self, job: Job, request: Any) -> Done | Absent:
        """The quantities prove it."""
        order, lines = self._read(job)
        return Absent() if find_above(lines, request["left"]) else Done(_make_facts(order, lines), "read back")

    def _read(self, job: Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        order, lines = read_pages(self.client, job.shop_id, queries.READ_LINES, int(job.about))
        if order is None:
            raise Permanent("Shopify no longer shows this order")
        return order, lines

    def _edit_despite_hold(self, job: Job, request: Any, above: dict[int, int]) -> None:
        try:
            self._edit(job, request, above)
        except Permanent:
            if not lift_holds(self.client, job.shop_id, int(job.about)):
                raise
            try:
                self._edit(job, request, above)
            finally:
                restore_holds(self.client, job.shop_id, int(job.about))

    def _edit(self, job: Job, request: Any, above: dict[int, int]) -> None:
        begun = self.client.mutate(job.shop_id, queries.BEGIN_EDIT, id=make_gid("Order", job.about))["orderEditBegin"]
        raise_user_errors(begun["userErrors"], "edit the order")
        session_id, found = begun["calculatedOrder"]["id"], begun["calculatedOrder"]["lineItems"]
        calculated = {read_gid(one["id"]): one for one in found["nodes"]}
        _order, lines = self._read(job)
        for line in lines:
            number = read_gid(line["id"])
            if number in above:
                _check_match(line, calculated.get(number), above[number])
                self._set(job, session_id, calculated[number]["id"], above[number], request)
        ended = self.client.mutate(
            job.shop_id,
            queries.COMMIT_EDIT,
            id=session_id,
            notifyCustomer=request["notify_customer"],
            staffNote=_STAFF_NOTE,
        )["orderEditCommit"]
        raise_user_errors(ended["userErrors"], "commit the edit")

    def _set(self, job: Job, session_id: str, line_id: str, quantity: int, request: Any) -> None:
        answer = self.client.mutate(
            job.shop_id,
            queries.SET_QUANTITY,
            id=session_id,
            lineItemId=line_id,
            quantity=quantity,
            restock=request["restock"],
        )["orderEditSetQuantity"]
        raise_user_errors(answer["userErrors"], "lower a line's quantity")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Know the quantities as they were read back."""
        scene = Scene(session, job.shop_id, load_settings(session, job.shop_id))
        note_quantities(scene, int(job.about), facts["quantities"], parse_time(facts["updatedAt"]))


def find_above(lines: list[dict[str, Any]], left: dict[str, int]) -> dict[int, int]:
    """Line id -> quantity to keep, of the lines that still have more."""
    current = {read_gid(line["id"]): line["currentQuantity"] for line in lines}
    return {int(line): keep for line, keep in left.items() if current.get(int(line), 0) > keep}


def _make_facts(order: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    quantities = {read_gid(line["id"]): line["currentQuantity"] for line in lines}
    return {"updatedAt": order["updatedAt"], "quantities": quantities}


def _check_match(line: dict[str, Any], calculated: dict[str, Any] | None, keep: int) -> None:
    """The calculated line must be the line we mean: a wrong one would cancel somebody's goods."""
    if calculated is None or (calculated["sku"], calculated["quantity"]) != (line["sku"], line["currentQuantity"]):
        raise Permanent(f"the edit shows line {line['sku']} otherwise than the order does: nothing was changed")
    if calculated["editableQuantity"] < line["currentQuantity"] - keep:
        raise Permanent(f"pieces of {line['sku']} have been fulfilled: they cannot be cancelled")


def register_deliverers(runtime: Runtime) -> None:
    """Enter the edit into the registry."""
    runtime.registry.deliverers[SHOPIFY_CANCEL_LINES.name] = CancelLines(AdminClient(runtime))
