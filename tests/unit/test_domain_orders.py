"""Laws of orders: tags ignore case, and what OMS must hear comes to rest once it has been told."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from core.domain.orders import (
    Fulfillment,
    HoldTags,
    OmsNeed,
    OmsRecord,
    OrderLine,
    OrderSnapshot,
    find_cancelled_quantities,
    find_oms_needs,
    has_tag,
    is_held,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULES = HoldTags("Hold", ("Other", "Third"), "Release")
TAGS = st.lists(st.sampled_from(["Hold", "Other", "Third", "Release", "vip", ""]), max_size=6)
QUANTITIES = st.integers(0, 5)
NUMBERS = st.dictionaries(st.integers(1, 5), QUANTITIES, max_size=5)


def make_order(left: dict[int, int], *, cancelled: bool) -> OrderSnapshot:
    lines = tuple(OrderLine(line, "S", None, 5, quantity, quantity) for line, quantity in left.items())
    return OrderSnapshot(1, "#1", (), NOW, NOW, NOW if cancelled else None, Fulfillment.NONE, lines)


def acknowledge(order: OrderSnapshot, held: bool, record: OmsRecord | None) -> OmsRecord | None:
    """OMS takes everything it must hear."""
    for need in find_oms_needs(order, held=held, record=record):
        if need is OmsNeed.CREATE:
            record = OmsRecord(
                held, {line.id: line.current_quantity for line in order.lines if line.current_quantity}, {}
            )
        elif record and need is OmsNeed.CANCEL:
            record = OmsRecord(record.on_hold, record.ordered, find_cancelled_quantities(order, record))
        elif record:
            record = OmsRecord(need is OmsNeed.HOLD, record.ordered, record.cancelled)
    return record


@st.composite
def records(draw: st.DrawFn) -> OmsRecord | None:
    if draw(st.booleans()):
        return None
    ordered = draw(NUMBERS)
    cancelled = {line: draw(st.integers(0, quantity)) for line, quantity in ordered.items() if draw(st.booleans())}
    return OmsRecord(draw(st.booleans()), ordered, cancelled)


@given(NUMBERS, st.booleans(), st.booleans(), records())
def test_once_told_there_is_nothing_to_tell(
    left: dict[int, int], cancelled: bool, held: bool, record: OmsRecord | None
) -> None:
    order = make_order(left, cancelled=cancelled)
    assert find_oms_needs(order, held=held, record=acknowledge(order, held, record)) == []


@given(NUMBERS, st.booleans(), records())
def test_a_cancel_is_never_below_what_was_acknowledged_nor_above_what_was_ordered(
    left: dict[int, int], cancelled: bool, record: OmsRecord | None
) -> None:
    if record is None:
        return
    totals = find_cancelled_quantities(make_order(left, cancelled=cancelled), record)
    assert set(totals) == set(record.ordered)
    for line, total in totals.items():
        assert record.cancelled.get(line, 0) <= total <= record.ordered[line]


@given(NUMBERS, st.booleans(), st.booleans(), records())
def test_a_cancel_comes_before_the_unhold(
    left: dict[int, int], cancelled: bool, held: bool, record: OmsRecord | None
) -> None:
    needs = find_oms_needs(make_order(left, cancelled=cancelled), held=held, record=record)
    assert needs == [need for need in OmsNeed if need in needs]


@given(TAGS, st.randoms())
def test_holding_ignores_case_space_order_and_doubles(tags: list[str], random: object) -> None:
    other = [f" {tag.swapcase()} " for tag in reversed(tags)] * 2
    assert is_held(other, RULES) == is_held(tags, RULES)
    assert all(has_tag(other, tag) == has_tag(tags, tag) for tag in tags)


@given(TAGS)
def test_held_means_a_hold_tag_and_no_release_tag(tags: list[str]) -> None:
    assert is_held(tags, RULES) == (bool({"Hold", "Other", "Third"} & set(tags)) and "Release" not in tags)
