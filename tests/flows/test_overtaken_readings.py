"""Readings of an order that something overtook: they are read again and change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.domain.orders import Fulfillment, OrderSnapshot
from core.errors import Transient
from core.flows.orders import load_order, note_order, settle_payload
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from shopify_app.client import AdminClient
from shopify_app.reads import read_current
from tests.flows.stage import REPLACEMENT, Stage
from tests.flows.test_late_and_native import make_native
from tests.flows.test_mixed import line
from tests.flows.test_races import ONE, next_second
from tests.flows.test_tags_and_holds import holds

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("oms", [{}, {"create_orders": False}, {"sync": "none"}])
def test_a_native_exchange_survives_a_webhook_that_tells_nothing(stage: Stage, oms: dict[str, Any]) -> None:
    stage.configure({"oms": oms})
    order = make_native(stage, fulfillment_hold=True)
    stage.configure({"oms": oms, "exchange": {"fulfillment_hold": True}})
    stage.push_return(ONE, forward=str(order["id"]))
    stage.settle()
    next_second()
    stage.sandbox.shopify.set_attributes(stage.shop, order["id"], {"gift_note": "hello"})
    stage.settle()
    next_second()
    stage.sandbox.shopify.edit_tags(stage.shop, order["id"], ["touched"], [])
    stage.settle()
    assert stage.state(order)[0] == "awaiting_goods"
    assert holds(stage, order) == ["returnbridge"]


def prove_read_again(stage: Stage, reading: OrderSnapshot) -> None:
    with pytest.raises(Transient, match="while it was read"), stage.runtime.database.write() as session:
        note_order(Scene(session, stage.shop_id, load_settings(session, stage.shop_id), None), reading)


def test_a_reading_that_others_overtook_is_read_again(stage: Stage) -> None:
    """What was read while another message wrote more than it could tell: it lifts no hold and ships nothing."""
    order = make_native(stage, fulfillment_hold=True)
    with stage.runtime.database.read() as session:
        known = load_order(session, stage.shop_id, order["id"])
        unknown = settle_payload(session, stage.shop_id, replace(known, id=1))
    assert unknown.known_version == 0, "a payload of no concern says that nothing was known when it came"
    shipped = replace(known, in_order=False, fulfillment_orders=None, fulfillment=Fulfillment.FULL, known_version=0)
    prove_read_again(stage, shipped)
    later = known.updated_at + timedelta(seconds=1)
    unbound = tuple(replace(one, ours=False) for one in known.fulfillment_orders or ())
    prove_read_again(stage, replace(known, fulfillment_orders=unbound, updated_at=later, known_version=1))
    assert stage.state(order)[0] == "awaiting_return"
    assert holds(stage, order) == ["returnbridge"]


def test_a_reading_that_our_own_write_overtook_does_not_count(stage: Stage) -> None:
    order = stage.new_order([line("NEW-A", "A")], tags=[REPLACEMENT])
    assert stage.sandbox.shopify.settle(5)
    with stage.runtime.database.read() as session:
        settings = load_settings(session, stage.shop_id)
    stale = read_current(stage.runtime, AdminClient(stage.runtime), stage.shop_id, order["id"], settings.exchange)
    assert stale is not None
    stage.settle()
    with stage.runtime.database.write() as session:
        known = load_order(session, stage.shop_id, order["id"])
        assert known is not None
        stale = replace(stale, updated_at=known.updated_at)
        with pytest.raises(Exception, match="changed while it was read"):
            note_order(Scene(session, stage.shop_id, settings), stale)
    assert stage.oms_order(order)["on_hold"]
