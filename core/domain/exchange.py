"""The exchange table: what happens to a held replacement order, for every state and everything that can be seen.

A signal is read from the stored facts, never from "an event happened" (law 5), so returns, orders and verdicts may
arrive in any order, doubled or late, and end in the same state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.returns import Judgement


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


class Signal(StrEnum):
    """What the stored facts say right now; the first that holds, in this order."""

    CANCELLED_IN_SHOPIFY = "cancelled_in_shopify"
    LIFTED_IN_SHOPIFY = "lifted_in_shopify"
    FULFILLED = "fulfilled"
    NEVER_HELD = "never_held"
    ALL_PASS = "all_pass"
    ALL_FAIL = "all_fail"
    MIXED = "mixed"
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
    return_known: bool
    goods_arrived: bool
    return_ended: bool
    judgement: Judgement


def read_signal(facts: Facts) -> Signal:
    """The one thing the facts say. Total: some signal always holds."""
    checks = (
        (facts.cancelled, Signal.CANCELLED_IN_SHOPIFY),
        (not facts.held and facts.seen_held, Signal.LIFTED_IN_SHOPIFY),
        (facts.fulfilled, Signal.FULFILLED),
        (not facts.held, Signal.NEVER_HELD),
        (facts.judgement is Judgement.ALL_PASS, Signal.ALL_PASS),
        (facts.judgement is Judgement.ALL_FAIL, Signal.ALL_FAIL),
        (facts.judgement is Judgement.MIXED, Signal.MIXED),
        (facts.judgement is Judgement.REVIEW, Signal.UNCLEAR),
        (facts.return_ended, Signal.RETURN_ENDED),
        (facts.goods_arrived, Signal.GOODS_ARRIVED),
        (facts.return_known, Signal.RETURN_KNOWN),
    )
    return next((signal for holds, signal in checks if holds), Signal.NOTHING_KNOWN)


@dataclass(frozen=True)
class Move:
    """Go to another state, and why, in words a merchant reads."""

    to: State
    why: str


@dataclass(frozen=True)
class Stay:
    """Nothing to do, and why."""

    why: str


Step = Move | Stay

_WAITING_STEPS: dict[Signal, Move] = {
    Signal.CANCELLED_IN_SHOPIFY: Move(State.OVERRIDDEN, "the order was cancelled in Shopify before a verdict"),
    Signal.LIFTED_IN_SHOPIFY: Move(State.OVERRIDDEN, "the hold was lifted in Shopify before a verdict"),
    Signal.FULFILLED: Move(State.OVERRIDDEN, "the order was fulfilled in Shopify while on hold"),
    Signal.NEVER_HELD: Move(State.REVIEW, "the replacement order came without a hold"),
    Signal.ALL_PASS: Move(State.RELEASING, "every returned unit passed QC"),
    Signal.ALL_FAIL: Move(State.CANCELLING, "every returned unit failed QC"),
    Signal.MIXED: Move(State.REVIEW, "some returned units passed QC and some failed"),
    Signal.UNCLEAR: Move(State.REVIEW, "a QC reason is set to be reviewed by hand"),
    Signal.RETURN_ENDED: Move(State.REVIEW, "the return ended without arriving"),
}
_PROGRESS: dict[Signal, State] = {
    Signal.GOODS_ARRIVED: State.AWAITING_VERDICT,
    Signal.RETURN_KNOWN: State.AWAITING_GOODS,
    Signal.NOTHING_KNOWN: State.AWAITING_RETURN,
}
_PROGRESS_WHY = {
    State.AWAITING_VERDICT: "the goods reached the warehouse",
    State.AWAITING_GOODS: "the return order is known",
    State.AWAITING_RETURN: "no return order is known",
}
_WAITING = (State.AWAITING_RETURN, State.AWAITING_GOODS, State.AWAITING_VERDICT)


def _waiting_row(state: State) -> dict[Signal, Step]:
    row: dict[Signal, Step] = dict(_WAITING_STEPS)
    for signal, to in _PROGRESS.items():
        forward = _WAITING.index(to) > _WAITING.index(state)
        row[signal] = Move(to, _PROGRESS_WHY[to]) if forward else Stay("nothing new about the goods")
    return row


def _row(default: str, **steps: Step) -> dict[Signal, Step]:
    """A row of the table: the named cells, and one reason to stay for all the others."""
    row: dict[Signal, Step] = dict.fromkeys(Signal, Stay(default))
    row.update({Signal(name): step for name, step in steps.items()})
    return row


_CHANGED = Move(State.REVIEW, "QC changed its verdict while we were acting on the first one")
_AGAIN_HELD = "the order is settled"

TABLE: dict[State, dict[Signal, Step]] = {
    **{state: _waiting_row(state) for state in _WAITING},
    State.RELEASING: _row(
        "the release is on its way",
        lifted_in_shopify=Move(State.RELEASED, "the hold is off in Shopify"),
        cancelled_in_shopify=Move(State.OVERRIDDEN, "the order was cancelled in Shopify while we were releasing it"),
        fulfilled=Move(State.OVERRIDDEN, "the order was fulfilled in Shopify while we were releasing it"),
        all_fail=_CHANGED,
        mixed=_CHANGED,
        unclear=_CHANGED,
    ),
    State.CANCELLING: _row(
        "the cancel is on its way",
        cancelled_in_shopify=Move(State.CANCELLED, "the order is cancelled in Shopify"),
        lifted_in_shopify=Move(State.OVERRIDDEN, "the hold was lifted in Shopify before we cancelled"),
        fulfilled=Move(State.OVERRIDDEN, "the order was fulfilled in Shopify before we cancelled"),
        all_pass=_CHANGED,
        mixed=_CHANGED,
        unclear=_CHANGED,
    ),
    State.REVIEW: _row(
        "waits for a person",
        cancelled_in_shopify=Move(State.OVERRIDDEN, "the order was cancelled in Shopify"),
        lifted_in_shopify=Move(State.OVERRIDDEN, "the hold was lifted in Shopify"),
        fulfilled=Move(State.OVERRIDDEN, "the order was fulfilled in Shopify"),
    ),
    State.RELEASED: _row(_AGAIN_HELD),
    State.CANCELLED: _row(_AGAIN_HELD),
    State.PARTLY_CANCELLED: _row(_AGAIN_HELD),
    State.OVERRIDDEN: _row("a person has decided"),
}


def decide(state: State, signal: Signal) -> Step:
    """The cell of the table. Every cell exists."""
    return TABLE[state][signal]
