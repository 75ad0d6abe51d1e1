"""Wanting effects: identity, supersession, lanes, modes."""

from __future__ import annotations

import pytest

from core.domain.effects import (
    OMS_CANCEL_LINES,
    OMS_HOLD_ORDER,
    OMS_UNHOLD_ORDER,
    OMS_UPDATE_RETURN,
    PARTNER_FORWARD_RETURN,
    PARTNER_REPORT_QC,
    SHOPIFY_CANCEL_LINES,
    SHOPIFY_CANCEL_ORDER,
    SHOPIFY_TAG_ORDER,
    EffectKind,
)
from core.errors import Ambiguous, Permanent, Transient
from core.models import Effect
from core.registry import Done
from core.relay.claiming import claim_effects
from core.relay.jobs import work
from core.relay.outbox import name_message, withdraw
from tests.integration.relay_stage import RelayStage
from tests.one_by_one import deliver


def claim(relay: RelayStage, limit: int = 100) -> list[int]:
    with relay.runtime.database.write() as session:
        return [one.id for one in claim_effects(session, limit)]


def raise_(error: Exception) -> object:
    raise error


def test_asking_twice_makes_one_row(relay: RelayStage) -> None:
    first = relay.want()
    assert first
    assert relay.want() is None
    assert relay.states() == ["pending"]


@pytest.mark.parametrize("state", ["sending", "parked"])
def test_asking_again_while_it_stands_makes_no_row(relay: RelayStage, state: str) -> None:
    relay.change(Effect, relay.want() or 0, state=state)
    assert relay.want() is None


@pytest.mark.parametrize("error", [Permanent("no"), Transient("not now")], ids=["refused", "not reached"])
def test_what_is_taken_back_while_it_is_sent_and_was_not_done_needs_nobody(relay: RelayStage, error: Exception) -> None:
    def send(job: object) -> object:
        with relay.runtime.database.write() as session:
            withdraw(session, relay.shop_id, "a", "it is no longer wanted")
        raise error

    relay.far.on_send = send
    effect = relay.want()
    deliver(relay.runtime)
    assert relay.effect(effect).state == "superseded"
    assert "it is no longer wanted" in (relay.effect(effect).reason or "")


def test_a_message_goes_by_its_words_and_by_how_often_they_were_said(relay: RelayStage) -> None:
    """Two pushes that say the same are two; either of them thought about again is itself."""

    def name(said: bytes, event_id: int) -> str:
        with relay.runtime.database.write() as session:
            return name_message(session, relay.shop_id, "partner:p:R", said, event_id)

    events = [relay.record(f"d{number}") for number in range(3)]
    names = []
    for said, event_id in zip((b"a", b"b", b"a"), events, strict=True):
        names.append(name(said, event_id))
        relay.want(names[-1], lane="partner:p:R", once=True, event_id=event_id)
    assert len(set(names)) == 3
    assert [name(said, event_id) for said, event_id in zip((b"a", b"b", b"a"), events, strict=True)] == names


@pytest.mark.parametrize("state", ["dropped", "superseded"])
def test_what_came_to_nothing_may_be_wanted_again(relay: RelayStage, state: str) -> None:
    relay.change(Effect, relay.want() or 0, state=state)
    again = relay.want()
    assert again
    assert relay.effect(again).number == 2


def test_release_hold_release_are_three_decisions(relay: RelayStage) -> None:
    for kind, on in ((OMS_UNHOLD_ORDER, False), (OMS_HOLD_ORDER, True), (OMS_UNHOLD_ORDER, False)):
        assert relay.want(kind=kind, end={"on_hold": on})
        work(relay.runtime, 5)
    assert relay.states() == ["done"] * 3
    assert len({job.key for job in relay.far.sent}) == 3


def test_done_and_the_same_end_is_wanted_again_unless_once(relay: RelayStage) -> None:
    for once in (True, False):
        aspect = f"once {once}"
        assert relay.want(aspect, once=once)
        work(relay.runtime, 5)
        assert (relay.want(aspect, once=once) is None) is once


def test_a_newer_decision_supersedes_one_never_sent(relay: RelayStage) -> None:
    older = relay.want(end={"on_hold": True})
    newer = relay.want(end={"on_hold": False})
    assert relay.effect(older).state == "superseded"
    assert relay.effect(older).ended_at is not None
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [newer]


def test_a_claimed_effect_that_is_superseded_is_not_sent(relay: RelayStage) -> None:
    older = relay.want(end={"on_hold": True})
    assert claim(relay) == [older]
    newer = relay.want(end={"on_hold": False})
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [newer]
    assert relay.states() == ["superseded", "done"]


def test_what_may_have_been_done_is_not_superseded_and_not_done_again(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("no answer"))
    older = relay.want(end={"on_hold": True})
    deliver(relay.runtime)
    newer = relay.want(end={"on_hold": False})
    assert relay.effect(older).state == "pending"
    relay.far.on_send = lambda job: Done()
    relay.make_due(older)
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [older, newer]  # the newer one states the end for both
    assert relay.effect(older).state == "superseded"


def test_a_parked_older_decision_that_was_never_sent_gives_way_to_a_newer(relay: RelayStage) -> None:
    """Its words were refused before anything left; the newest decision must not wait behind it for ever."""
    relay.far.on_render = lambda job: raise_(Permanent("no location")) if job.wanted["on_hold"] else {}
    older = relay.want(end={"on_hold": True}, lane="order 1")
    work(relay.runtime, 5)
    assert relay.effect(older).state == "parked"
    newer = relay.want(end={"on_hold": False}, lane="order 1")
    work(relay.runtime, 5)
    assert relay.effect(newer).state == "done"
    assert relay.effect(older).state == "superseded"


