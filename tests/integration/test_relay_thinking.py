"""Thinking about events: leases and fences, what each fault leads to, and what is kept for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.crypto import Keyring
from core.db import db_now, read_clock
from core.domain.effects import OMS_EXPECT_RETURN
from core.errors import BadInput, NeedsSettings, Permanent, Throttled, Transient
from core.flows import tenants
from core.models import Effect, Event, ReturnOrder, Shop
from core.registry import handled
from core.relay import thinking
from core.relay.inbox import Claim, LeaseLost, claim_events
from core.relay.jobs import purge_bodies, something_due, work
from core.relay.outbox import Wanted, want
from core.relay.thinking import think_about
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import think


def claim_one(relay: RelayStage) -> Claim:
    with relay.runtime.database.write() as session:
        (claim,) = claim_events(session, 10)
    return claim


def raising(error: Exception) -> Any:
    def give(*_: object) -> Any:
        raise error

    return give


def seconds_until_due(relay: RelayStage, event_id: int) -> float:
    with relay.runtime.database.read() as session:
        return float((session.get_one(Event, event_id).due_at - read_clock(session)) / timedelta(seconds=1))


def want_in(relay: RelayStage) -> Any:
    """An apply that wants an effect, in the transaction that ends the event."""

    def apply(session: Any, delivery: Any) -> Any:
        want(session, delivery.shop_id, Wanted(OMS_EXPECT_RETURN, "a", "a", "a", {}), delivery.id)
        return handled("wanted")

    return apply


def test_an_event_and_what_it_causes_are_one_transaction(relay: RelayStage) -> None:
    event = relay.record("d1")
    relay.handler.on_apply = want_in(relay)
    old = claim_one(relay)
    relay.let_lease_run_out(Event, event)
    new = claim_one(relay)
    with pytest.raises(LeaseLost):
        think_about(relay.runtime, old)
    assert relay.states() == []
    assert relay.event(event).outcome is None
    think_about(relay.runtime, new)
    assert relay.states() == ["pending"]
    assert relay.event(event).outcome == "handled"
    assert relay.event(event).lease_until is None


def test_a_leased_event_is_nobody_elses(relay: RelayStage) -> None:
    event = relay.record("d1")
    claim_one(relay)
    assert think(relay.runtime) == 0
    assert not something_due(relay.runtime)
    relay.let_lease_run_out(Event, event)
    assert something_due(relay.runtime)
    assert think(relay.runtime) == 1


def test_an_ended_event_is_not_thought_about_again(relay: RelayStage) -> None:
    event = relay.record("d1")
    work(relay.runtime, 5)
    relay.let_lease_run_out(Event, event)
    work(relay.runtime, 5)
    assert relay.handler.applied == [event]


def test_the_same_delivery_is_stored_once(relay: RelayStage) -> None:
    assert relay.record("d1", body=b"1") == relay.record("d1", body=b"2")
    work(relay.runtime, 5)
    assert len(relay.handler.applied) == 1


def test_an_unknown_topic_ends_unknown(relay: RelayStage) -> None:
    event = relay.record("d1", topic="novel")
    work(relay.runtime, 5)
    assert relay.event(event).outcome == "unknown"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(BadInput(["body: bad"]), "unknown"), (Permanent("no"), "parked"), (Transient("later"), None)],
)
@pytest.mark.parametrize("where", ["on_read", "on_apply"])
def test_the_fate_of_a_fault(relay: RelayStage, where: str, error: Exception, outcome: str | None) -> None:
    event = relay.record("d1")
    setattr(relay.handler, where, raising(error))
    work(relay.runtime, 5)
    row = relay.event(event)
    assert (row.outcome, row.lease_until) == (outcome, None)
    assert str(error) in (row.reason or "")


@pytest.mark.parametrize("where", ["on_read", "on_apply"])
def test_a_fault_of_ours_waits_and_stops_no_other_event(relay: RelayStage, where: str) -> None:
    bad, good = relay.record("d1"), relay.record("d2")

    def act(*given: Any) -> Any:
        if given[-1].id == bad:
            raise ZeroDivisionError("secret of a customer")
        return handled("fine")

    setattr(relay.handler, where, act)
    work(relay.runtime, 5)
    assert relay.event(good).outcome == "handled"
    assert relay.event(bad).outcome is None
    assert "incident" in (relay.event(bad).reason or "")
    assert "secret" not in (relay.event(bad).reason or "")


def test_a_failed_apply_leaves_no_trace(relay: RelayStage) -> None:
    relay.record("d1")
    wanting = want_in(relay)

    def apply(session: Any, delivery: Any) -> Any:
        wanting(session, delivery)
        raise ZeroDivisionError

    relay.handler.on_apply = apply
    work(relay.runtime, 5)
    assert relay.states() == []


def test_throttling_counts_no_attempt(relay: RelayStage) -> None:
    event = relay.record("d1")
    relay.handler.on_read = raising(Throttled("slow down", 50))
    think(relay.runtime)
    assert relay.event(event).attempts == 0
    assert 48 < seconds_until_due(relay, event) < 65


def test_what_needs_settings_is_woken(relay: RelayStage) -> None:
    event = relay.record("d1")
    relay.handler.on_read = raising(NeedsSettings("no token"))
    think(relay.runtime)
    assert seconds_until_due(relay, event) > 300
    relay.handler.on_read = lambda delivery: None
    with relay.runtime.database.write() as session:
        tenants.wake(session, relay.shop_id)
    work(relay.runtime, 5)
    assert relay.event(event).outcome == "handled"


def test_an_event_that_kills_its_worker_every_time_is_parked_at_last(relay: RelayStage) -> None:
    """A body that ends the process (memory) must not do so for ever: each claim that never ended counts."""
    event = relay.record("d1")
    for _ in range(200):
        with relay.runtime.database.write() as session:
            if not claim_events(session, 10):
                break
        relay.let_lease_run_out(Event, event)
    think(relay.runtime)
    assert relay.event(event).outcome == "parked"


def test_a_body_whose_key_is_gone_is_parked_with_the_reason(relay: RelayStage) -> None:
    event = relay.record("d1")
    relay.runtime.keyring = Keyring({"k9": bytes(range(32))})
    work(relay.runtime, 5)
    assert relay.event(event).outcome == "parked"
    assert "ENCRYPTION_KEYS" in (relay.event(event).reason or "")


def test_a_body_moved_to_another_event_does_not_open(relay: RelayStage) -> None:
    first, second = relay.record("d1", body=b"one"), relay.record("d2", body=b"two")
    relay.change(Event, second, body=relay.event(first).body)
    work(relay.runtime, 5)
    assert relay.event(first).outcome == "handled"
    assert relay.event(second).outcome == "parked"


def make_old(relay: RelayStage, *events: int) -> None:
    for event in events:
        relay.change(Event, event, received_at=db_now(-31 * 86_400))


@pytest.mark.parametrize(("state", "kept"), [("pending", True), ("sending", True), ("parked", True), ("done", False)])
def test_purging_keeps_what_an_unsent_effect_needs(relay: RelayStage, state: str, kept: bool) -> None:
    event = relay.record("d1")
    work(relay.runtime, 5)
    relay.change(Effect, relay.want("a", event_id=event) or 0, state=state)
    make_old(relay, event)
    purge_bodies(relay.runtime)
    assert (relay.event(event).body is not None) is kept


def test_purging_takes_only_what_is_old_and_ended(relay: RelayStage) -> None:
    ended, young, waiting = relay.record("d1"), relay.record("d2"), relay.record("d3")
    for event in (ended, young):
        relay.change(Event, event, outcome="ignored")
    make_old(relay, ended, waiting)
    assert purge_bodies(relay.runtime) == 1
    assert [relay.event(one).body is None for one in (ended, young, waiting)] == [True, False, False]
    assert relay.event(ended).outcome == "ignored"


def test_of_a_removed_shop_nothing_old_is_kept(relay: RelayStage) -> None:
    waiting = relay.record("d1")
    relay.change(Shop, relay.shop_id, removed_at=db_now())
    make_old(relay, waiting)
    assert purge_bodies(relay.runtime) == 1


def test_purging_keeps_the_full_body_an_expectation_is_rendered_from(relay: RelayStage) -> None:
    """A notification came first and caused the expectation; the full body came second and is what is sent."""
    notification, full = relay.record("d1"), relay.record("d2")
    work(relay.runtime, 5)
    relay.want("oms.expect:R1", kind=OMS_EXPECT_RETURN, about="R1", event_id=notification)
    with relay.runtime.database.write() as session:
        known = {"shop_id": relay.shop_id, "code": "R1", "forward_code": "1", "known": True, "type": "CUSTOMER_RETURN"}
        session.add(ReturnOrder(**known, full_event_id=full, full_digest="d", created_at=db_now()))
    make_old(relay, notification, full)
    purge_bodies(relay.runtime)
    assert relay.event(full).body is not None


def test_a_purge_of_many_comes_to_its_end(relay: RelayStage) -> None:
    for number in range(30):
        relay.change(Event, relay.record(f"d{number}"), outcome="ignored", received_at=db_now(-31 * 86_400))
    assert purge_bodies(relay.runtime) == 30
    assert purge_bodies(relay.runtime) == 0
    with relay.runtime.database.read() as session:
        assert not list(session.scalars(select(Event.id).where(Event.body.isnot(None))))


def test_what_is_not_begun_in_good_time_is_free_at_once(relay: RelayStage, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [relay.record(f"slow-{number}") for number in range(3)]
    began = thinking.monotonic()
    passed = iter([began, began + 13, began + 13])
    monkeypatch.setattr(thinking, "monotonic", lambda: next(passed))
    assert think(relay.runtime) == 3
    assert [relay.event(one).outcome for one in events] == ["handled", None, None]
    assert all(relay.event(one).lease_until is None for one in events)
    monkeypatch.undo()
    assert think(relay.runtime) == 2
