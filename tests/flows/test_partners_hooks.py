"""Clickpost and Shiprocket calling us directly: from their webhook to OMS, and everything that must not get through."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select
from werkzeug.test import TestResponse

from core.flows import credentials, tenants
from core.flows.returns import load_units
from core.models import Event, ReturnOrder
from tests.flows.stage import Stage

FIXTURES = Path(__file__).parent.parent / "fixtures" / "partners"
RETURN, FORWARD, AWB = "RET-1", "108", "RVP700100"
PEOPLE = ("Asha", "Venkataraman", "9845012345", "asha.v@mail.example")
RTO_DELIVERED = {"clickpost_status_code": 14, "clickpost_status_description": "RTO Delivered"}
partners = pytest.mark.parametrize("partner", ["clickpost", "st"])


def load(name: str) -> dict[str, Any]:
    """A recorded body."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return body


def make_key(stage: Stage, partner: str) -> str:
    """A key for one partner's address."""
    with stage.runtime.database.write() as session:
        shop = tenants.find_shop(session, stage.shop)
        assert shop is not None
        return credentials.rotate_hook_key(session, shop, partner)


def call(stage: Stage, partner: str, key: str, body: object, headers: dict[str, str] | None = None) -> TestResponse:
    """Call a partner's door; bytes go as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = credentials.render_hook_path(partner, key)
    sent = {"Content-Type": "application/json", **(headers or {})}
    return stage.app.test_client().post(path, data=raw, headers=sent)


def tell(stage: Stage, partner: str, body: object) -> Event:
    """A partner tells us something, and we think about it. Returns the event."""
    assert call(stage, partner, make_key(stage, partner), body).status_code == 200
    stage.settle()
    return stage.events("tracking")[-1]


def push_return(stage: Stage) -> None:
    """RMS introduces the return."""
    item = {"itemCode": "I-1", "sku": "SHIRT-M", "reason": "Different size"}
    assert stage.sandbox.rms.push_return(RETURN, FORWARD, [item], awbNumber=AWB)[0] == 200
    stage.settle()


def find_return(stage: Stage, code: str = RETURN) -> ReturnOrder:
    """The return as we know it."""
    with stage.runtime.database.read() as session:
        return session.scalars(select(ReturnOrder).where(ReturnOrder.code == code)).one()


def count_updates(stage: Stage) -> int:
    """How often OMS was told a newer status."""
    return stage.sandbox.oms.effects.get("returns_updated", 0)


def test_a_clickpost_webhook_moves_the_return_and_oms_hears_it(stage: Stage) -> None:
    push_return(stage)
    event = tell(stage, "clickpost", load("clickpost__return_picked_up"))
    assert (event.source, event.outcome) == ("clickpost", "handled"), event.reason
    assert find_return(stage).status == "picked_up"
    told = stage.sandbox.oms.return_order(RETURN)
    assert told["statuses"][-1] == "PickedUp"
    assert (told["awb"], told["transporter"]) == (AWB, "Delhivery")


def test_a_shiprocket_webhook_finds_the_return_by_its_awb(stage: Stage) -> None:
    push_return(stage)
    event = tell(stage, "st", load("shiprocket__return_picked_up") | {"order_id": "X_1", "sr_order_id": 1})
    assert (event.source, event.outcome) == ("shiprocket", "handled"), event.reason
    assert find_return(stage).status == "picked_up"
    told = stage.sandbox.oms.return_order(RETURN)
    # RMS's name of the courier stays: OMS knows that one
    assert (told["statuses"][-1], told["transporter"]) == ("PICKED UP", "Delhivery")


@pytest.mark.parametrize(
    "ids", [{"sr_order_id": RETURN, "order_id": "X"}, {"order_id": f"{RETURN}_15"}, {"order_id": f"15_{RETURN}"}]
)
def test_a_shiprocket_webhook_finds_the_return_by_its_order_ids(stage: Stage, ids: dict[str, str]) -> None:
    push_return(stage)
    event = tell(stage, "st", load("shiprocket__return_picked_up") | {"awb": "", "sr_order_id": 7} | ids)
    assert event.outcome == "handled", event.reason
    assert find_return(stage).status == "picked_up"


def test_what_is_told_twice_or_late_changes_nothing(stage: Stage) -> None:
    push_return(stage)
    tell(stage, "clickpost", load("clickpost__return_picked_up"))
    told = count_updates(stage)
    again = tell(stage, "clickpost", load("clickpost__return_picked_up"))
    by_other = tell(stage, "st", load("shiprocket__return_picked_up"))
    late = tell(stage, "clickpost", load("clickpost__return_approved_wrapped"))
    assert [one.outcome for one in (again, by_other, late)] == ["ignored"] * 3, stage.describe()
    assert find_return(stage).status == "picked_up"
    assert count_updates(stage) == told


def test_an_unknown_code_is_shown_and_moves_nothing(stage: Stage) -> None:
    push_return(stage)
    body = load("clickpost__return_picked_up")
    body["additional"]["latest_status"] |= {"clickpost_status_code": 777, "clickpost_status_description": "Beamed"}
    event = tell(stage, "clickpost", body)
    assert event.outcome == "unknown"
    assert "unknown Clickpost code 777 (Beamed)" in str(event.reason)
    assert find_return(stage).status == "requested"
    assert count_updates(stage) == 0


@pytest.mark.parametrize("flag", [True, False])
def test_an_rto_of_a_customers_return_is_quarantined(stage: Stage, flag: bool) -> None:
    push_return(stage)
    body = load("clickpost__return_picked_up")
    body["additional"] |= {"is_rvp": flag}
    body["additional"]["latest_status"] |= {
        "clickpost_status_code": 14,
        "clickpost_status_description": "RTO Delivered",
    }
    event = tell(stage, "clickpost", body)
    assert event.outcome == "parked"
    assert "RTO" in str(event.reason)
    assert find_return(stage).status == "requested"


def test_an_rto_that_rms_registered_moves_on(stage: Stage) -> None:
    item = {"itemCode": "I-1", "sku": "SHIRT-M"}
    stage.sandbox.rms.push_return(RETURN, FORWARD, [item], awbNumber="FWD9001", orderType="RETURN_TO_ORIGIN")
    stage.settle()
    body = load("clickpost__forward_in_transit")
    body["additional"]["latest_status"] |= {
        "clickpost_status_code": 14,
        "clickpost_status_description": "RTO Delivered",
    }
    assert tell(stage, "clickpost", body).outcome == "handled"
    assert find_return(stage).status == "rto_delivered"


def test_clickpost_may_introduce_a_return_but_not_without_a_courier(stage: Stage) -> None:
    event = tell(stage, "clickpost", load("clickpost__return_placed"))
    assert event.outcome == "parked"
    assert "no AWB, transporter" in str(event.reason)
    stage.configure({"rms": {"awb_source": "increff"}})
    event = tell(stage, "clickpost", load("clickpost__return_placed"))
    assert event.outcome == "handled", event.reason
    with stage.runtime.database.read() as session:
        assert len(load_units(session, find_return(stage).id)) == 3
    assert [one.about for one in stage.effects("oms.expect_return")] == [RETURN]


def test_a_return_nobody_introduced_is_not_made_up(stage: Stage) -> None:
    event = tell(stage, "st", load("shiprocket__return_picked_up"))
    assert event.outcome == "ignored"
    assert f"AWB {AWB}" in str(event.reason)
    event = tell(stage, "clickpost", load("clickpost__return_picked_up") | {"item_info": None})
    assert event.outcome == "parked"
    assert "names no items" in str(event.reason)
    assert stage.effects() == []


def test_an_awb_of_several_returns_moves_none(stage: Stage) -> None:
    push_return(stage)
    item = {"itemCode": "I-2", "sku": "CAP"}
    stage.sandbox.rms.push_return("RET-2", FORWARD, [item], awbNumber=AWB)
    stage.settle()
    event = tell(stage, "st", load("shiprocket__return_picked_up"))
    assert event.outcome == "parked"
    assert "RET-1, RET-2" in str(event.reason)


@pytest.mark.parametrize("name", ["clickpost__forward_in_transit", "shiprocket__forward_in_transit"])
def test_a_forward_parcel_is_ignored_by_name(stage: Stage, name: str) -> None:
    event = tell(stage, "clickpost" if name.startswith("click") else "st", load(name))
    assert event.outcome == "ignored"
    assert "forward parcel" in str(event.reason)


def test_a_hand_to_hand_exchange_releases_nothing(stage: Stage) -> None:
    order = stage.sandbox.shopify.create_order(
        stage.shop,
        tags=["increff_exchange", "increff_hold"],
        line_items=[{"sku": "SHIRT-L", "quantity": 1, "price": "499.00"}],
        note_attributes={"return_order_code": RETURN},
    )
    push_return(stage)
    body = load("clickpost__return_picked_up")
    for code in (30, 31, 32):
        body["additional"]["latest_status"]["clickpost_status_code"] = code
        tell(stage, "clickpost", body)
    assert find_return(stage).status == "hand_exchange"
    assert stage.exchange(order["id"]).state == "awaiting_goods"
    assert "increff_hold" in stage.sandbox.shopify.orders(stage.shop)[0]["tags"]


def test_delivered_at_the_warehouse_lets_the_exchange_wait_for_its_verdict(stage: Stage) -> None:
    order = stage.sandbox.shopify.create_order(
        stage.shop,
        tags=["increff_exchange", "increff_hold"],
        line_items=[{"sku": "SHIRT-L", "quantity": 1, "price": "499.00"}],
        note_attributes={"return_order_code": RETURN},
    )
    push_return(stage)
    tell(stage, "st", load("shiprocket__return_picked_up") | {"current_status_id": 26, "shipment_status_id": 7})
    assert stage.exchange(order["id"]).state == "awaiting_verdict"


def list_cells(stage: Stage) -> list[str]:
    """Every value of every row of every table, as text."""
    tables = MetaData()
    tables.reflect(stage.runtime.database.engine)
    with stage.runtime.database.read() as session:
        rows = [row for table in tables.sorted_tables for row in session.execute(select(table))]
    return [one.decode("latin-1") if isinstance(one, bytes) else str(one) for row in rows for one in row]


def test_people_in_a_webhook_reach_no_table_and_no_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    push_return(stage)
    tell(stage, "clickpost", load("clickpost__return_picked_up"))
    unknown = load("clickpost__return_picked_up")
    unknown["additional"]["latest_status"] = {"clickpost_status_code": 777, "status": "Left with Asha Venkataraman"}
    tell(stage, "clickpost", unknown)
    tell(stage, "st", load("shiprocket__return_picked_up"))
    cells = list_cells(stage)
    assert any("PickedUp" in cell for cell in cells)
    assert [cell[:80] for cell in cells for one in PEOPLE if one in cell] == []
    assert "tracking" in caplog.text or "event" in caplog.text
    assert [one for one in PEOPLE if one in caplog.text] == []
