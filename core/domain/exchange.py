"""The exchange table: what happens to a held replacement order, for every state and everything that can be seen.

A signal is read from the stored facts, never from "an event happened" (law 5), so returns, orders and verdicts may
arrive in any order, doubled or late, and end in the same state.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from core.domain.plan import PlanKind
from core.domain.returns import CountsAs


class State(StrEnum):
    """States of an exchange."""

    AWAITING_RETURN = "awaiting_return"
    AWAITING_GOODS = "awaiting_goods"
    AWAITING_VERDICT = "awaiting_verdict"
    RELEASING = "releasing"
    RELEASED = "released"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    PARTLY_CANCELLED = "partly_cancelled"
    REVIEW = "review"
    OVERRIDDEN = "overridden"


WAITING = (State.AWAITING_RETURN, State.AWAITING_GOODS, State.AWAITING_VERDICT)
SETTLED = (State.RELEASED, State.CANCELLED, State.PARTLY_CANCELLED, State.OVERRIDDEN)


class Signal(StrEnum):
    """What the stored facts say right now; the first that holds, in this order."""

    CANCEL_DONE = "cancel_done"
    CANCELLED_IN_SHOPIFY = "cancelled_in_shopify"
    CUT_AND_LIFTED = "cut_and_lifted"
    LIFTED_IN_SHOPIFY = "lifted_in_shopify"
    FULFILLED = "fulfilled"
    NEVER_HELD = "never_held"
    DECIDED_BY_HAND = "decided_by_hand"
    WAITS_FOR_PERSON = "waits_for_person"
    DEADLINE_LIFTED = "deadline_lifted"
    DEADLINE_REFUTED = "deadline_refuted"
    UNDER_WAY = "under_way"
    CHANGED_TOO_LATE = "changed_too_late"
    MORE_UNITS = "more_units"
    TO_RELEASE = "to_release"
    TO_CANCEL = "to_cancel"
    TO_CUT = "to_cut"
    IN_ORDER = "in_order"
    UNCLEAR = "unclear"
    RETURN_ENDED = "return_ended"
    GOODS_ARRIVED = "goods_arrived"
    RETURN_KNOWN = "return_known"
    NOTHING_KNOWN = "nothing_known"


@dataclass(frozen=True)
class Facts:
    """All that decides about one replacement order."""

    cancelled: bool
    held: bool  # by the tags in Shopify, or decided by us and not written yet
    seen_held: bool
    fulfilled: bool
    decided: bool  # a person has decided about this exchange: verdicts no longer move it (law 8)
    in_order: bool  # a native exchange: its lines are on the customer's first order, which must not be cancelled
    underway: PlanKind | None  # the plan that the present state carries out
    by_deadline: bool  # it was not a verdict that brought it there
    deadline_lifted: bool  # and by the settings of now it would not have; nothing of it has been sent
    refuted: bool  # or by what QC has said since
    too_late: bool  # in review, as QC changed its mind after our release or cancel had begun: what lands is our act
    stuck: bool  # in review, and nothing has come that could end it without a person
    acted: bool  # we have begun to carry it out
    outdated: bool  # lines were cut, and by now the plan is to leave others of them, or all
    ours: bool  # it is ours to carry out, and not a partner's
    plan: PlanKind
    cut_done: bool  # the plan's cuts, if any, are visible in the quantities
    return_known: bool
    goods_arrived: bool
    return_ended: bool


def read_signal(facts: Facts) -> Signal:
    """The one thing the facts say. Total: some signal always holds."""
    cut = facts.plan is PlanKind.CUT
    lifted = not facts.held and facts.seen_held
    checks = (
        (facts.too_late and (facts.cancelled or lifted), Signal.WAITS_FOR_PERSON),
        (facts.cancelled and (facts.acted or not facts.ours), Signal.CANCEL_DONE),
        (facts.cancelled, Signal.CANCELLED_IN_SHOPIFY),
        (lifted and cut and facts.cut_done, Signal.CUT_AND_LIFTED),
        (lifted, Signal.LIFTED_IN_SHOPIFY),
        (facts.fulfilled, Signal.FULFILLED),
        (not facts.held, Signal.NEVER_HELD),
        (facts.decided, Signal.DECIDED_BY_HAND),
        (facts.stuck, Signal.WAITS_FOR_PERSON),
        (facts.deadline_lifted and facts.plan is PlanKind.WAIT, Signal.DEADLINE_LIFTED),
        (facts.refuted and facts.plan is PlanKind.WAIT and not facts.acted, Signal.DEADLINE_REFUTED),
        (facts.underway is facts.plan and not facts.outdated, Signal.UNDER_WAY),
        (facts.by_deadline and facts.plan is PlanKind.WAIT and not facts.refuted, Signal.UNDER_WAY),
        (facts.outdated or (facts.underway is not None and facts.acted), Signal.CHANGED_TOO_LATE),
        (facts.underway is not None and facts.plan is PlanKind.WAIT, Signal.MORE_UNITS),
        (facts.plan is PlanKind.RELEASE, Signal.TO_RELEASE),
        (facts.plan is PlanKind.CANCEL and facts.in_order, Signal.IN_ORDER),
        (facts.plan is PlanKind.CANCEL, Signal.TO_CANCEL),
        (cut, Signal.TO_CUT),
        (facts.plan is PlanKind.REVIEW, Signal.UNCLEAR),
        (facts.return_ended, Signal.RETURN_ENDED),
        (facts.goods_arrived, Signal.GOODS_ARRIVED),
        (facts.return_known, Signal.RETURN_KNOWN),
    )
    return next((signal for holds, signal in checks if holds), Signal.NOTHING_KNOWN)


@dataclass(frozen=True)
class Move:
    """Go to another state. `code` names the exit for programs, `why` says it to a merchant."""

    to: State
    code: str
    why: str


@dataclass(frozen=True)
class Stay:
    """Nothing to do, and why."""

    why: str


Step = Move | Stay

# which plan an exchange that is releasing or cancelling carries out, by the code of the move that brought it there
UNDERWAY = {
    "qc_passed": PlanKind.RELEASE,
    "qc_failed": PlanKind.CANCEL,
    "qc_mixed": PlanKind.CUT,
    "released_by_deadline": PlanKind.RELEASE,
    "cancelled_by_deadline": PlanKind.CANCEL,
}

# a review that lacks something other than a verdict, and ends by itself once that has come
LACKING = ("never_held", "return_ended")
# a review about what was or was not done after a verdict: only a person ends it
FOR_PERSON = ("changed_too_late", "partner_overdue", "held_by_hand")

_OVER = State.OVERRIDDEN
_CHANGED = Move(State.REVIEW, "changed_too_late", "what QC says has changed after we had begun to act on it")
_ACT: dict[Signal, Move] = {
    Signal.TO_RELEASE: Move(State.RELEASING, "qc_passed", "every returned unit passed QC"),
    Signal.TO_CANCEL: Move(State.CANCELLING, "qc_failed", "the returned units failed QC"),
    Signal.TO_CUT: Move(State.CANCELLING, "qc_mixed", "some returned units failed QC: their lines are cancelled"),
    Signal.IN_ORDER: Move(
        State.REVIEW,
        "in_order_exchange",
        "the units failed QC, but the exchange is part of the customer's first order, which is never cancelled whole",
    ),
    Signal.UNCLEAR: Move(State.REVIEW, "qc_unclear", "what the verdicts ask for is left to a person"),
}
_WAITING_STEPS: dict[Signal, Move] = {
    **_ACT,
    Signal.CHANGED_TOO_LATE: _CHANGED,  # a line was cut early, and would not be now
    Signal.CANCELLED_IN_SHOPIFY: Move(
        _OVER, "cancelled_by_hand", "the order was cancelled in Shopify before a verdict"
    ),
    Signal.CUT_AND_LIFTED: Move(
        State.PARTLY_CANCELLED, "cut_elsewhere", "the failed lines are cancelled, the rest is free"
    ),
    Signal.LIFTED_IN_SHOPIFY: Move(_OVER, "lifted_by_hand", "the hold was lifted in Shopify before a verdict"),
    Signal.FULFILLED: Move(_OVER, "fulfilled_by_hand", "the order was fulfilled in Shopify while on hold"),
    Signal.NEVER_HELD: Move(State.REVIEW, "never_held", "the replacement order came without a hold"),
    Signal.RETURN_ENDED: Move(State.REVIEW, "return_ended", "the return ended without arriving"),
}
_PROGRESS: dict[Signal, Move] = {
    Signal.GOODS_ARRIVED: Move(State.AWAITING_VERDICT, "goods_arrived", "the goods reached the warehouse"),
    Signal.RETURN_KNOWN: Move(State.AWAITING_GOODS, "return_known", "the return order is known"),
    Signal.NOTHING_KNOWN: Move(State.AWAITING_RETURN, "nothing_known", "no return order is known"),
}


def _waiting_row(state: State) -> dict[Signal, Step]:
    row: dict[Signal, Step] = dict.fromkeys(Signal, Stay("nothing new"))
    row.update(_WAITING_STEPS)
    row[Signal.CANCEL_DONE] = row[Signal.CANCELLED_IN_SHOPIFY]
    for signal, move in _PROGRESS.items():
        forward = WAITING.index(move.to) > WAITING.index(state)
        row[signal] = move if forward else Stay("nothing new about the goods")
    return row


def _row(default: str, **steps: Step) -> dict[Signal, Step]:
    """A row of the table: the named cells, and one reason to stay for all the others."""
    row: dict[Signal, Step] = dict.fromkeys(Signal, Stay(default))
    row.update({Signal(name): step for name, step in steps.items()})
    if "cancel_done" not in steps:  # only a row that cancels tells our cancel from somebody's
        row[Signal.CANCEL_DONE] = row[Signal.CANCELLED_IN_SHOPIFY]
    return row


def _settled_row(default: str, reheld: Move | None = None) -> dict[Signal, Step]:
    """A settled exchange moves no more, except that a hold put back by hand is written down as theirs."""
    row: dict[Signal, Step] = dict.fromkeys(Signal, Stay(default))
    if reheld:
        off_hold = (
            Signal.CANCEL_DONE,
            Signal.CANCELLED_IN_SHOPIFY,
            Signal.CUT_AND_LIFTED,
            Signal.LIFTED_IN_SHOPIFY,
            Signal.FULFILLED,
            Signal.NEVER_HELD,
        )
        row.update({signal: reheld for signal in Signal if signal not in off_hold})
    return row


_MORE_UNITS = Move(State.AWAITING_VERDICT, "more_units", "more units came to light, and not all have a verdict")
_DEADLINE_LIFTED = Move(
    State.REVIEW, "verdict_overdue", "the verdicts are late, and the settings no longer decide without them"
)
_DEADLINE_REFUTED = Move(
    State.REVIEW,
    "verdict_overdue",
    "the verdicts are late, and one that came since speaks against going on without them",
)
_REHELD = Move(_OVER, "held_again_by_hand", "the hold was put back in Shopify after the order had been freed")

TABLE: dict[State, dict[Signal, Step]] = {
    **{state: _waiting_row(state) for state in WAITING},
    State.RELEASING: _row(
        "the release is on its way",
        lifted_in_shopify=Move(State.RELEASED, "released", "the hold is off in Shopify"),
        cut_and_lifted=Move(State.RELEASED, "released", "the hold is off in Shopify"),
        cancelled_in_shopify=Move(
            _OVER, "cancelled_by_hand", "the order was cancelled in Shopify while it was released"
        ),
        fulfilled=Move(_OVER, "fulfilled_by_hand", "the order was fulfilled in Shopify while it was released"),
        changed_too_late=_CHANGED,
        deadline_lifted=_DEADLINE_LIFTED,
        deadline_refuted=_DEADLINE_REFUTED,
        more_units=_MORE_UNITS,
        to_cancel=_ACT[Signal.TO_CANCEL],
        to_cut=_ACT[Signal.TO_CUT],
        in_order=_ACT[Signal.IN_ORDER],
        unclear=_ACT[Signal.UNCLEAR],
    ),
    State.CANCELLING: _row(
        "the cancel is on its way",
        cancel_done=Move(State.CANCELLED, "cancelled", "the order is cancelled in Shopify"),
        cancelled_in_shopify=Move(_OVER, "cancelled_by_hand", "the order was cancelled in Shopify before we did"),
        cut_and_lifted=Move(
            State.PARTLY_CANCELLED, "partly_cancelled", "the failed lines are cancelled, the rest is free"
        ),
        lifted_in_shopify=Move(_OVER, "lifted_by_hand", "the hold was lifted in Shopify before the cancel"),
        fulfilled=Move(_OVER, "fulfilled_by_hand", "the order was fulfilled in Shopify before the cancel"),
        changed_too_late=_CHANGED,
        deadline_lifted=_DEADLINE_LIFTED,
        deadline_refuted=_DEADLINE_REFUTED,
        more_units=_MORE_UNITS,
        to_release=_ACT[Signal.TO_RELEASE],
        to_cancel=_ACT[Signal.TO_CANCEL],
        to_cut=_ACT[Signal.TO_CUT],
        in_order=_ACT[Signal.IN_ORDER],
        unclear=_ACT[Signal.UNCLEAR],
    ),
    State.REVIEW: _row(
        "waits for a person",
        cancelled_in_shopify=Move(_OVER, "cancelled_by_hand", "the order was cancelled in Shopify"),
        cut_and_lifted=Move(_OVER, "lifted_by_hand", "the hold was lifted in Shopify"),
        lifted_in_shopify=Move(_OVER, "lifted_by_hand", "the hold was lifted in Shopify"),
        fulfilled=Move(_OVER, "fulfilled_by_hand", "the order was fulfilled in Shopify"),
        changed_too_late=_CHANGED,
        **{signal.value: step for signal, step in (_ACT | _PROGRESS).items()},
    ),
    State.RELEASED: _settled_row("the order is free", _REHELD),
    State.PARTLY_CANCELLED: _settled_row("the rest of the order is free", _REHELD),
    State.CANCELLED: _settled_row("the order is cancelled"),
    State.OVERRIDDEN: _settled_row("a person has decided"),
}


def decide(state: State, signal: Signal) -> Step:
    """The cell of the table. Every cell exists."""
    return TABLE[state][signal]


def is_end_refuted(state: State, plan: PlanKind, news: Collection[CountsAs], *, cut_done: bool) -> bool:
    """True when a first verdict that came after the end speaks against it, and all of them do not ask for it."""
    if state in (State.RELEASED, State.PARTLY_CANCELLED):
        return any(one is not CountsAs.PASS for one in news) and not (plan is PlanKind.CUT and cut_done)
    return state is State.CANCELLED and any(one is not CountsAs.FAIL for one in news) and plan is not PlanKind.CANCEL
