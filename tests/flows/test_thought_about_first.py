"""News of what we are doing to an order is the second half of its verdict, and is thought about as soon."""

from __future__ import annotations

import pytest

from core.relay.inbox import FIRST, KNOWN
from tests.flows.stage import Stage
from tests.flows.test_hands import rest
from tests.flows.test_mixed import line


@pytest.mark.parametrize(("said", "end"), [("PASS", "released"), ("FAIL", "cancelled")])
def test_what_shopify_tells_of_our_own_act_comes_first(stage: Stage, said: str, end: str) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.push_return({"A": "S"})
    rest(stage)
    before = {one.id for one in stage.events("orders/updated")}
    stage.judge({"A": said})
    stage.wait_for(lambda: stage.exists(order, end))
    rest(stage)
    told = [one.priority for one in stage.events("orders/updated") if one.id not in before]
    assert told
    assert set(told) <= {FIRST, KNOWN}
    assert told[0] == FIRST
