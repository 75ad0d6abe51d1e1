"""Laws of the drift check: systems that agree give no finding, and what is on its way is not judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.differences import ORDER_KINDS, Kind, Known, OmsSight, OrderSight, find_differences
from core.domain.exchange import State
from core.domain.orders import Fulfillment, HoldTags, OmsRecord, OrderLine, OrderSnapshot
from core.errors import Permanent
from oms_bridge.reconcile import parse_order

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULES = HoldTags("hold", release="free")
HELD, FREE = ("exchange", "hold"), ("exchange",)


def make_order(tags: tuple[str, ...], cancelled: bool = False) -> OrderSnapshot:
    line = OrderLine(1, "A", None, 2, 2, 2)
    at = NOW - timedelta(days=1)
    return OrderSnapshot(7, "#7", tags, at, at, at if cancelled else None, Fulfillment.NONE, (line,))


def make_record(on_hold: bool, cancelled: int = 0) -> OmsRecord:
    return OmsRecord(on_hold, {1: 2}, {1: cancelled}, {})


def make_known(order: OrderSnapshot, record: OmsRecord | None, **facts: Any) -> Known:
    standard: dict[str, Any] = {
        "state": State.AWAITING_VERDICT,
        "waited": timedelta(hours=2),
        "hold_decided": False,
        "linked": True,
        "acts": True,
        "binds": True,
        "left": {},
        "told": True,
        "busy_in_shopify": False,
        "busy_in_oms": False,
        "acted_at": None,
    }
    return Known(order=order, record=record, **{**standard, **facts})


def see(order: OrderSnapshot, **changes: Any) -> OrderSight:
    return replace(OrderSight(order.tags, order.cancelled_at, order.fulfillment, order.updated_at), **changes)


def find(known: Known, shopify: OrderSight | None, oms: OmsSight | None = None) -> list[tuple[Kind, bool]]:
    return [(one.kind, one.repairable) for one in find_differences(known, shopify, oms, RULES)]


@pytest.mark.parametrize("tags", [HELD, FREE, ("Exchange", "HOLD", "free")])
def test_systems_that_agree_give_nothing(tags: tuple[str, ...]) -> None:
    order, held = make_order(tags), tags == HELD
    known = make_known(order, make_record(held))
    assert find(known, see(order)) == []
    assert find(known, see(order), OmsSight(True, held, {1: 0})) == []
    assert find(known, see(order), OmsSight(True, None, None)) == []


@pytest.mark.parametrize(
    ("tags", "seen", "record", "oms", "found"),
    [
        (HELD, HELD, make_record(False), None, [(Kind.OMS_UNHELD, True)]),
        (HELD, HELD, make_record(True), OmsSight(True, False, {1: 0}), [(Kind.OMS_UNHELD, False)]),
        (HELD, FREE, make_record(True), None, [(Kind.OMS_HELD, True)]),
        (FREE, FREE, make_record(True), OmsSight(True, False, {1: 0}), []),
        (HELD, HELD, None, None, [(Kind.OMS_MISSING, True)]),
        (HELD, HELD, make_record(True), OmsSight(False), [(Kind.OMS_MISSING, False)]),
        (HELD, (*HELD, "vip"), make_record(True), None, [(Kind.MISSED_CHANGE, True)]),
        (HELD, ("HOLD", "exchange"), make_record(True), None, []),
    ],
)
def test_each_difference_has_its_name(
    tags: tuple[str, ...], seen: tuple[str, ...], record: OmsRecord | None, oms: OmsSight | None, found: object
) -> None:
    order = make_order(tags)
    assert find(make_known(order, record), see(order, tags=seen), oms) == found


def test_a_cancel_that_oms_does_not_know() -> None:
    order = make_order(HELD, cancelled=True)
    known = make_known(order, make_record(True), state=State.CANCELLED)
    assert find(known, see(order)) == [(Kind.OMS_NOT_CANCELLED, True)]
    assert find(make_known(order, make_record(True, 2), state=State.CANCELLED), see(order)) == []
    assert find(known, None) == [(Kind.ORDER_GONE, False)]


def test_where_oms_is_not_told_nothing_is_missing_there() -> None:
    order = make_order(HELD)
    assert find(make_known(order, None, told=False), see(order)) == []


def test_an_exchange_that_does_not_move() -> None:
    order = make_order(HELD)
    stuck = make_known(order, make_record(True), state=State.CANCELLING)
    assert find(stuck, see(order)) == [(Kind.ACT_LOST, False)]
    assert find(replace(stuck, acts=False), see(order)) == []
    assert find(replace(stuck, waited=timedelta(minutes=59)), see(order)) == []
    alone = make_known(order, make_record(True), state=State.REVIEW, linked=False, waited=timedelta(days=2))
    assert find(alone, see(order)) == [(Kind.UNLINKED_ORDER, False)]


@given(
    st.sampled_from(State),
    st.sampled_from([HELD, FREE]),
    st.sampled_from([HELD, FREE]),
    st.sampled_from([None, make_record(True), make_record(False)]),
    st.sampled_from([None, OmsSight(False), OmsSight(True, True, {1: 0}), OmsSight(True, False, {1: 2})]),
    st.booleans(),
    st.booleans(),
)
def test_every_case_is_named_once_and_what_is_on_its_way_is_left_alone(
    state: State,
    tags: tuple[str, ...],
    seen: tuple[str, ...],
    record: OmsRecord | None,
    oms: OmsSight | None,
    in_shopify: bool,
    in_oms: bool,
) -> None:
    order = make_order(tags)
    known = make_known(order, record, state=state, busy_in_shopify=in_shopify, busy_in_oms=in_oms)
    found = [kind for kind, _ in find(known, see(order, tags=seen), oms)]
    assert len(found) == len(set(found))
    assert set(found) <= ORDER_KINDS
    assert not (in_shopify and found)
    assert not (in_oms and any(kind.startswith("oms_") for kind in found))


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_a_young_change_settles(waited: int, changed: int, acted: int) -> None:
    order = make_order(HELD)
    known = make_known(order, None, waited=timedelta(seconds=waited), acted_at=NOW - timedelta(seconds=acted))
    sight = see(order, updated_at=NOW - timedelta(seconds=changed))
    assert known.is_settling(sight, NOW, timedelta(seconds=120)) is (min(waited, changed, acted) < 120)
    assert not known.is_settling(sight, NOW, timedelta(0))


def test_two_changes_in_one_second_are_two_sights() -> None:
    order = make_order(HELD)
    assert see(order).fingerprint == see(order, tags=("hold", "exchange")).fingerprint
    assert see(order).fingerprint != see(order, tags=FREE).fingerprint
    assert see(order).fingerprint != see(order, updated_at=NOW).fingerprint


def test_an_answer_of_oms_without_a_hold_tells_none() -> None:
    item = {"orderItemCode": "12", "orderedQuantity": 2, "cancelledQuantity": 1}
    odd = [{"orderItemCode": "x"}, "y", {"orderItemCode": "13", "cancelledQuantity": None}]
    assert parse_order({"orderItems": [item, *odd]}) == OmsSight(True, None, {12: 1, 13: 0})
    assert parse_order({"items": [item], "onHold": True}) == OmsSight(True, True, {12: 1})
    for answer in ({}, [], None, "text", {"orderItems": {}}):
        with pytest.raises(Permanent):
            parse_order(answer)
