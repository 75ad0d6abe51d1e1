"""A process whose wall clock is hours wrong: nobody is asked twice, nothing waits for it or is taken too early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core.domain.effects import OMS_CREATE_ORDER
from core.errors import Ambiguous
from core.models import Effect, Event
from core.registry import Done, Job
from core.relay.delivery import claim_due
from core.relay.jobs import work
from core.relay.thinking import claim_waiting
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import deliver

pytestmark = pytest.mark.parametrize("hours", [-2, 2])


@contextmanager
def wrong_by(hours: int) -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True):
        yield


def test_what_another_has_is_left_to_it_until_its_lease_is_over(relay: RelayStage, hours: int) -> None:
    effect, event = relay.want("a"), relay.record("a")
    assert claim_due(relay.runtime, 8)
    assert claim_waiting(relay.runtime, 8)
    with wrong_by(hours):
        assert claim_due(relay.runtime, 8) == claim_waiting(relay.runtime, 8) == []
        relay.let_lease_run_out(Effect, effect)
        relay.let_lease_run_out(Event, event)
        assert work(relay.runtime, 10)
    assert len(relay.far.sent) == len(relay.handler.applied) == 1
    assert relay.states() == ["done"]


def test_one_that_is_right_leaves_alone_what_one_that_is_wrong_has(relay: RelayStage, hours: int) -> None:
    relay.want("a")
    relay.record("a")
    with wrong_by(hours):
        assert claim_due(relay.runtime, 8)
        assert claim_waiting(relay.runtime, 8)
    assert claim_due(relay.runtime, 8) == claim_waiting(relay.runtime, 8) == []


def test_what_is_due_later_is_due_then(relay: RelayStage, hours: int) -> None:
    later = relay.want("later", delay_seconds=60)
    with wrong_by(hours):
        soon = relay.want("soon")
        assert work(relay.runtime, 10)
        assert relay.effect(soon).state == "done"
        assert relay.effect(later).state == "pending"
        relay.make_due(later)
        assert work(relay.runtime, 10)
    assert relay.effect(later).state == "done"


def test_an_unclear_outcome_rests_as_long_as_it_must(relay: RelayStage, hours: int) -> None:
    def lose(job: Job) -> Done:
        raise Ambiguous("no answer")

    relay.far.on_send = lose
    relay.runtime.config = relay.runtime.config.model_copy(update={"settle_seconds": 30.0})
    effect = relay.want("a", kind=OMS_CREATE_ORDER)
    deliver(relay.runtime)
    relay.change(Effect, effect or 0, due_at=relay.effect(effect).created_at)
    with wrong_by(hours):
        deliver(relay.runtime)
        assert relay.far.looked == []
        relay.make_due(effect)
        deliver(relay.runtime)
    assert relay.states() == ["done"]
    assert (len(relay.far.sent), len(relay.far.looked)) == (1, 1)
