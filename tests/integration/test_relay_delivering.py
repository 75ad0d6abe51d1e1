"""Carrying out: leases and fences, unclear outcomes, and what each fate leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.clock import monotonic
from core.db import db_now, read_clock
from core.domain.effects import KINDS, OMS_CREATE_ORDER, OMS_UNHOLD_ORDER, SHOPIFY_CANCEL_ORDER
from core.errors import AccessRefused, Ambiguous, Gone, NeedsSettings, Permanent, Throttled, Transient
from core.flows import tenants
from core.models import Attempt, Effect
from core.registry import Absent, Done, NotNeeded, Waiting
from core.relay.backoff import SCHEDULES
from core.relay.claiming import claim_effects
from core.relay.delivery import deliver_one
from core.relay.inbox import Claim
from core.relay.jobs import work
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import deliver


def claim_one(relay: RelayStage) -> Claim:
    with relay.runtime.database.write() as session:
        (claim,) = claim_effects(session, 10)
    return claim


def answer(*results: Any) -> Any:
    """A far side that gives these answers in turn, the last one for ever."""
    left = list(results)

    def give(_job: object) -> Any:
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    return give


def seconds_until_due(relay: RelayStage, effect_id: int | None) -> float:
    with relay.runtime.database.read() as session:
        return float((session.get_one(Effect, effect_id).due_at - read_clock(session)) / timedelta(seconds=1))


def test_sent_settled_done(relay: RelayStage) -> None:
    effect = relay.want()
    assert deliver(relay.runtime) == 1
    row = relay.effect(effect)
    assert (row.state, row.reason, row.lease_until, row.request) == ("done", None, None, None)
    assert row.ended_at is not None
    assert relay.attempts(effect) == [("send", "done")]
    assert len(relay.far.settled) == 1


def test_a_claim_whose_lease_ran_out_writes_nothing(relay: RelayStage) -> None:
    effect = relay.want()
    old = claim_one(relay)
    relay.let_lease_run_out(Effect, effect)
    new = claim_one(relay)
    assert (new.id, new.fence) == (old.id, old.fence + 1)
    deliver_one(relay.runtime, old, monotonic())
    assert relay.far.sent == []
    assert relay.attempts(effect) == []
    deliver_one(relay.runtime, new, monotonic())
    assert relay.effect(effect).state == "done"


def test_a_worker_frozen_in_mid_send_writes_nothing_afterwards(relay: RelayStage) -> None:
    effect = relay.want(kind=OMS_UNHOLD_ORDER)
    old = claim_one(relay)

    def freeze(_job: object) -> Done:
        relay.let_lease_run_out(Effect, effect)
        claim_one(relay)
        return Done(facts="from the frozen one")

    relay.far.on_send = freeze
    deliver_one(relay.runtime, old, monotonic())
    assert relay.far.settled == []
    assert relay.effect(effect).state == "sending"


def test_a_worker_too_slow_to_start_sends_nothing(relay: RelayStage) -> None:
    effect = relay.want()
    deliver_one(relay.runtime, claim_one(relay), monotonic() - 13)
    assert relay.far.sent == []
    assert (relay.effect(effect).state, relay.effect(effect).attempts) == ("pending", 0)


def interrupt(relay: RelayStage, effect: int | None) -> None:
    """A worker died after it wrote that its send begins."""
    claim = claim_one(relay)

    class Killed(BaseException):
        pass

    relay.far.on_send = lambda job: (_ for _ in ()).throw(Killed())
    with pytest.raises(Killed):
        deliver_one(relay.runtime, claim, monotonic())
    relay.let_lease_run_out(Effect, effect)
    assert relay.attempts(effect)[-1] == ("send", None)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.looks], ids=lambda kind: kind.name)
@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_send_is_looked_up_before_it_is_sent_again(relay: RelayStage, kind: Any, there: bool) -> None:
    effect = relay.want(kind=kind)
    interrupt(relay, effect)
    sent = len(relay.far.sent)
    relay.far.on_send = answer(Done())
    relay.far.on_look = answer(Done() if there else Absent())
    while not relay.far.looked:
        deliver(relay.runtime)  # until it has settled
        relay.make_due(effect)
    assert len(relay.far.looked) == 1
    assert len(relay.far.sent) == sent
    relay.make_due(effect)
    work(relay.runtime, 5)
    assert relay.effect(effect).state == "done"
    assert len(relay.far.sent) == sent + (0 if there else 1)
    assert relay.attempts(effect)[0] == ("send", "interrupted")
    assert len({str(request) for request in relay.far.requests}) == 1


def test_an_interrupted_absolute_send_is_sent_again_with_the_same_request(relay: RelayStage) -> None:
    effect = relay.want(kind=OMS_UNHOLD_ORDER)
    numbers = iter(range(10))
    relay.far.on_render = lambda job: {"rendered": next(numbers)}
    interrupt(relay, effect)
    relay.far.on_send = answer(Done())
    deliver(relay.runtime)  # until it has settled
    relay.make_due(effect)
    work(relay.runtime, 5)
    assert relay.effect(effect).state == "done"
    assert relay.far.requests == [{"rendered": 0}, {"rendered": 0}]
    assert len({job.key for job in relay.far.sent}) == 1


def test_an_interrupted_look_is_a_look_again(relay: RelayStage) -> None:
    effect = relay.want(kind=OMS_CREATE_ORDER)
    relay.far.on_send = answer(Ambiguous("no answer"))
    deliver(relay.runtime)
    with relay.runtime.database.write() as session:
        session.add(Attempt(effect_id=effect, act="look", fence=9, began_at=db_now()))
    relay.make_due(effect)
    relay.far.on_look = answer(Done())
    deliver(relay.runtime)
    assert relay.effect(effect).state == "done"
    assert len(relay.far.sent) == 1


def test_an_unclear_cancel_rests_longer_and_is_never_sent_blindly(relay: RelayStage) -> None:
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    relay.far.on_send = answer(Ambiguous("no answer"))
    relay.far.on_look = answer(Ambiguous("cannot tell"))
    for _ in range(4):
        deliver(relay.runtime)
        relay.make_due(effect)
    assert len(relay.far.sent) == 1
    assert len(relay.far.looked) == 3


def test_a_cancel_gets_one_second_chance_and_is_parked(relay: RelayStage) -> None:
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    relay.far.on_send = answer(Ambiguous("no answer"))
    relay.far.on_look = answer(Absent())
    for _ in range(8):
        deliver(relay.runtime)
        relay.make_due(effect)
    assert len(relay.far.sent) == 2
    assert relay.effect(effect).state == "parked"


@pytest.mark.parametrize("results", [[Waiting(0), Done()], [Waiting(0, {"job": "1"}), Waiting(0), Done()]])
def test_what_takes_long_there_is_looked_at_till_its_end(relay: RelayStage, results: list[Any]) -> None:
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    relay.far.on_send = answer(results[0])
    relay.far.on_look = answer(*results[1:])
    work(relay.runtime, 5)
    assert relay.effect(effect).state == "done"
    assert len(relay.far.sent) == 1
    assert len(relay.far.looked) == len(results) - 1
    assert relay.far.looked[0].progress.items() >= results[0].progress.items()


def test_throttling_counts_no_attempt_and_waits_as_asked(relay: RelayStage) -> None:
    effect = relay.want()
    relay.far.on_send = answer(Throttled("slow down", 100))
    for _ in range(5):
        deliver(relay.runtime)
        assert 98 < seconds_until_due(relay, effect) < 125
        relay.make_due(effect)
    assert (relay.effect(effect).state, relay.effect(effect).attempts) == ("pending", 0)


def test_a_transient_failure_counts_and_honours_retry_after(relay: RelayStage) -> None:
    effect = relay.want()
    relay.far.on_send = answer(Transient("away", 500))
    deliver(relay.runtime)
    assert relay.effect(effect).attempts == 1
    assert relay.effect(effect).unclear_since is None
    assert seconds_until_due(relay, effect) > 495


@pytest.mark.parametrize("error", [Permanent("the words of the far side"), Gone("the words of the far side")])
def test_a_refusal_parks_with_the_far_sides_words(relay: RelayStage, error: Exception) -> None:
    effect = relay.want()
    relay.far.on_send = answer(error)
    work(relay.runtime, 5)
    row = relay.effect(effect)
    assert (row.state, row.reason) == ("parked", "the words of the far side")
    assert row.request is not None  # a person may retry it as it was


@pytest.mark.parametrize("error", [AccessRefused("401"), NeedsSettings("no token")])
def test_what_needs_settings_rests_until_they_change(relay: RelayStage, error: Exception) -> None:
    effect = relay.want()
    relay.far.on_send = answer(error)
    deliver(relay.runtime)
    assert (relay.effect(effect).state, relay.effect(effect).attempts) == ("pending", 0)
    assert seconds_until_due(relay, effect) > 300
    assert deliver(relay.runtime) == 0
    relay.far.on_send = answer(Done())
    with relay.runtime.database.write() as session:
        tenants.wake(session, relay.shop_id)
    work(relay.runtime, 5)
    assert relay.effect(effect).state == "done"


def test_waking_does_not_cut_short_a_cooling_off(relay: RelayStage) -> None:
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER, delay_seconds=600)
    with relay.runtime.database.write() as session:
        tenants.wake(session, relay.shop_id)
    assert deliver(relay.runtime) == 0
    assert seconds_until_due(relay, effect) > 590


def test_giving_up_after_the_whole_schedule_parks(relay: RelayStage) -> None:
    effect = relay.want()
    relay.far.on_send = answer(Transient("away"))
    relay.change(Effect, effect or 0, attempts=len(SCHEDULES["system"]))
    deliver(relay.runtime)
    assert relay.effect(effect).state == "parked"
    assert "away" in (relay.effect(effect).reason or "")


def test_a_fault_of_ours_in_mid_send_is_unclear_not_lost(relay: RelayStage) -> None:
    effect = relay.want(kind=OMS_CREATE_ORDER)
    relay.far.on_send = answer(ZeroDivisionError("a secret"))
    deliver(relay.runtime)
    assert relay.effect(effect).state == "pending"
    assert relay.effect(effect).unclear_since is not None
    assert "secret" not in (relay.effect(effect).reason or "")


def test_a_fault_of_ours_before_the_send_neither_stops_the_worker_nor_the_others(relay: RelayStage) -> None:
    relay.far.on_render = lambda job: {} if job.about == "good" else 1 / 0
    bad, good = relay.want("bad"), relay.want("good")
    deliver(relay.runtime)
    assert relay.effect(good).state == "done"
    assert relay.effect(bad).state == "pending"
    assert "incident" in (relay.effect(bad).reason or "")


def test_a_fault_of_ours_in_settling_does_not_send_again(relay: RelayStage) -> None:
    """The far side did it; only our note of it failed. It is looked up, or sent again where that is harmless."""
    effect = relay.want(kind=OMS_CREATE_ORDER)
    settle, relay.far.settle = relay.far.settle, lambda *_: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    deliver(relay.runtime)
    assert relay.effect(effect).state != "done"
    relay.far.settle = settle  # type: ignore[method-assign]
    relay.let_lease_run_out(Effect, effect)
    for _ in range(3):
        deliver(relay.runtime)
        relay.make_due(effect)
    assert relay.effect(effect).state == "done"
    assert (len(relay.far.sent), len(relay.far.looked), len(relay.far.settled)) == (1, 1, 1)


def test_no_longer_needed_is_superseded_without_a_send(relay: RelayStage) -> None:
    effect = relay.want()
    relay.far.on_render = lambda job: NotNeeded("the order is gone")
    work(relay.runtime, 5)
    assert (relay.effect(effect).state, relay.effect(effect).reason) == ("superseded", "the order is gone")
    assert relay.attempts(effect) == []


def test_a_secret_in_a_request_is_sealed_at_rest(relay: RelayStage) -> None:
    effect = relay.want()
    relay.far.on_render = lambda job: {"address": "12 Secret Street"}
    relay.far.on_send = answer(Ambiguous("away"))
    deliver(relay.runtime)
    stored = relay.effect(effect).request
    assert stored
    assert b"Secret" not in stored
