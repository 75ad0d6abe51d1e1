"""What a send froze: a request that may have been done is repeated as it was, and no other; and until it has settled,
nothing that contradicts it is sent, for it may arrive late."""

from __future__ import annotations

from typing import Any

import pytest

from core.domain.effects import (
    OMS_CREATE_ORDER,
    OMS_HOLD_ORDER,
    OMS_UPDATE_RETURN,
    PARTNER_FORWARD_RETURN,
    SHOPIFY_TAG_ORDER,
    EffectKind,
)
from core.errors import Ambiguous, Transient
from core.models import Effect
from core.registry import Done, Job
from core.relay.jobs import work
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


ABSOLUTE = [OMS_HOLD_ORDER, OMS_UPDATE_RETURN, SHOPIFY_TAG_ORDER]


def lose_answer(relay: RelayStage, kind: EffectKind) -> int:
    """An effect that was sent and not answered, of which we do not know when it arrives; due again by its schedule."""
    answers = iter([Ambiguous("no answer")])

    def send(job: Job) -> Done:
        for lost in answers:
            raise lost
        return Done()

    relay.far.on_send = send
    relay.runtime.config = relay.runtime.config.model_copy(update={"settle_seconds": 30.0})
    effect = relay.want(kind=kind, lane="one", end={"on": 1}) or 0
    deliver(relay.runtime)
    relay.change(Effect, effect, due_at=relay.effect(effect).created_at)
    return effect


@pytest.mark.parametrize("kind", ABSOLUTE, ids=lambda kind: kind.name)
def test_nothing_contrary_is_sent_while_what_was_sent_may_still_be_on_its_way(
    relay: RelayStage, kind: EffectKind
) -> None:
    older = lose_answer(relay, kind)
    newer = relay.want(kind=kind, lane="one", end={"on": 2})
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [older]
    relay.make_due(older)
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [older, newer]
    assert relay.states() == ["superseded", "done"]


@pytest.mark.parametrize("kind", ABSOLUTE, ids=lambda kind: kind.name)
def test_nor_is_it_repeated_before_so_that_its_lane_waits(relay: RelayStage, kind: EffectKind) -> None:
    older = lose_answer(relay, kind)
    another = relay.want("other", kind=kind, lane="one")
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [older]
    relay.make_due(older)
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [older, older, another]


def test_a_message_with_a_key_is_repeated_as_soon_as_it_is_due(relay: RelayStage) -> None:
    effect = lose_answer(relay, PARTNER_FORWARD_RETURN)
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [effect, effect]


@pytest.mark.parametrize("kind", [*ABSOLUTE, OMS_CREATE_ORDER, PARTNER_FORWARD_RETURN], ids=lambda kind: kind.name)
def test_a_far_side_that_asks_for_longer_is_left_for_longer(relay: RelayStage, kind: EffectKind) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("503", retry_after=600))
    effect = relay.effect(relay.want(kind=kind))
    deliver(relay.runtime)
    assert (relay.effect(effect.id).due_at - effect.due_at).total_seconds() >= 600


def raise_(error: Exception) -> None:
    raise error
