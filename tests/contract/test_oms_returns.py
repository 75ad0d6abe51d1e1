"""Returns: what `oms_bridge` relies on when it tells OMS to expect one, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.clock import render_time, utc_now
from core.domain.returns import ReturnUnit
from core.models import ReturnOrder
from core.registry import Absent, Done
from oms_bridge import return_deliveries
from oms_bridge.render import render_return, render_return_units
from oms_bridge.return_deliveries import UpdateReturn
from rms_bridge.parse import read_known_facts
from tests.contract.kit import Kit, expect, look_for_return, make_job, wait_for

Note = Callable[[str], None]
FULL = Path(__file__).parents[1] / "fixtures/rms/return_order__created.json"


def smallest(kit: Kit) -> dict[str, Any]:
    """For an order of this run, as after a notification of RMS: an AWB, a courier and a piece."""
    order = kit.order()
    order.create()
    code = kit.make_code("R")
    head = {
        "forwardOrderCode": order.code,
        "returnOrderCode": code,
        "locationCode": kit.target.location,
        "returnOrderTime": None,
        "returnOrderStatus": "AWB_GENERATED",
        "orderType": "CUSTOMER_RETURN",
        "awbNumber": f"{code}-AWB",
        "transporter": "Delhivery",
    }
    return render_return_units(head, [ReturnUnit(f"{code}-1", kit.target.skus[0], None)], "Customer return")


def full(kit: Kit) -> dict[str, Any]:
    """Every field Increff's page knows, as RMS sends them."""
    known = smallest(kit)
    facts = read_known_facts({**json.loads(FULL.read_text()), "returnOrderTime": render_time(utc_now())})
    item = {**facts["orderItems"][0], **known["orderItems"][0]}
    return render_return({**facts, **known, "orderItems": [item]})


def register(kit: Kit, body: dict[str, Any]) -> dict[str, Any]:
    expect(kit, body)
    found = wait_for(kit, lambda: look_for_return(kit, body), lambda one: isinstance(one, Done))
    assert isinstance(found, Done), "POST /return/get/awb does not find a return that was accepted"
    return body


def read_details(kit: Kit, awb: str, transporter: str) -> list[dict[str, Any]]:
    query = {"awbNumber": awb, "transporter": transporter}
    return list(kit.call(1, "POST", "/return/get/awb", query).read_json()["returnOrderDetailsList"])


def test_the_smallest_expectation_is_taken_and_found(kit: Kit) -> None:
    """POST /return/return-orders takes the smallest body we send, and POST /return/get/awb finds the return by AWB."""
    register(kit, smallest(kit))


def test_the_full_expectation_is_taken(kit: Kit) -> None:
    """A body with every field of Increff's page is taken."""
    register(kit, full(kit))


@pytest.mark.parametrize("kind", ["SELF_SHIP", "CUSTOMER_RETURN", "RETURN_TO_ORIGIN"])
def test_every_kind_of_return_is_taken(kit: Kit, kind: str) -> None:
    """Each `orderType` of a return is taken."""
    register(kit, {**smallest(kit), "orderType": kind})


def test_one_element_is_one_piece(kit: Kit) -> None:
    """Two pieces of one SKU are two elements of `orderItems`, and both are kept."""
    body = smallest(kit)
    first = body["orderItems"][0]
    register(kit, {**body, "orderItems": [first, {**first, "itemCode": f"{first['itemCode']}b"}]})
    found = read_details(kit, body["awbNumber"], body["transporter"])
    assert [len(one["returnLineItems"]) for one in found] == [2]


def test_long_reasons_are_shortened_enough(kit: Kit) -> None:
    """A reason of 400 characters is taken, as we shorten it to 255."""
    body = smallest(kit)
    register(kit, render_return({**body, "orderItems": [{**body["orderItems"][0], "reason": "too small " * 40}]}))


def test_a_return_nobody_told_of_is_not_found(kit: Kit) -> None:
    """POST /return/get/awb tells that a return is not there, so that an unclear creation may be sent again."""
    assert isinstance(look_for_return(kit, smallest(kit)), Absent)


def test_a_return_told_twice_is_one(kit: Kit, note: Note) -> None:
    """An expectation sent again is taken as done, or refused with words from which we adopt it; it stays one."""
    body = register(kit, smallest(kit))
    note(expect(kit, body).excerpt)
    found = read_details(kit, body["awbNumber"], body["transporter"])
    assert [one["returnOrderCode"] for one in found] == [body["returnOrderCode"]]


def render_update(kit: Kit, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    """The body of the effect `oms.update_return` for a return in that state."""
    state = {
        "code": body["returnOrderCode"],
        "location_code": body["locationCode"],
        "status_text": "PICKED_UP",
        "awb": body["awbNumber"],
        "transporter": body["transporter"],
        **changes,
    }
    monkeypatch.setattr(return_deliveries, "find_return", lambda *_: ReturnOrder(**state))
    return UpdateReturn(kit).render(None, make_job("oms.update_return"))  # type: ignore[arg-type] # asks for nothing


def test_a_status_is_updated_and_repeated(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """POST /return/update-return-order takes a status in RMS's words, and the same one again."""
    body = register(kit, smallest(kit))
    update = render_update(kit, body, monkeypatch)
    for _ in range(2):
        UpdateReturn(kit).send(make_job("oms.update_return"), update)


def test_a_new_awb_follows_by_update(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWB of an update is called trackingCode: the return is found under the new one afterwards."""
    body = register(kit, smallest(kit))
    awb = f"{body['awbNumber']}-2"
    update = render_update(kit, body, monkeypatch, awb=awb)
    UpdateReturn(kit).send(make_job("oms.update_return"), update)
    moved = {**body, "awbNumber": awb}
    found = wait_for(kit, lambda: look_for_return(kit, moved), lambda one: isinstance(one, Done))
    assert isinstance(found, Done)
