"""Replaying events: as a rehearsal that changes nothing, and for good; effects are never made twice by it."""

from __future__ import annotations

from core.relay.thinking import rehearse, replay_event
from tests.flows.stage import Stage


def test_a_rehearsal_says_the_end_and_changes_nothing(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.configure({"mode": "paused"})
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    before = len(stage.effects())
    said = [
        rehearse(stage.runtime, one.id) for one in (*stage.events("return_order"), *stage.events("processing_update"))
    ]
    assert [one.kind for one in said] == ["handled", "handled"]
    assert len(stage.effects()) == before
    assert {one.outcome for one in stage.events("processing_update")} == {None}
    assert order["id"]


def test_an_event_replayed_for_good_makes_nothing_twice(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"})
    stage.judge({"A": "PASS"})
    stage.settle()
    calls, mail = len(stage.sandbox.oms.calls), len(stage.sandbox.partner.received)
    for topic in ("orders/create", "return_order", "processing_update"):
        with stage.runtime.database.write() as session:
            replay_event(session, session.merge(stage.events(topic)[0]))
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert (len(stage.sandbox.oms.calls), len(stage.sandbox.partner.received)) == (calls, mail)


def test_a_parked_event_goes_through_once_its_cause_is_gone(stage: Stage) -> None:
    stage.configure({"oms": {"default_location": None}})
    stage.sandbox.rms.notify("RET-1", "108", "IN_TRANSIT", [{"itemId": "A", "sku": "S", "quantity": 1}], awb="AWB-1")
    stage.settle()
    parked = stage.events("notification")[0]
    assert parked.outcome == "parked"
    assert "location" in (parked.reason or "")
    stage.configure({"oms": {"default_location": "Wid234"}})
    with stage.runtime.database.write() as session:
        replay_event(session, session.merge(parked))
    stage.settle()
    assert stage.sandbox.oms.return_order("RET-1") is not None
