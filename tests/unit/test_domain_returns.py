"""Laws of returns: judging is total and blind to order, units keep their codes, statuses never go back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.orders import OrderLine
from core.domain.plan import Plan, PlanKind, QcPolicy, find_units, make_plan
from core.domain.returns import (
    CountsAs,
    ReturnUnit,
    UnitVerdict,
    Verdict,
    explode_items,
    find_more,
    match_verdicts,
)
from core.domain.statuses import ARRIVED, ENDED, Status, may_follow

CODES = st.sampled_from(["I1", "I2", "I3", "I4"])
SKUS = st.sampled_from(["A", "B"])
REASONS = st.none() | st.sampled_from(["STAIN", "IRON", "ASK"])
TABLE = {"IRON": CountsAs.PASS, "ASK": CountsAs.REVIEW}
UNITS = st.lists(st.builds(ReturnUnit, CODES, SKUS, st.none()), max_size=4, unique_by=lambda unit: unit.item_code)
VERDICTS = st.lists(
    st.builds(UnitVerdict, st.sampled_from(["I1", "I2", "X1", "X2", "X3"]), SKUS, st.sampled_from(Verdict), REASONS),
    max_size=5,
    unique_by=lambda verdict: verdict.item_code,
)


def name_units(*lines: str, left: int = 1) -> list[OrderLine]:
    """Lines of one piece that name these units; `left` is what the last still has."""
    made = [OrderLine(number, "N", None, 1, 1, 1, tuple(codes.split())) for number, codes in enumerate(lines, 1)]
    return [*made[:-1], replace(made[-1], current_quantity=left)]


def by_code(verdicts: list[UnitVerdict]) -> dict[str, UnitVerdict]:
    return {verdict.item_code: verdict for verdict in verdicts}


@given(UNITS, VERDICTS, st.randoms(use_true_random=False))
def test_judging_is_total_and_blind_to_order(
    units: list[ReturnUnit], verdicts: list[UnitVerdict], random: object
) -> None:
    planned = make_plan(units, by_code(verdicts), [], QcPolicy(reasons=TABLE))
    assert isinstance(planned, Plan)
    other_units, other_verdicts = list(units), list(verdicts)
    random.shuffle(other_units)  # type: ignore[attr-defined]
    random.shuffle(other_verdicts)  # type: ignore[attr-defined]
    assert make_plan(other_units, by_code(other_verdicts), [], QcPolicy(reasons=TABLE)) == planned


@given(UNITS, VERDICTS)
def test_each_verdict_serves_one_unit_of_its_kind(units: list[ReturnUnit], verdicts: list[UnitVerdict]) -> None:
    matched = match_verdicts(units, by_code(verdicts))
    assert set(matched) <= {unit.item_code for unit in units}
    assert len({verdict.item_code for verdict in matched.values()}) == len(matched)


@given(UNITS, VERDICTS)
def test_a_release_needs_every_unit_to_pass(units: list[ReturnUnit], verdicts: list[UnitVerdict]) -> None:
    if make_plan(units, by_code(verdicts), [], QcPolicy()).kind is PlanKind.RELEASE:
        assert units
        passed = [verdict for verdict in verdicts if verdict.verdict is Verdict.PASS]
        assert len(passed) >= len(units)


@given(UNITS, VERDICTS)
def test_nothing_is_freed_over_a_fail_that_no_unit_accounts_for(
    units: list[ReturnUnit], verdicts: list[UnitVerdict]
) -> None:
    """Whatever its code and SKU are."""
    planned = make_plan(units, by_code(verdicts), [], QcPolicy())
    if planned.kind is PlanKind.RELEASE:
        assert all(one.verdict is Verdict.PASS for one in verdicts)


def test_a_unit_that_failed_under_two_codes_is_one_failed_unit() -> None:
    units = [ReturnUnit("I1", "A", None), ReturnUnit("I2", "B", None)]
    lines = [OrderLine(1, "N", None, 1, 1, 1, ("I1",)), OrderLine(2, "N", None, 1, 1, 1, ("I2",))]
    said = [
        UnitVerdict("I1", "A", Verdict.FAIL),
        UnitVerdict("I2", "B", Verdict.PASS),
        UnitVerdict("X1", "A", Verdict.FAIL),
    ]
    assert make_plan(units, by_code(said), lines, QcPolicy()).kind is PlanKind.CUT
    more = [*said, UnitVerdict("X2", "A", Verdict.FAIL)]
    assert make_plan(units, by_code(more), lines, QcPolicy()).kind is PlanKind.REVIEW


def test_a_pass_of_a_unit_that_nothing_lists_or_names_saves_the_line_that_no_unit_is_named_for() -> None:
    said = [UnitVerdict("I1", "A", Verdict.FAIL), UnitVerdict("X1", "B", Verdict.PASS)]
    planned = make_plan([ReturnUnit("I1", "A", None)], by_code(said), name_units("I1", ""), QcPolicy())
    assert (planned.kind, planned.left) == (PlanKind.CUT, {1: 0})


def test_a_verdict_for_a_person_stops_a_cancel_though_nothing_lists_its_unit() -> None:
    said = [UnitVerdict("I1", "A", Verdict.FAIL), UnitVerdict("X1", "B", Verdict.FAIL, "ASK")]
    planned = make_plan([ReturnUnit("I1", "A", None)], by_code(said), [], QcPolicy(reasons=TABLE))
    assert planned.kind is PlanKind.REVIEW


@pytest.mark.parametrize(
    ("registered", "lines", "judged", "units"),
    [
        ("", name_units("I1", "I2 I3"), "", "I1 I2 I3"),  # the lines alone, when all of them name units
        ("", name_units("I1", ""), "", ""),
        ("I1", name_units("I1", "I2"), "", "I1 I2"),  # the lines name more than is registered
        ("I1", name_units("I1", "I2 I2"), "", "I1 I2"),
        ("I1", name_units("I1", "I2", left=0), "", "I1"),  # taken off the order, and nobody judged what it replaced
        ("I1", name_units("I1", "I2", left=0), "I2", "I1 I2"),
        ("I1", [*name_units("I1", "I2", left=0), OrderLine(3, "N", None, 1, 1, 1)], "", "I1 I2"),  # swapped, perhaps
        ("I1", name_units("I1", ""), "", "I1"),
        ("9001", name_units("I1", "I2"), "", "9001"),  # codes of two kinds: the return alone says
        ("I1 9002", name_units("I1", "I2"), "", "I1 9002"),
        ("I1 I2", name_units("I1"), "", "I1 I2"),
    ],
)
def test_units_are_the_registered_ones_and_those_named_beside_them(
    registered: str, lines: list[OrderLine], judged: str, units: str
) -> None:
    known = [ReturnUnit(code, "A", None) for code in registered.split()]
    assert [unit.item_code for unit in find_units(known, lines, judged.split())] == units.split()


@given(UNITS, UNITS)
def test_what_a_full_body_adds_is_counted_by_sku(known: list[ReturnUnit], told: list[ReturnUnit]) -> None:
    more = find_more(known, told)
    assert not {unit.item_code for unit in more} & {unit.item_code for unit in known}
    for sku in ("A", "B"):
        counts = [sum(unit.sku == sku for unit in some) for some in (known, told, more)]
        assert counts[2] <= max(counts[1] - counts[0], 0)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), SKUS, st.integers(1, 5)), max_size=5))
def test_exploding_is_stable(items: list[tuple[str, str, int]]) -> None:
    units = explode_items(items, "why")
    assert units == explode_items(iter(items), "why")
    assert len(units) == sum(quantity for _, _, quantity in items)


@given(st.sampled_from(Status), st.lists(st.sampled_from(Status), max_size=30))
def test_a_status_never_comes_back(first: Status, news: list[Status]) -> None:
    current, left = first, set()
    for new in news:
        if may_follow(new, current):
            assert current not in ENDED | ARRIVED
            assert new != current
            left.add(current)
            current = new
    assert may_follow(current, None)
    assert not may_follow(current, current)


@given(st.sampled_from(Status), st.sampled_from(Status))
def test_of_two_statuses_only_tries_may_take_turns(one: Status, other: Status) -> None:
    if may_follow(one, other) and may_follow(other, one):
        assert not {one, other} & (ENDED | ARRIVED)
