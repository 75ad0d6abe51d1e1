"""The exchange table, said once more and by itself: a change of any cell is a change of this page.

`.` stays. Every other mark is a move, explained below the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product

import pytest

from core.domain.exchange import (
    SETTLED,
    TABLE,
    UNDERWAY,
    WAITING,
    Facts,
    Move,
    Signal,
    State,
    Stay,
    decide,
    read_signal,
)
from core.domain.plan import PlanKind

MARKS = {
    "Rq": ("releasing", "qc_passed"),
    "Cq": ("cancelling", "qc_failed"),
    "Cm": ("cancelling", "qc_mixed"),
    "Vi": ("review", "in_order_exchange"),
    "Vu": ("review", "qc_unclear"),
    "Vl": ("review", "changed_too_late"),
    "Vn": ("review", "never_held"),
    "Ve": ("review", "return_ended"),
    "Oc": ("overridden", "cancelled_by_hand"),
    "Ol": ("overridden", "lifted_by_hand"),
    "Of": ("overridden", "fulfilled_by_hand"),
    "Oh": ("overridden", "held_again_by_hand"),
    "Pe": ("partly_cancelled", "cut_elsewhere"),
    "Pp": ("partly_cancelled", "partly_cancelled"),
    "Ca": ("cancelled", "cancelled"),
    "Re": ("released", "released"),
    "Ag": ("awaiting_verdict", "goods_arrived"),
    "Ar": ("awaiting_goods", "return_known"),
    "Am": ("awaiting_verdict", "more_units"),
    "An": ("awaiting_return", "nothing_known"),
    "Vd": ("review", "verdict_overdue"),
}
# columns: the states, in this order
COLUMNS = [
    "awaiting_return",
    "awaiting_goods",
    "awaiting_verdict",
    "releasing",
    "released",
    "cancelling",
    "cancelled",
    "partly_cancelled",
    "review",
    "overridden",
]
CELLS = """
signal               | wR  wG  wV | ing  ed | ing  ed | part | rev | over
cancel_done          | Oc  Oc  Oc | Oc   .  | Ca   .  | .    | Oc  | .
cancelled_in_shopify | Oc  Oc  Oc | Oc   .  | Oc   .  | .    | Oc  | .
cut_and_lifted       | Pe  Pe  Pe | Re   .  | Pp   .  | .    | Ol  | .
lifted_in_shopify    | Ol  Ol  Ol | Re   .  | Ol   .  | .    | Ol  | .
fulfilled            | Of  Of  Of | Of   .  | Of   .  | .    | Of  | .
never_held           | Vn  Vn  Vn | .    .  | .    .  | .    | .   | .
decided_by_hand      | .   .   .  | .    Oh | .    .  | Oh   | .   | .
waits_for_person     | .   .   .  | .    Oh | .    .  | Oh   | .   | .
deadline_lifted      | .   .   .  | Vd   Oh | Vd   .  | Oh   | .   | .
deadline_refuted     | .   .   .  | Vd   Oh | Vd   .  | Oh   | .   | .
under_way            | .   .   .  | .    Oh | .    .  | Oh   | .   | .
changed_too_late     | Vl  Vl  Vl | Vl   Oh | Vl   .  | Oh   | Vl  | .
more_units           | .   .   .  | Am   Oh | Am   .  | Oh   | .   | .
to_release           | Rq  Rq  Rq | .    Oh | Rq   .  | Oh   | Rq  | .
to_cancel            | Cq  Cq  Cq | Cq   Oh | Cq   .  | Oh   | Cq  | .
to_cut               | Cm  Cm  Cm | Cm   Oh | Cm   .  | Oh   | Cm  | .
in_order             | Vi  Vi  Vi | Vi   Oh | Vi   .  | Oh   | Vi  | .
unclear              | Vu  Vu  Vu | Vu   Oh | Vu   .  | Oh   | Vu  | .
return_ended         | Ve  Ve  Ve | .    Oh | .    .  | Oh   | .   | .
goods_arrived        | Ag  Ag  .  | .    Oh | .    .  | Oh   | Ag  | .
return_known         | Ar  .   .  | .    Oh | .    .  | Oh   | Ar  | .
nothing_known        | .   .   .  | .    Oh | .    .  | Oh   | An  | .
"""


def read_cells() -> dict[tuple[str, str], str]:
    """`(state, signal)` -> mark."""
    rows = [line.replace("|", " ").split() for line in CELLS.strip().splitlines()[1:]]
    return {(state, row[0]): mark for row in rows for state, mark in zip(COLUMNS, row[1:], strict=True)}


def test_the_page_has_every_cell_and_no_other() -> None:
    assert set(read_cells()) == {(state.value, signal.value) for state in State for signal in Signal}
    assert set(MARKS) == set(read_cells().values()) - {"."}


@pytest.mark.parametrize("state", State)
def test_every_cell_is_as_the_page_says(state: State) -> None:
    cells = read_cells()
    for signal in Signal:
        step, mark = decide(state, signal), cells[state.value, signal.value]
        if mark == ".":
            assert isinstance(step, Stay), f"{state} {signal}: {step}"
        else:
            assert isinstance(step, Move), f"{state} {signal}: {step}"
            assert (step.to.value, step.code) == MARKS[mark], f"{state} {signal}: {step}"
        assert step.why.strip()


BY_WHOM = ("decided", "by_deadline", "deadline_lifted", "refuted")
NOBODY, PERSON, DEADLINE = (False, False, False, False), (True, False, False, False), (False, True, False, False)
NO_LONGER = [(False, True, *why) for why in ((False, True), (True, False), (True, True))]
DECIDERS = (NOBODY, PERSON, DEADLINE, *NO_LONGER)


def list_facts() -> Iterator[Facts]:
    """Every combination there is: eighteen yes-or-no facts, the plan, and what is under way.

    Nothing is under way in a review, it is too late only there and once we have acted, only what a deadline decided can
    be a deadline's no longer, only a person or a deadline decides, and a plan is outdated only by cuts that were made.
    """
    flags = [one.name for one in fields(Facts) if one.name not in ("underway", "plan", *BY_WHOM)]
    assert len(flags) + len(BY_WHOM) == 18
    for plan, underway, by_whom in product(PlanKind, (None, *dict.fromkeys(UNDERWAY.values())), DECIDERS):
        for values in product((False, True), repeat=len(flags)):
            said = dict(zip((*flags, *BY_WHOM), (*values, *by_whom), strict=True))
            if said["too_late"] and not (said["stuck"] and said["acted"]):
                continue
            if said["outdated"] and not (said["acted"] and plan in (PlanKind.CUT, PlanKind.RELEASE)):
                continue
            if not (said["stuck"] if underway else said["refuted"]):
                yield Facts(plan=plan, underway=underway, **said)


def expect_signal(facts: Facts) -> str:
    """The order of what counts, in other words than the product's."""
    if facts.too_late and (facts.cancelled or (facts.seen_held and not facts.held)):
        return "waits_for_person"
    if facts.cancelled:
        return "cancel_done" if facts.acted or not facts.ours else "cancelled_in_shopify"
    if not facts.held and facts.seen_held:
        return "cut_and_lifted" if facts.plan == "cut" and facts.cut_done else "lifted_in_shopify"
    if facts.fulfilled or not facts.held:
        return "fulfilled" if facts.fulfilled else "never_held"
    if facts.decided:
        return "decided_by_hand"
    if facts.stuck:
        return "waits_for_person"
    if facts.deadline_lifted and facts.plan == "wait":
        return "deadline_lifted"
    if facts.refuted and facts.plan == "wait" and not facts.acted:
        return "deadline_refuted"
    stands = facts.by_deadline and facts.plan == "wait" and not facts.refuted
    if (facts.underway == facts.plan and not facts.outdated) or stands:
        return "under_way"
    if facts.outdated:
        return "changed_too_late"
    if facts.underway and (facts.acted or facts.plan == "wait"):
        return "changed_too_late" if facts.acted else "more_units"
    if facts.plan == "cancel":
        return "in_order" if facts.in_order else "to_cancel"
    named = {"release": "to_release", "cut": "to_cut", "review": "unclear"}
    if facts.plan in named:
        return named[facts.plan]
    if facts.return_ended:
        return "return_ended"
    if facts.goods_arrived:
        return "goods_arrived"
    return "return_known" if facts.return_known else "nothing_known"


