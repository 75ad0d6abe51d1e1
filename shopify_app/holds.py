"""Effects on fulfillment holds: a tag asks, a fulfillment hold binds every warehouse (shopify.md §3.4)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.domain.effects import SHOPIFY_HOLD_ORDER, SHOPIFY_RELEASE_ORDER
from core.errors import Ambiguous, Fault, Permanent, once_changed
from core.flows.readback import note_fulfillment_orders
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.registry import Done, Job
from core.runtime import Runtime
from shopify_app import queries
from shopify_app.client import AdminClient, raise_user_errors
from shopify_app.parse import HOLD_HANDLE, find_our_holds, parse_fulfillment_orders
from shopify_app.reads import read_pages

logger = logging.getLogger(__name__)
_ALREADY_OURS = "DUPLICATE_FULFILLMENT_HOLD_HANDLE"
_NOTES = "Returnbridge: waits until the returned goods have passed quality control"


def read_fulfillment_orders(client: AdminClient, shop_id: int, order_id: int) -> list[dict[str, Any]]:
    """The order's fulfillment orders as they are now."""
    order, nodes = read_pages(client, shop_id, queries.READ_FULFILLMENT_ORDERS, order_id, "fulfillmentOrders")
    if order is None:
        raise Permanent("Shopify no longer shows this order")
    return nodes


def place_holds(client: AdminClient, shop_id: int, order_id: int) -> None:
    """Our hold on every fulfillment order that can take one and has none of ours."""
    hold = {"reason": "AWAITING_RETURN_ITEMS", "reasonNotes": _NOTES, "handle": HOLD_HANDLE}
    for node in read_fulfillment_orders(client, shop_id, order_id):
        holdable = any(one["action"] == "HOLD" for one in node["supportedActions"])
        if not holdable or find_our_holds(node):
            continue
        answer = client.mutate(shop_id, queries.HOLD_FULFILLMENT_ORDER, id=node["id"], hold=hold)
        errors = [one for one in answer["fulfillmentOrderHold"]["userErrors"] if one["code"] != _ALREADY_OURS]
        raise_user_errors(errors, "hold a fulfillment order")


def free_holds(client: AdminClient, shop_id: int, order_id: int) -> bool:
    """Take our own holds off, by their ids. True when there were any."""
    bound = _read_bound(client, shop_id, order_id)
    for node in bound:
        _free_hold(client, shop_id, node)
    return bool(bound)


def lift_holds(client: AdminClient, shop_id: int, order_id: int) -> bool:
    """The same, for one change that they may stand in the way of: they do not stay off when not all can be freed."""
    bound = _read_bound(client, shop_id, order_id)
    try:
        for node in bound:
            _free_hold(client, shop_id, node)
    except Fault:
        restore_holds(client, shop_id, order_id)
        raise
    return bool(bound)


def _read_bound(client: AdminClient, shop_id: int, order_id: int) -> list[dict[str, Any]]:
    return [node for node in read_fulfillment_orders(client, shop_id, order_id) if find_our_holds(node)]


def _free_hold(client: AdminClient, shop_id: int, node: dict[str, Any]) -> None:
    document, ours = queries.RELEASE_FULFILLMENT_ORDER, find_our_holds(node)
    answer = client.mutate(shop_id, document, id=node["id"], holdIds=ours)
    raise_user_errors(answer["fulfillmentOrderReleaseHold"]["userErrors"], "release a fulfillment order")


def restore_holds(client: AdminClient, shop_id: int, order_id: int) -> None:
    """Hold again what remains, when holds were lifted. Never raises a fault: what came of the change itself counts, and
    a hold that is missing is found by the drift check.
    """
    try:
        place_holds(client, shop_id, order_id)
    except Fault as error:
        logger.warning("order %s: our hold could not be put back: %s", order_id, type(error).__name__)


@dataclass(frozen=True)
class _Binding:
    """What placing and freeing share: both read first and state an end, so a repeat does nothing twice."""

    client: AdminClient

    def render(self, session: Session, job: Job) -> Any:
        """The wanted end as it was decided."""
        return job.wanted

    def look(self, job: Job, request: Any) -> Done:
        """Sending looks first."""
        raise Ambiguous("not read back")

    def _finish(self, job: Job, what: str) -> Done:
        """Without this reading it is in doubt what is there, also where nothing had to be changed: a repeat costs one
        more look and does nothing twice.
        """
        with once_changed():
            nodes = read_fulfillment_orders(self.client, job.shop_id, int(job.about))
        return Done(parse_fulfillment_orders(nodes), what)

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Know the fulfillment orders as they were read back."""
        scene = Scene(session, job.shop_id, load_settings(session, job.shop_id))
        note_fulfillment_orders(scene, int(job.about), facts)


@dataclass(frozen=True)
class HoldOrder(_Binding):
    """Our hold is on every open fulfillment order."""

    def send(self, job: Job, request: Any) -> Done:
        """Place what is missing."""
        place_holds(self.client, job.shop_id, int(job.about))
        return self._finish(job, "our holds are on")


@dataclass(frozen=True)
class ReleaseOrder(_Binding):
    """None of our holds is left; others' stay."""

    def send(self, job: Job, request: Any) -> Done:
        """Free what is ours."""
        free_holds(self.client, job.shop_id, int(job.about))
        return self._finish(job, "our holds are off")


def register_deliverers(runtime: Runtime) -> None:
    """Enter the hold kinds into the registry."""
    client = AdminClient(runtime)
    runtime.registry.deliverers[SHOPIFY_HOLD_ORDER.name] = HoldOrder(client)
    runtime.registry.deliverers[SHOPIFY_RELEASE_ORDER.name] = ReleaseOrder(client)
