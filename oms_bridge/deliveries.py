"""Effects towards OMS about orders: create, hold and unhold, cancel quantities (DESIGN §9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from core.clock import parse_time, render_time
from core.db import read_clock
from core.domain.effects import OMS_CANCEL_LINES, OMS_CREATE_ORDER, OMS_HOLD_ORDER, OMS_UNHOLD_ORDER
from core.domain.orders import ForwardOrder, Fulfillment, OrderSnapshot, has_tag
from core.errors import Ambiguous, Permanent, Transient
from core.flows.acknowledgements import OmsCreated, note_oms_cancelled, note_oms_created, note_oms_hold
from core.flows.exchanges import is_order_held
from core.flows.orders import list_untold, load_oms_record, load_order, load_version
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import OmsOrder
from core.registry import Absent, Done, Job, NotNeeded, Waiting
from core.relay.inbox import record_event
from core.runtime import Runtime
from core.settings import OmsSettings, Settings
from oms_bridge.client import OmsClient, try_connection
from oms_bridge.handlers import ORDER_TAKEN
from oms_bridge.render import merge_lines, render_cancel, render_hold, render_order
from oms_bridge.webhooks import SOURCE

READ_FORWARD_ORDER = "shopify.read_forward_order"
TRY_CONNECTION = "oms.try_connection"
_BEGUN = "a part of the order has shipped, and OMS, which does not have it, would ship it again: make the rest by hand"


def make_code(order: OrderSnapshot, oms: OmsSettings) -> str:
    """What the order is called in OMS; must equal the forwardOrderCode RMS and the returns partners use."""
    return str(order.id) if oms.order_code == "id" else order.name.removeprefix("#")


def make_skus(order: OrderSnapshot, oms: OmsSettings) -> dict[str, str]:
    """Line id -> channelSkuCode."""
    if oms.sku == "sku":
        return {str(line.id): line.sku for line in order.lines}
    unknown = [line.sku or str(line.id) for line in order.lines if line.variant_id is None]
    if unknown:
        raise Transient(f"the variants of {', '.join(unknown)} are not known yet: Shopify's webhooks name them")
    return {str(line.id): str(line.variant_id) for line in order.lines}


@dataclass(frozen=True)
class _OrderDeliverer:
    """What the order effects share."""

    runtime: Runtime
    client: OmsClient

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """These state absolute ends, so a repeat is harmless and no look is needed."""
        raise Ambiguous("not read back")

    def scene(self, session: Session, job: Job) -> Scene:
        """What the flows need to record an acknowledgement."""
        return Scene(session, job.shop_id, load_settings(session, job.shop_id), None)


@dataclass(frozen=True)
class CreateOrder(_OrderDeliverer):
    """`POST /orders/outward`, on hold as the newest decision says."""

    def render(self, session: Session, job: Job) -> Any:
        """Everything that is decided; the customer's part is read in `send`."""
        order = load_order(session, job.shop_id, int(job.about))
        if order is None or order.cancelled:
            return NotNeeded("the order was cancelled before OMS knew it")
        if order.fulfillment is Fulfillment.FULL:
            return NotNeeded("the order has shipped: OMS would ship it again")
        if session.get(OmsOrder, (job.shop_id, order.id)) is not None:
            return NotNeeded("OMS has the order")
        settings = load_settings(session, job.shop_id)
        held = is_order_held(session, job.shop_id, order, settings)
        version = load_version(session, job.shop_id, order.id)
        begun = order.fulfillment is not Fulfillment.NONE
        return {**_decide_head(order, settings, read_clock(session), held=held), "version": version, "begun": begun}

    def send(self, job: Job, request: Any) -> Done:
        """Read the customer's part, map the location, create. "Already exists" is adopted after a look.

        Of an order that has begun to ship OMS is only asked whether it has it: made anew, it would be shipped again.
        """
        order: ForwardOrder = self.runtime.registry.readers[READ_FORWARD_ORDER](job.shop_id, int(job.about))
        if not order.lines:
            raise Transient("nothing is left of the order in Shopify: OMS is not told of it")
        location = _map_location(order.location_id, request)
        head = {**request["head"], "locationCode": location}
        created = _make_facts(order, location, request["skus"])
        if request.get("begun"):
            return self._adopt(job, request, created, Permanent(_BEGUN))
        body = render_order(order, head, created["skus"])
        try:
            answer = self.client.call(job.shop_id, "POST", "/orders/outward", body)
        except Permanent as refusal:
            if "exist" not in str(refusal).lower():
                raise
            return self._adopt(job, request, created, refusal)
        return Done(created, f"{answer.status}")

    def _adopt(self, job: Job, request: Any, created: dict[str, Any], otherwise: Permanent) -> Done:
        """Take the order as OMS has it at the location it would be made at. Raises `otherwise` when it has none."""
        found = self._search(job, request, created["location"])
        if not isinstance(found, Done):
            raise otherwise
        # a hold nobody can see is taken to be the wrong one, so that the right one is asked for: what OMS refuses of
        # that is a task
        unseen = {"on_hold": not request["head"]["onHold"]}
        return Done({**created, **unseen, **found.facts}, "OMS had the order: adopted")

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """`GET /search/order` wherever it may have been sent: an interrupted send left no location behind, and Shopify
        may have routed the order elsewhere since. One location at a time, so that a spent budget forgets none."""
        order: ForwardOrder = self.runtime.registry.readers[READ_FORWARD_ORDER](job.shop_id, int(job.about))
        absent: list[str] = job.progress.get("absent", [])
        left = [one for one in _list_locations(order.location_id, request) if one not in absent]
        found = self._search(job, request, left[0]) if left else Absent()
        if isinstance(found, Done):
            return Done({**_make_facts(order, left[0], request["skus"]), **found.facts}, "found in OMS")
        if len(left) > 1:
            return Waiting(0.0, {"absent": [*absent, left[0]]}, f"not at {left[0]}: the other locations are asked")
        return found

    def _search(self, job: Job, request: Any, location: str) -> Done | Absent:
        params = {"orderCode": request["head"]["orderCode"], "locationCode": location}
        found = self.client.look(job.shop_id, "GET", "/search/order", params=params) or {}
        items = found.get("orderItems") or found.get("items")
        return Done(_read_found(found, items)) if items else Absent()

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Remember what OMS was told."""
        order = load_order(session, job.shop_id, int(job.about))
        assert order is not None
        head = request["head"]
        created = OmsCreated(
            code=head["orderCode"],
            location_code=facts["location"],
            on_hold=facts.get("on_hold", head["onHold"]),
            ordered=facts["ordered"],
            cancelled=facts.get("cancelled", {}),
            members=facts["members"],
            skus=facts["skus"],
            address=facts.get("address"),
            dispatch_by=parse_time(head["dispatchByTime"]),
            start_processing=parse_time(head["startProcessingTime"]),
        )
        changed = load_version(session, job.shop_id, order.id) != request.get("version")
        note_oms_created(self.scene(session, job), order.id, created)
        if changed or list_untold(session, job.shop_id, order):
            self._have_compared(session, job)

    def _have_compared(self, session: Session, job: Job) -> None:
        """The order changed after it was read for OMS, or OMS had it otherwise: no webhook will tell us so again."""
        record_event(
            session,
            self.runtime.keyring,
            shop_id=job.shop_id,
            source=SOURCE,
            topic=ORDER_TAKEN,
            delivery_id=job.key,
            body=json.dumps({"order": int(job.about)}).encode(),
        )


def _read_found(found: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """What OMS itself says of an order it has: that, and not what we would have sent, is what it acknowledged."""
    known: dict[str, Any] = {
        "ordered": {str(one["orderItemCode"]): int(one["orderedQuantity"]) for one in items},
        "cancelled": {str(one["orderItemCode"]): int(one.get("cancelledQuantity") or 0) for one in items},
    }
    return {**known, "on_hold": found["onHold"]} if isinstance(found.get("onHold"), bool) else known


def _make_facts(order: ForwardOrder, location: str, skus: dict[str, str]) -> dict[str, Any]:
    """What OMS was told of an order's lines. One that was added after the decision goes by its SKU."""
    skus = {**{str(line.id): line.sku for line in order.lines}, **skus}
    groups = merge_lines(order, skus)
    return {
        "skus": skus,
        "location": location,
        "ordered": {str(group[0].id): sum(line.quantity for line in group) for group in groups},
        "members": {str(group[0].id): [line.id for line in group] for group in groups if len(group) > 1},
        "address": dict(order.address_marks),
    }


