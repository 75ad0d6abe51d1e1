"""Fair between shops and their far sides: what waits for one never stands in another's way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from core.db import db_now
from core.domain.effects import KINDS, OMS_UNHOLD_ORDER, PARTNER_FORWARD_RETURN, SHOPIFY_TAG_ORDER
from core.models import Effect, Endpoint, Event
from core.relay import claiming, inbox
from core.relay.claiming import claim_effects, find_due
from core.relay.inbox import FIRST, KNOWN, claim_events
from core.relay.jobs import work
from tests.integration.relay_stage import RelayStage

MANY = 60


def claim(relay: RelayStage, limit: int, most_doubtful: int | None = None, **more: Any) -> list[Effect]:
    with relay.runtime.database.write() as session:
        return [session.get_one(Effect, one.id) for one in claim_effects(session, limit, most_doubtful, **more)]


def claim_in(relay: RelayStage, limit: int) -> list[Event]:
    with relay.runtime.database.write() as session:
        return [session.get_one(Event, one.id) for one in claim_events(session, limit)]


def test_a_shop_with_many_effects_does_not_delay_anothers_first(relay: RelayStage) -> None:
    for number in range(MANY):
        relay.want(f"busy {number}")
    small = relay.add_shop("small.myshopify.com")
    only = relay.want("only", shop_id=small)
    assert only in [one.id for one in claim(relay, 2)]


def test_a_shop_with_many_events_does_not_delay_anothers_first(relay: RelayStage) -> None:
    for number in range(MANY):
        relay.record(f"busy {number}", priority=FIRST)
    small = relay.add_shop("small.myshopify.com")
    only = relay.record("only", shop_id=small)
    assert only in [one.id for one in claim_in(relay, 2)]


def test_the_one_with_least_under_way_is_served_first(relay: RelayStage) -> None:
    for number in range(MANY):
        relay.want(f"a{number}")
        relay.record(f"a{number}")
    assert len(claim(relay, 2)) == len(claim_in(relay, 2)) == 2
    small = relay.add_shop("small.myshopify.com")
    for number in range(MANY):
        relay.want(f"b{number}", shop_id=small)
        relay.record(f"b{number}", shop_id=small)
    assert [one.shop_id for one in claim(relay, 1)] == [small]
    assert [one.shop_id for one in claim_in(relay, 1)] == [small]


def test_only_so_many_are_under_way_for_one_however_many_ask(relay: RelayStage) -> None:
    for number in range(MANY):
        relay.want(f"oms {number}")
        relay.want(f"shopify {number}", kind=SHOPIFY_TAG_ORDER)
        relay.want(f"partner {number}", kind=PARTNER_FORWARD_RETURN, params={"partner": "p"})
        relay.record(f"{number}")
    claimed = [one for _ in range(5) for one in claim(relay, 100)]
    most = claiming.IN_FLIGHT
    assert Counter(one.endpoint for one in claimed) == {"oms": most, "shopify": most, "partner:p": most}
    assert len([one for _ in range(5) for one in claim_in(relay, 100)]) == inbox.IN_FLIGHT


def test_places_that_one_cannot_use_go_to_the_others(relay: RelayStage) -> None:
    relay.want("shopify", kind=SHOPIFY_TAG_ORDER)
    for number in range(MANY):
        relay.want(f"oms {number}")
    assert len(claim(relay, 5)) == 5


def test_one_that_failed_last_gets_one_at_a_time_and_few_hands(relay: RelayStage) -> None:
    shops = [relay.add_shop(f"s{number}.myshopify.com") for number in range(6)]
    for shop in shops:
        for number in range(3):
            relay.want(f"{shop} {number}", shop_id=shop)
    with relay.runtime.database.write() as session:
        for shop in shops[:5]:
            session.get_one(Endpoint, (shop, "oms")).failures = 1
        session.get_one(Endpoint, (shops[5], "oms")).quick = True
    claimed = Counter(one.shop_id for one in claim(relay, 100, most_doubtful=3))
    assert claimed[shops[5]] == 3
    assert sorted(claimed[shop] for shop in shops[:5]) == [0, 0, 1, 1, 1]


def test_those_who_were_never_called_share_the_few_hands(relay: RelayStage) -> None:
    for number in range(3):
        for name in ("a", "b"):
            relay.want(f"{name}{number}", kind=PARTNER_FORWARD_RETURN, params={"partner": name})
    claimed = Counter(one.endpoint for one in claim(relay, 8, most_doubtful=4))
    assert claimed == {"partner:a": 2, "partner:b": 2}


def test_who_may_hang_comes_after_the_others_for_the_patient_and_else_before_them(relay: RelayStage) -> None:
    for number in range(3):
        for name in ("well", "new"):
            relay.want(f"{name} {number}", kind=PARTNER_FORWARD_RETURN, params={"partner": name})
    with relay.runtime.database.write() as session:
        session.get_one(Endpoint, (relay.shop_id, "partner:well")).quick = True
    assert [one.endpoint for one in claim(relay, 1)] == ["partner:new"]
    assert [one.endpoint for one in claim(relay, 8, patient=True)] == ["partner:well"] * 3
    assert claim(relay, 8, 0, patient=True) == []
    assert [one.endpoint for one in claim(relay, 8, 1, patient=True)] == ["partner:new"]
    assert [one.endpoint for one in claim(relay, 8, -1)] == []


def test_verdicts_then_known_exchanges_then_the_rest(relay: RelayStage) -> None:
    normal, known, first = relay.record("a"), relay.record("b", priority=KNOWN), relay.record("c", priority=FIRST)
    assert [one.id for _ in range(3) for one in claim_in(relay, 1)] == [first, known, normal]


def test_every_priority_there_is_is_claimed() -> None:
    assert {kind.priority for kind in KINDS.values()} == set(claiming.PRIORITIES)


def test_an_effect_that_the_previous_release_wanted_is_sent(relay: RelayStage) -> None:
    """It knows no endpoints; both releases run side by side while the new one is rolled out."""
    effects = [
        relay.want("a", kind=OMS_UNHOLD_ORDER),
        relay.want("b", kind=PARTNER_FORWARD_RETURN, params={"partner": "p"}),
    ]
    with relay.runtime.database.write() as session:
        session.query(Endpoint).delete()
    for effect in effects:
        relay.change(Effect, effect or 0, endpoint="")
    with relay.runtime.database.read() as session:
        assert find_due(session)
    work(relay.runtime, 5)
    assert [relay.effect(one).endpoint for one in effects] == ["oms", "partner:p"]
    assert relay.states() == ["done", "done"]


@pytest.mark.parametrize("state", ["working", "down"])
def test_a_far_side_that_rests_is_passed_over(relay: RelayStage, state: str) -> None:
    effect = relay.want("a")
    with relay.runtime.database.write() as session:
        endpoint = session.scalars(select(Endpoint)).one()
        endpoint.state, endpoint.rests_until = state, db_now(60)
    with relay.runtime.database.read() as session:
        assert not find_due(session)
    assert claim(relay, 10) == []
    with relay.runtime.database.write() as session:
        session.scalars(select(Endpoint)).one().rests_until = db_now(-1)
    assert [one.id for one in claim(relay, 10)] == [effect]
