"""What a send froze: a request that may have been done is repeated as it was, and no other; and until it has settled,
nothing that contradicts it is sent, for it may arrive late."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now, read_clock
from core.domain.effects import (
    OMS_CREATE_ORDER,
    OMS_HOLD_ORDER,
    OMS_UPDATE_RETURN,
    PARTNER_FORWARD_RETURN,
    SHOPIFY_CANCEL_ORDER,
    SHOPIFY_TAG_ORDER,
    EffectKind,
)
from core.errors import Ambiguous, Permanent, Transient, Undone
from core.flows.interventions import retry_effect
from core.models import Attempt, Effect
from core.registry import Absent, Done, Job, Waiting
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


@pytest.mark.parametrize("kind", ABSOLUTE, ids=lambda kind: kind.name)
@pytest.mark.parametrize("words", [{"retry_after": 3600}, {}], ids=["asked for an hour", "failed often"])
def test_what_nobody_wants_any_more_holds_its_lane_until_it_has_settled_and_no_longer(
    relay: RelayStage, kind: EffectKind, words: dict[str, float]
) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("503", **words))
    older = relay.want(kind=kind, lane="one", end={"on": 1})
    relay.change(Effect, older or 0, attempts=6)
    deliver(relay.runtime)
    assert seconds_until_due(relay, older) > 600
    relay.far.on_send = lambda job: Done()
    newer = relay.want(kind=kind, lane="one", end={"on": 2})
    work(relay.runtime, 5)
    assert relay.states() == ["pending", "pending"]  # it has not settled
    assert seconds_until_due(relay, older) <= relay.runtime.config.settle_seconds
    relay.make_due(older)
    work(relay.runtime, 5)
    assert relay.states() == ["superseded", "done"]
    assert [job.id for job in relay.far.sent] == [older, newer]


def seconds_until_due(relay: RelayStage, effect_id: int | None) -> float:
    with relay.runtime.database.read() as session:
        return (relay.effect(effect_id).due_at - read_clock(session)).total_seconds()


def test_what_nobody_wants_any_more_is_not_parked_at_the_end_of_its_schedule(relay: RelayStage) -> None:
    older = lose_answer(relay, OMS_HOLD_ORDER)
    relay.want(kind=OMS_HOLD_ORDER, lane="one", end={"on": 2})
    relay.change(Effect, older, attempts=10_000)
    relay.make_due(older)
    work(relay.runtime, 5)
    assert relay.states() == ["superseded", "done"]


def test_nor_when_the_far_side_refuses_a_repeat_that_was_under_way(relay: RelayStage) -> None:
    older = lose_answer(relay, OMS_HOLD_ORDER)
    relay.make_due(older)

    def refuse(job: Job) -> Done:
        if job.id == older:
            relay.want(kind=OMS_HOLD_ORDER, lane="one", end={"on": 2})
            raise Permanent("400")
        return Done()

    relay.far.on_send = refuse
    work(relay.runtime, 5)
    relay.make_due(older)
    work(relay.runtime, 5)
    assert relay.states() == ["superseded", "done"]


def test_what_a_look_proved_absent_is_sent_as_it_is_wanted_now(relay: RelayStage) -> None:
    said = iter(["old", "new"])
    relay.far.on_render = lambda job: next(said)
    relay.far.on_look = lambda job: Absent()
    effect = lose_answer(relay, OMS_CREATE_ORDER)
    relay.make_due(effect)
    work(relay.runtime, 5)
    assert relay.far.requests == ["old", "new"]
    assert relay.states() == ["done"]


def test_what_the_far_side_says_it_did_not_do_begins_anew_when_it_is_retried(relay: RelayStage) -> None:
    answers = iter([Waiting(0.0, {"job": "gid"}, "at it")])
    relay.far.on_send = lambda job: next(answers, Done())
    relay.far.on_look = lambda job: raise_(Undone("the job failed"))
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    work(relay.runtime, 5)
    parked = relay.effect(effect)
    assert (parked.state, parked.reason, parked.progress, parked.started) == ("parked", "the job failed", {}, False)
    with relay.runtime.database.write() as session:
        retry_effect(session, relay.shop_id, effect or 0, "somebody")
    work(relay.runtime, 5)
    assert relay.states() == ["done"]
    assert [act for act, _ in relay.attempts(effect)] == ["send", "look", "send"]


def test_an_interrupted_send_settles_from_when_it_can_no_longer_be_under_way(relay: RelayStage) -> None:
    effect = lose_answer(relay, OMS_CREATE_ORDER)
    with relay.runtime.database.write() as session:  # as a worker leaves it that dies in the middle of its call
        session.execute(update(Attempt).values(result=None, began_at=db_now(-5)))
    relay.change(Effect, effect, state="sending", unclear_since=None, attempts=0)
    relay.let_lease_run_out(Effect, effect)
    work(relay.runtime, 5)
    assert relay.far.looked == []
    assert seconds_until_due(relay, effect) > relay.runtime.config.settle_seconds - 5