def _decide_head(order: OrderSnapshot, settings: Settings, now: datetime, *, held: bool) -> dict[str, Any]:
    oms = settings.oms
    replacement = has_tag(order.tags, settings.exchange.replacement_tag)
    head = {
        "orderCode": make_code(order, oms),
        "orderType": oms.replacement_order_type if replacement else oms.order_type,
        "onHold": held,
        "dispatchByTime": render_time(now + timedelta(hours=oms.dispatch_within_hours)),
        "startProcessingTime": render_time(now),
    }
    return {
        "head": head,
        "skus": make_skus(order, oms),
        "locations": oms.locations,
        "default_location": oms.default_location,
    }


def _list_locations(location_id: int | None, request: Any) -> list[str]:
    """Every OMS location of the settings the order was sent with; first the one it maps to now."""
    mapped = request["locations"].get(str(location_id))
    known = (mapped, request["default_location"], *request["locations"].values())
    return list(dict.fromkeys(one for one in known if one))


def _map_location(location_id: int | None, request: Any) -> str:
    mapped: str | None = request["locations"].get(str(location_id)) or request["default_location"]
    if mapped is None:
        raise Permanent(
            f"the order's Shopify location {location_id or '(none)'} maps to no OMS location: "
            "add it to oms.locations or set oms.default_location, then retry"
        )
    return mapped


