"""What a send froze: a request that may have been done is repeated as it was, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import Ambiguous, Transient
from core.registry import Done, Job
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import deliver


@pytest.mark.parametrize(
    ("fault", "repeated"), [(Transient("could not connect"), "new"), (Ambiguous("no answer"), "old")]
)
def test_a_send_that_certainly_did_nothing_freezes_nothing(relay: RelayStage, fault: Exception, repeated: str) -> None:
    effect = relay.want()
    said, answers = iter(["old", "new"]), iter([fault, Done()])
    relay.far.on_render = lambda job: next(said)

    def send(job: Job) -> Any:
        result = next(answers)
        if isinstance(result, Exception):
            raise result
        return result

    relay.far.on_send = send
    deliver(relay.runtime)
    relay.make_due(effect)
    deliver(relay.runtime)
    assert relay.effect(effect).state == "done"
    assert relay.far.requests == ["old", repeated]
