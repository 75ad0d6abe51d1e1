"""Waiting updates of one thing collapse to the newest; nothing else does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from core.domain.effects import OMS_UPDATE_RETURN
from core.models import Event
from core.registry import Delivery
from core.relay.inbox import FIRST, KNOWN, NORMAL, Arrival, record_events
from core.relay.jobs import work
from shopify_app.webhooks import Webhook
from tests.integration.relay_stage import RelayStage

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def arrive(relay: RelayStage, seconds: list[float], about: str | None = "7", topic: str = "fake") -> list[int]:
    """Updates triggered so many seconds after noon, in the order in which they arrive."""
    with relay.runtime.database.write() as session:
        before = set(session.scalars(select(Event.id)))
        arrivals = [
            Arrival(relay.shop_id, "rms", topic, f"{topic} {about} {one} {number}", b"{}", NORMAL, after(one), about)
            for number, one in enumerate(seconds)
        ]
        record_events(session, relay.runtime.keyring, arrivals)
        return [one for one in session.scalars(select(Event.id).order_by(Event.id)) if one not in before]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_only_the_newest_is_thought_about(relay: RelayStage) -> None:
    events = arrive(relay, [0, 2, 5, 3, 1])
    older = [one for one in events if one != events[2]]

    def linger(delivery: Delivery) -> None:  # were the newest's end sooner, there would be none to tell older ones
        until = time.monotonic() + 10
        while any(relay.event(one).outcome is None for one in older) and time.monotonic() < until:
            time.sleep(0.01)

    relay.handler.on_read = linger
    work(relay.runtime, 10)
    assert relay.handler.applied == [events[2]]
    rows = [relay.event(one) for one in events]
    assert [row.outcome for row in rows] == ["ignored", "ignored", "handled", "ignored", "ignored"]
    assert {row.reason for row in rows if row.outcome == "ignored"} == {
        f"a newer update of the same thing came: event {events[2]}"
    }
    assert all(row.ended_at is not None and row.lease_until is None for row in rows)


def test_equal_stamps_other_things_and_other_topics_do_not_collapse(relay: RelayStage) -> None:
    relay.runtime.registry.handlers["rms", "other"] = relay.handler
    events = [
        *arrive(relay, [1, 1]),
        *arrive(relay, [5], about="8"),
        *arrive(relay, [9], topic="other"),
        *arrive(relay, [3, 7], about=None),
    ]
    work(relay.runtime, 10)
    assert sorted(relay.handler.applied) == sorted(events)


def test_one_shops_updates_do_not_end_anothers(relay: RelayStage) -> None:
    (mine,) = arrive(relay, [0])
    relay.change(Event, mine, shop_id=relay.add_shop("small.myshopify.com"), body=relay.event(mine).body)
    arrive(relay, [5])
    work(relay.runtime, 10)
    assert "newer" not in (relay.event(mine).reason or "")


def test_what_was_ended_already_is_not_waited_for(relay: RelayStage) -> None:
    newer = arrive(relay, [5])
    work(relay.runtime, 10)
    older = arrive(relay, [1])  # it came late: whether it matters is for the flow to say
    work(relay.runtime, 10)
    assert relay.handler.applied == newer + older


def test_the_door_names_the_order_without_parsing() -> None:
    def make(topic: str, body: bytes) -> Webhook:
        return Webhook("s.myshopify.com", topic, "d", body, NOON)

    update = make("orders/updated", b'{"id":820982911946154508,"admin_graphql_api_id":"x"}').arrive(1)
    assert (update.about, update.priority) == ("820982911946154508", NORMAL)
    known = make("orders/updated", b' {\n "id": 17, "a": 1}').arrive(1, {(1, 17): False})
    assert (known.about, known.priority) == ("17", KNOWN)
    assert make("orders/updated", b'{"id":17,"a":1}').arrive(1, {(1, 17): True}).priority == FIRST
    assert make("orders/updated", b'{"id":17,"a":1}').arrive(2, {(1, 17): True}).priority == NORMAL
    for topic in ("orders/cancelled", "orders/create"):
        told = make(topic, b'{"id":17,"a":1}').arrive(1, {(1, 17): False})
        assert (told.about, told.priority) == (None, KNOWN)
    for body in (b'{"order":{"id":17}}', b"not json", b'{"id":"17",', b""):
        assert make("orders/updated", body).order_id is None
    assert make("returns/update", b'{"id":17,"a":1}').order_id is None
    assert FIRST < KNOWN < NORMAL


def test_status_updates_coalesce_to_the_newest_that_was_not_sent(relay: RelayStage) -> None:
    for status in ("picked up", "in transit", "delivered"):
        relay.want("status of R1", kind=OMS_UPDATE_RETURN, end={"status": status})
    work(relay.runtime, 10)
    assert relay.states() == ["superseded", "superseded", "done"]
    assert [job.wanted["status"] for job in relay.far.sent] == ["delivered"]