@dataclass(frozen=True)
class ChangeHold(_OrderDeliverer):
    """`PUT /orders/{orderCode}` with the hold that was decided."""

    on_hold: bool

    def render(self, session: Session, job: Job) -> Any:
        """The hold with the dispatch times OMS was told at creation."""
        row = session.get(OmsOrder, (job.shop_id, int(job.about)))
        known = load_oms_record(session, job.shop_id, int(job.about))
        if row is None or known is None or known.on_hold == self.on_hold:
            return NotNeeded("OMS says so already")
        order = load_order(session, job.shop_id, int(job.about))
        settings = load_settings(session, job.shop_id)
        if order is not None and is_order_held(session, job.shop_id, order, settings) != self.on_hold:
            return NotNeeded("the order's hold has changed again")
        body = render_hold(self.on_hold, row.dispatch_by, row.start_processing, row.location_code)
        return {"path": f"/orders/{quote(row.code, safe='')}", "body": body}

    def send(self, job: Job, request: Any) -> Done:
        """PUT once."""
        answer = self.client.call(job.shop_id, "PUT", request["path"], request["body"])
        return Done(excerpt=f"{answer.status}")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """OMS acknowledged the hold."""
        note_oms_hold(self.scene(session, job), int(job.about), self.on_hold)


@dataclass(frozen=True)
class CancelLines(_OrderDeliverer):
    """`PUT /orders/{orderCode}/cancel` with absolute totals."""

    def render(self, session: Session, job: Job) -> Any:
        """The totals that were decided."""
        row = session.get_one(OmsOrder, (job.shop_id, int(job.about)))
        totals: dict[str, int] = job.wanted["cancelled"]
        body = render_cancel(totals, row.skus, row.location_code)
        return {"path": f"/orders/{quote(row.code, safe='')}/cancel", "body": body, "totals": totals}

    def send(self, job: Job, request: Any) -> Done:
        """PUT once."""
        answer = self.client.call(job.shop_id, "PUT", request["path"], request["body"])
        return Done(request["totals"], f"{answer.status}")

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """OMS acknowledged the totals."""
        note_oms_cancelled(self.scene(session, job), int(job.about), facts)


def register_order_deliverers(runtime: Runtime) -> None:
    """Enter the order kinds into the registry."""
    client = OmsClient(runtime)
    runtime.registry.readers[TRY_CONNECTION] = partial(try_connection, runtime)
    deliverers = runtime.registry.deliverers
    deliverers[OMS_CREATE_ORDER.name] = CreateOrder(runtime, client)
    deliverers[OMS_UNHOLD_ORDER.name] = ChangeHold(runtime, client, on_hold=False)
    deliverers[OMS_HOLD_ORDER.name] = ChangeHold(runtime, client, on_hold=True)
    deliverers[OMS_CANCEL_LINES.name] = CancelLines(runtime, client)