def test_withdrawing_takes_back_only_what_was_never_sent(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("no answer"))
    sent, unsent = relay.want("sent"), relay.want("unsent", delay_seconds=600)
    deliver(relay.runtime)
    with relay.runtime.database.write() as session:
        for aspect in ("sent", "unsent"):
            withdraw(session, relay.shop_id, aspect, "a person stopped it")
    assert [relay.effect(one).state for one in (sent, unsent)] == ["pending", "superseded"]


def test_one_lane_goes_out_in_order_one_at_a_time(relay: RelayStage) -> None:
    ids = [relay.want(f"a{number}", lane="order 1") for number in range(5)]
    other = relay.want("b", lane="order 2")
    assert sorted(claim(relay)) == sorted([ids[0], other])
    assert claim(relay) == []


def test_a_waiting_head_holds_its_lane(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Transient("away"))
    first = relay.want("a1", lane="order 1")
    deliver(relay.runtime)
    relay.far.on_send = lambda job: Done()
    second = relay.want("a2", lane="order 1")
    assert claim(relay) == []
    relay.make_due(first)
    work(relay.runtime, 5)
    assert [job.id for job in relay.far.sent] == [first, first, second]


def test_a_parked_head_blocks_and_only_what_may_pass_passes(relay: RelayStage) -> None:
    """Tracking overtakes a parked report, and what waits behind that; the report waits for a person."""
    relay.far.on_send = lambda job: raise_(Permanent("no"))
    first = relay.want("a1", lane="lane", kind=PARTNER_REPORT_QC)
    work(relay.runtime, 5)
    assert relay.effect(first).state == "parked"
    relay.want("a2", lane="lane", kind=PARTNER_REPORT_QC)
    assert claim(relay) == []
    passing = [relay.want(f"a{number}", lane="lane", kind=PARTNER_FORWARD_RETURN) for number in (3, 4)]
    assert claim(relay) == passing[:1]  # in order among themselves
    assert claim(relay) == []
    relay.change(Effect, passing[0] or 0, state="done")
    assert claim(relay) == passing[1:]


def test_what_may_pass_the_parked_passes_nothing_else(relay: RelayStage) -> None:
    first = relay.want("a1", lane="lane", kind=PARTNER_REPORT_QC, delay_seconds=600)
    relay.want("a2", lane="lane", kind=PARTNER_FORWARD_RETURN)
    assert claim(relay) == []
    relay.make_due(first)
    assert claim(relay) == [first]
    assert claim(relay) == []


@pytest.mark.parametrize("parked", [SHOPIFY_TAG_ORDER, SHOPIFY_CANCEL_ORDER, OMS_UNHOLD_ORDER, OMS_CANCEL_LINES])
def test_release_and_cancel_never_overtake_each_other(relay: RelayStage, parked: EffectKind) -> None:
    pairs = {
        SHOPIFY_TAG_ORDER: SHOPIFY_CANCEL_LINES,
        SHOPIFY_CANCEL_ORDER: SHOPIFY_TAG_ORDER,
        OMS_UNHOLD_ORDER: OMS_CANCEL_LINES,
        OMS_CANCEL_LINES: OMS_UNHOLD_ORDER,
    }
    relay.change(Effect, relay.want("a1", lane="order 1", kind=parked) or 0, state="parked")
    relay.want("a2", lane="order 1", kind=pairs[parked])
    assert claim(relay) == []


def test_urgent_kinds_go_first(relay: RelayStage) -> None:
    late = relay.want("a", kind=OMS_UPDATE_RETURN)
    urgent = relay.want("b", kind=OMS_UNHOLD_ORDER)
    assert claim(relay, 1) == [urgent]
    assert claim(relay, 1) == [late]


def test_a_delay_is_waited_for(relay: RelayStage) -> None:
    effect = relay.want(delay_seconds=600)
    assert claim(relay) == []
    relay.make_due(effect)
    assert claim(relay) == [effect]


def test_observing_decides_and_sends_nothing(relay: RelayStage) -> None:
    relay.set_mode("observe")
    relay.want()
    relay.want()
    work(relay.runtime, 5)
    assert relay.states() == ["would_have"]
    assert relay.far.sent == []
    relay.set_mode("live")
    work(relay.runtime, 5)
    assert relay.far.sent == []


def test_what_was_wanted_live_is_not_sent_while_observing(relay: RelayStage) -> None:
    relay.want()
    relay.set_mode("observe")
    work(relay.runtime, 5)
    assert relay.far.sent == []


def test_a_paused_shop_is_left_alone_and_another_is_not(relay: RelayStage) -> None:
    relay.want()
    event = relay.record("d1")
    relay.set_mode("paused")
    work(relay.runtime, 5)
    assert relay.far.sent == []
    assert relay.handler.read_of == []
    relay.set_mode("live")
    work(relay.runtime, 5)
    assert relay.states() == ["done"]
    assert relay.event(event).outcome == "handled"


def test_a_shop_paused_after_the_claim_is_not_sent_for(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("away"))
    relay.want()
    assert len(claim(relay)) == 1
    relay.set_mode("paused")
    assert claim(relay) == []
