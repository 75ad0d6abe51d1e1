"""One exchange from the customer's return to its end, in every order in which the three messages may arrive."""

from __future__ import annotations

import itertools

import pytest

from tests.flows.stage import HOLD, REPLACEMENT, Stage

RETURN, FORWARD = "RET-1", "108"
ITEM = {"itemCode": "I-1", "sku": "SHIRT-M", "reason": "Different size"}


def send_order(stage: Stage) -> None:
    """The replacement order appears in Shopify, held, and names its return."""
    stage.sandbox.shopify.create_order(
        stage.shop,
        tags=[REPLACEMENT, HOLD],
        line_items=[{"sku": "SHIRT-L", "quantity": 1, "price": "499.00"}],
        note_attributes={"return_order_code": RETURN},
    )


def send_return(stage: Stage) -> None:
    """RMS pushes the return order."""
    assert stage.sandbox.rms.push_return(RETURN, FORWARD, [ITEM])[0] == 200


def send_verdict(stage: Stage, status: str) -> None:
    """RMS reports QC."""
    verdict = {
        "itemCode": "I-1",
        "sku": "SHIRT-M",
        "status": status,
        "reason": None if status == "PASS" else "STAIN_DAMAGE",
    }
    assert stage.sandbox.rms.send_verdict(RETURN, FORWARD, [verdict])[0] == 200


@pytest.mark.parametrize("order", list(itertools.permutations(["order", "return", "verdict"])), ids="-".join)
@pytest.mark.parametrize("status", ["PASS", "FAIL"])
def test_same_end_whatever_comes_first(stage: Stage, order: tuple[str, ...], status: str) -> None:
    for step in order:
        if step == "order":
            send_order(stage)
        elif step == "return":
            send_return(stage)
        else:
            send_verdict(stage, status)
        stage.settle()
    made = stage.sandbox.shopify.orders(stage.shop)[0]
    told = stage.sandbox.oms.order(str(made["id"]))
    assert stage.sandbox.oms.return_order(RETURN)["forward_order_code"] == FORWARD
    assert stage.sandbox.oms.effects["returns_created"] == 1
    assert len([one for one in stage.sandbox.partner.received if one["path"] == "/qc"]) == 1
    if status == "PASS":
        assert stage.exchange(made["id"]).state == "released"
        assert HOLD not in made["tags"]
        assert made["cancelled_at"] is None
        assert told["on_hold"] is False
    else:
        assert stage.exchange(made["id"]).state == "cancelled"
        assert made["cancelled_at"] is not None
        assert made["cancel_requests"] == 1
        assert HOLD in made["tags"]
        # an order that was cancelled before OMS ever heard of it is not told to OMS
        assert told is None or (told["on_hold"] and set(told["cancelled"].values()) == {1})
    assert not [one for one in stage.effects() if one.state == "parked"]
