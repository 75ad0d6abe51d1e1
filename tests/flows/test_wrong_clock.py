"""A whole exchange while the processes' wall clock is two hours wrong: everything once, and OMS hears right times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core.clock import parse_time
from tests.flows.stage import Stage
from tests.flows.test_hands import rest
from tests.flows.test_mixed import line


@pytest.mark.parametrize("hours", [-2, 2])
def test_an_exchange_ends_as_ever(stage: Stage, hours: int) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(hours=hours), tick=True):
        order = stage.new_order([line("NEW-A", "A")])
        stage.push_return({"A": "S"})
        rest(stage)
        stage.judge({"A": "PASS"})
        stage.wait_for(lambda: stage.exists(order, "released"))
        rest(stage)
    assert stage.oms_calls(order) == ["unhold"]
    created = [call["body"] for call in stage.sandbox.oms.calls if call["path"] == "/orders/outward"]
    assert len(created) == 1
    assert abs(parse_time(created[0]["startProcessingTime"]) - now) < timedelta(minutes=10)
