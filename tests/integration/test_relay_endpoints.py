"""Far sides that do not work: left alone, probed one call at a time, shared by all workers; and nobody else notices."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core import errors
from core.db import db_now, read_clock
from core.domain.effects import OMS_CREATE_ORDER, OMS_UNHOLD_ORDER, PARTNER_FORWARD_RETURN
from core.errors import AccessRefused, Ambiguous, Fault, Gone, NeedsSettings, Permanent, Throttled, Transient
from core.flows import tenants
from core.models import Endpoint
from core.registry import Done, Job, NotNeeded
from core.relay.claiming import claim_effects, find_due
from core.relay.endpoints import OMS, call_endpoint, name_endpoint
from core.relay.jobs import something_due, work
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import deliver


def call(relay: RelayStage, fault: Fault | None = None, name: str = OMS) -> str:
    """One call: how it went, or `waits` when it was not made."""
    try:
        with call_endpoint(relay.runtime.database, relay.shop_id, name):
            if fault:
                raise fault
    except Throttled as error:
        return "throttled" if error is fault else "waits"
    except Fault:
        return "failed"
    return "done"


def see(relay: RelayStage, name: str = OMS) -> Endpoint:
    with relay.runtime.database.read() as session:
        return session.get_one(Endpoint, (relay.shop_id, name))


def rest_seconds(relay: RelayStage, name: str = OMS) -> float:
    with relay.runtime.database.read() as session:
        until = session.get_one(Endpoint, (relay.shop_id, name)).rests_until
        return (until - read_clock(session)).total_seconds() if until else 0.0


def change(relay: RelayStage, **values: Any) -> None:
    with relay.runtime.database.write() as session:
        session.execute(update(Endpoint).values(values))


def end_rest(relay: RelayStage) -> None:
    change(relay, rests_until=db_now(-1))


def fail_until_down(relay: RelayStage, fault: Fault | None = None) -> None:
    for number in range(5):
        if number == 4:
            change(relay, failing_since=db_now(-11))
        assert call(relay, fault or Transient("away")) == "failed"
        if number < 4:
            end_rest(relay)
    assert see(relay).state == "down"


def give(relay: RelayStage, *results: Any) -> None:
    """The deliverer calls its far side through `call_endpoint`, as the bridges do, which answers so."""
    left = list(results)

    def send(job: Job) -> Any:
        effect = relay.effect(job.id)
        with call_endpoint(relay.runtime.database, job.shop_id, effect.endpoint):
            result = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(result, Exception):
                raise result
            return result

    relay.far.on_send = relay.far.on_look = send


@pytest.mark.parametrize("fault", [Transient("away"), Ambiguous("no answer")])
def test_five_failures_in_a_row_over_ten_seconds_and_it_is_left_alone(relay: RelayStage, fault: Fault) -> None:
    fail_until_down(relay, fault)
    assert 28 < rest_seconds(relay) <= 30
    assert see(relay).words == str(fault)
    assert call(relay) == "waits"


def test_five_failures_at_once_are_not_enough(relay: RelayStage) -> None:
    for _ in range(8):
        assert call(relay, Transient("away")) == "failed"
        end_rest(relay)
    assert see(relay).state == "working"


def test_it_is_not_hammered_until_it_is_down(relay: RelayStage) -> None:
    rests = []
    for _ in range(5):
        call(relay, Transient("away"))
        rests.append(round(rest_seconds(relay)))
        end_rest(relay)
    assert rests == [0, 1, 3, 6, 6]


def test_an_answer_between_failures_starts_the_count_anew(relay: RelayStage) -> None:
    for _ in range(4):
        call(relay, Transient("away"))
        end_rest(relay)
    assert call(relay, Permanent("what was asked is wrong")) == "failed"  # it works: it answered
    assert (see(relay).failures, see(relay).failing_since) == (0, None)


@pytest.mark.parametrize("fault", [Permanent("no"), NeedsSettings("no scope for this one"), None])
def test_what_says_nothing_about_the_far_side_is_not_counted(relay: RelayStage, fault: Fault | None) -> None:
    call(relay, fault)
    assert (see(relay).state, see(relay).failures, rest_seconds(relay)) == ("working", 0, 0)


def test_a_failed_probe_doubles_the_rest_up_to_ten_minutes(relay: RelayStage) -> None:
    fail_until_down(relay)
    rests = []
    for _ in range(6):
        end_rest(relay)
        assert call(relay, Transient("away")) == "failed"
        rests.append(round(rest_seconds(relay)))
    assert rests == [60, 120, 240, 480, 600, 600]


def test_one_probe_at_a_time(relay: RelayStage) -> None:
    fail_until_down(relay)
    end_rest(relay)
    probe = call_endpoint(relay.runtime.database, relay.shop_id, OMS)
    probe.__enter__()
    assert call(relay) == "waits"
    assert 28 < rest_seconds(relay) <= 30  # a probe that dies is followed by another
    probe.__exit__(None, None, None)
    assert see(relay).state == "working"
    assert call(relay) == "done"


def test_while_it_is_down_effects_wait_uncounted_and_unclaimed(relay: RelayStage) -> None:
    give(relay, Transient("away"))
    effects = [relay.want(f"a{number}") for number in range(10)]
    fail_until_down(relay)
    for _ in range(3):
        assert deliver(relay.runtime) == 0
    assert not something_due(relay.runtime)
    for number in range(4):  # each rest is followed by one probe
        end_rest(relay)
        work(relay.runtime, 2)
        assert len(relay.far.sent) == number + 1
        for effect in effects:
            relay.make_due(effect)
    assert sum(relay.effect(one).attempts for one in effects) == 0
    end_rest(relay)
    give(relay, Done())
    work(relay.runtime, 10)
    assert set(relay.states()) == {"done"}
    assert see(relay).state == "working"


def test_a_day_of_outage_uses_up_no_effects_attempts(relay: RelayStage) -> None:
    """The one that is sent as a probe each time must not be parked for it."""
    give(relay, Transient("away"))
    fail_until_down(relay)
    effect = relay.want("a")
    for _ in range(150):
        end_rest(relay)
        relay.make_due(effect)
        assert deliver(relay.runtime) == 1
    assert (relay.effect(effect).state, relay.effect(effect).attempts) == ("pending", 0)


def test_an_unclear_probe_is_looked_up_before_anything_is_sent_again(relay: RelayStage) -> None:
    give(relay, Ambiguous("no answer"), Done())
    fail_until_down(relay)
    effect = relay.want("a", kind=OMS_CREATE_ORDER)
    end_rest(relay)
    deliver(relay.runtime)
    assert relay.effect(effect).unclear_since is not None
    end_rest(relay)
    relay.make_due(effect)
    deliver(relay.runtime)
    assert relay.effect(effect).state == "done"
    assert (len(relay.far.sent), len(relay.far.looked)) == (1, 1)


def test_a_probe_that_calls_nobody_lets_another_come_at_once(relay: RelayStage) -> None:
    fail_until_down(relay)
    gone, wanted = relay.want("gone"), relay.want("wanted")
    relay.far.on_render = lambda job: NotNeeded("the order is gone") if job.about == "gone" else {}
    give(relay, Done())
    end_rest(relay)
    work(relay.runtime, 5)
    assert (relay.effect(gone).state, relay.effect(wanted).state) == ("superseded", "done")


def test_refused_credentials_pause_the_connection_until_the_settings_change(relay: RelayStage) -> None:
    give(relay, AccessRefused("OMS answered 401"))
    effects = [relay.want(f"a{number}") for number in range(6)]
    work(relay.runtime, 5)
    assert (see(relay).state, see(relay).words) == ("refused", "OMS answered 401")
    assert 590 < rest_seconds(relay) <= 600
    sent = len(relay.far.sent)
    assert sent <= 4  # those that were under way
    work(relay.runtime, 5)
    assert len(relay.far.sent) == sent
    assert {relay.effect(one).attempts for one in effects} == {0}
    give(relay, Done())
    with relay.runtime.database.write() as session:
        tenants.wake(session, relay.shop_id)
    work(relay.runtime, 10)
    assert set(relay.states()) == {"done"}


def test_a_partner_that_is_gone_is_switched_off_and_comes_back_with_new_settings(relay: RelayStage) -> None:
    give(relay, Gone("partner p answered 410"))
    known = {"kind": PARTNER_FORWARD_RETURN, "params": {"partner": "p"}}
    first = relay.want("first", **known)
    work(relay.runtime, 5)
    assert relay.effect(first).state == "parked"
    assert see(relay, "partner:p").state == "gone"
    later = relay.want("later", **known)
    relay.make_due(later)
    change(relay, since=db_now(-86_400 * 30))
    work(relay.runtime, 5)
    assert relay.effect(later).state == "pending"
    give(relay, Done())
    with relay.runtime.database.write() as session:
        tenants.wake(session, relay.shop_id)
    work(relay.runtime, 5)
    assert relay.effect(later).state == "done"


def test_one_order_that_is_gone_in_oms_switches_nothing_off(relay: RelayStage) -> None:
    call(relay, Gone("410"))
    assert see(relay).state == "working"


def test_a_far_side_that_says_slow_down_is_not_called_until_then(relay: RelayStage) -> None:
    give(relay, Throttled("slow down", 40))
    for number in range(10):
        relay.want(f"a{number}")
    work(relay.runtime, 5)
    assert len(relay.far.sent) <= 4
    assert (see(relay).state, see(relay).failures) == ("working", 0)
    assert 35 < rest_seconds(relay) <= 40
    with relay.runtime.database.read() as session:
        assert not find_due(session)


def test_one_shops_outage_is_not_anothers(relay: RelayStage) -> None:
    fail_until_down(relay)
    small = relay.add_shop("small.myshopify.com")
    effect = relay.want("a", shop_id=small)
    work(relay.runtime, 5)
    assert relay.effect(effect).state == "done"


@pytest.mark.parametrize("fault", [ZeroDivisionError("ours"), errors.OutOfTime("too little of the lease was left")])
def test_a_fault_of_ours_is_no_failure_of_theirs(relay: RelayStage, fault: Exception) -> None:
    give(relay, fault)
    effect = relay.want("a")
    deliver(relay.runtime)
    assert relay.effect(effect).attempts == 1
    assert see(relay).failures == 0


def test_every_kind_has_its_far_side() -> None:
    assert name_endpoint(OMS_UNHOLD_ORDER, {}) == "oms"
    assert name_endpoint(PARTNER_FORWARD_RETURN, {"partner": "rp"}) == "partner:rp"


def test_a_probe_is_one_for_all_workers(relay: RelayStage) -> None:
    """Claims of two workers: the second finds the far side resting, though the first has not yet called."""
    fail_until_down(relay)
    for number in range(3):
        relay.want(f"a{number}")
    end_rest(relay)
    give(relay, Done())
    with relay.runtime.database.write() as session:
        assert [one.probe for one in claim_effects(session, 10)] == [True]
    with relay.runtime.database.write() as session:
        assert claim_effects(session, 10) == []
    assert relay.states().count("sending") == 1


def test_nothing_open_while_it_is_called(relay: RelayStage) -> None:
    with call_endpoint(relay.runtime.database, relay.shop_id, OMS, calls_per_minute=5, cost=3):
        assert relay.runtime.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
