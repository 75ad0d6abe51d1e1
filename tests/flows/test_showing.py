"""What the command line shows of an event and of an exchange: everything that happened, and nobody's address."""

from __future__ import annotations

import json
from typing import Any

from tests.flows.stage import Stage

PERSON = {"address1": "221B Baker Street", "city": "Coimbatore", "first_name": "Meenakshi"}
PICKUP = {
    "name": "Asha Rao",
    "line1": "14 Rose Garden",
    "city": "Pune",
    "state": "MH",
    "zip": "411001",
    "country": "India",
    "email": "asha@example.com",
    "phone": "9886012345",
}


def run(stage: Stage, *words: str) -> str:
    """`flask --app app …`, which must succeed."""
    ended = stage.app.test_cli_runner().invoke(args=list(words))
    assert ended.exit_code == 0, ended.output
    return ended.output


def read(stage: Stage, *words: str) -> Any:
    return json.loads(run(stage, *words, "--json"))


def play(stage: Stage) -> int:
    """One exchange to its end. Returns its id."""
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}], address=PERSON, email="meenakshi@example.com")
    stage.push_return({"A": "S"}, pickupAddress=PICKUP)
    stage.settle()
    stage.judge({"A": "PASS"})
    stage.settle()
    assert stage.state(order)[0] == "released"
    return stage.exchange(order["id"]).id


def test_an_exchange_is_shown_across_all_systems_in_one_line_of_time(stage: Stage) -> None:
    exchange = play(stage)
    shown = read(stage, "exchanges", "show", str(exchange))
    assert [one["verdict"] for one in shown["returns"][0]["units"]] == ["PASS"]
    assert {one["kind"] for one in shown["effects"]} == {
        *("oms.create_order", "oms.expect_return", "oms.unhold_order"),
        *("shopify.tag_order", "partner.report_qc"),
    }
    assert all(one["tries"][-1]["result"] == "done" for one in shown["effects"])
    told = [one["what"] for one in shown["timeline"]]
    assert set(told) == {"event", "verdict", "link", "decision", "effect", "attempt"}
    assert [one["at"] for one in shown["timeline"]] == sorted(one["at"] for one in shown["timeline"])
    assert "released" in run(stage, "exchanges", "show", str(exchange))


def test_an_event_is_shown_with_what_it_caused(stage: Stage) -> None:
    play(stage)
    event = stage.events("processing_update")[0]
    shown = read(stage, "events", "show", str(event.id))
    assert (shown["outcome"], shown["verdicts"][0]["verdict"]) == ("handled", "PASS")
    assert {one["kind"] for one in shown["effects"]} == {"shopify.tag_order", "partner.report_qc"}
    assert shown["moved"][-1]["state"] == "releasing"
    assert shown["body"]["orderItems"][0]["qcStatus"] == "PASS"
    assert "partner.report_qc" in run(stage, "events", "show", str(event.id))


def test_bodies_are_shown_without_people(stage: Stage) -> None:
    play(stage)
    said = "".join(
        run(stage, "events", "show", str(one.id), *json_too)
        for topic in ("orders/create", "orders/updated", "return_order")
        for one in stage.events(topic)
        for json_too in ((), ("--json",))
    )
    for word in ("Baker", "Coimbatore", "eenakshi", "Asha", "Rose", "411001", "9886012345", "@example"):
        assert word not in said, word
    assert "increff_hold" in said
    assert '"returnOrderCode": "RET-1"' in said


def test_both_versions_of_a_return_are_shown_with_what_differs(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"A": "S"}, pickupAddress=PICKUP)
    stage.settle()
    stage.push_return({"A": "OTHER"}, pickupAddress={**PICKUP, "line1": "15 Rose Garden"})
    stage.settle()
    exchange = str(stage.exchange(order["id"]).id)
    conflict = read(stage, "exchanges", "show", exchange)["returns"][0]["conflict"]
    times = ("returnOrderTime", "expectedDate", "orderDetails.invoiceTime")  # the stand-in stamps each push anew
    assert [one for one in conflict["differing"] if one["path"] not in times] == [
        {"path": "orderItems[0].channelSkuCode", "first": "S", "other": "OTHER"},
        {"path": "pickupAddress.line1", "first": "***", "other": "***"},
    ]
    assert conflict["first"]["orderItems"][0]["channelSkuCode"] == "S"
    assert conflict["other"]["orderItems"][0]["channelSkuCode"] == "OTHER"
    said = run(stage, "exchanges", "show", exchange)
    assert "orderItems[0].channelSkuCode" in said
    assert "Rose" not in said


def test_an_event_that_is_not_there_is_said(stage: Stage) -> None:
    for words in (("events", "show", "999"), ("exchanges", "show", "999")):
        ended = stage.app.test_cli_runner().invoke(args=list(words))
        assert ended.exit_code != 0
        assert "999" in ended.output