def test_every_combination_of_facts_has_the_one_signal_expected() -> None:
    seen = set()
    for facts in list_facts():
        signal = read_signal(facts)
        assert signal == expect_signal(facts), facts
        seen.add(signal)
    assert seen == set(Signal), "a signal that nothing can give"


def take_step(state: State, facts: Facts) -> tuple[State, Facts] | None:
    """One turn of `reconsider`: the state and what it carries out change, everything else stays as it is.

    A review that has just begun lacks what it lacks; a decision of the deadline's ends with it.
    """
    step = decide(state, read_signal(facts))
    if isinstance(step, Stay):
        return None
    now = {"underway": UNDERWAY.get(step.code), "stuck": step.to is State.REVIEW}
    now["too_late"] = step.code == "changed_too_late" and facts.acted
    if step.to is State.REVIEW:
        now |= {"by_deadline": False, "deadline_lifted": False, "refuted": False}
    return step.to, replace(facts, **now)


def test_no_facts_drive_an_exchange_in_a_circle() -> None:
    """From every state and every combination of facts the moves end, and before `reconsider` gives up counting."""
    longest = 0
    for facts in list_facts():
        if facts.underway is not None:
            starts = (State.RELEASING,) if facts.underway is PlanKind.RELEASE else (State.CANCELLING,)
        else:
            starts = (State.REVIEW,) if facts.stuck else tuple(State)
        for state in starts:
            longest = max(longest, count_moves(state, facts))
    assert 1 <= longest <= 3 < len(State)


def count_moves(state: State, facts: Facts) -> int:
    """How many moves it takes to come to rest."""
    been, moves = {(state, facts)}, 0
    while (taken := take_step(state, facts)) is not None:
        assert taken not in been, f"a circle through {taken}"
        been.add(taken)
        (state, facts), moves = taken, moves + 1
    return moves


def test_what_the_table_can_reach() -> None:
    """Only units that come to light, and what a review lacked, lead back to waiting; nothing but a new hold leads out
    of a state that is over.
    """
    for state, row in TABLE.items():
        moves = [step for step in row.values() if isinstance(step, Move)]
        if state not in (*WAITING, State.REVIEW):
            assert {one.code for one in moves if one.to in WAITING} <= {"more_units"}
        if state in SETTLED:
            assert {one.to for one in moves} <= {State.OVERRIDDEN}
        # other verdicts came, and they too ask for a person
        again = {"qc_unclear", "in_order_exchange", "changed_too_late"}
        assert all(one.to is not state or one.code in {*UNDERWAY, *again} for one in moves)
