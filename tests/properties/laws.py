"""The laws (docs and DESIGN §3, §8, §9), watched after every move of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.properties.agreement import find_disagreements
from tests.properties.oracle import Asks, Rules, ask, count_all, to_lines
from tests.properties.shop_world import HOLD, US, Act

if TYPE_CHECKING:
    from tests.properties.play import Play

OUTCOMES = {"handled", "ignored", "unknown", "parked"}
ENDS = {"done", "parked", "superseded", "dropped", "would_have"}
DEADLINE_SECONDS = 0.02 * 86_400
_OUR_FAULT = "fault of ours"
_TAG = f'%"{HOLD}"%'


@dataclass
class Known:
    """What our house knew at one moment."""

    exchange: dict[str, Any] | None = None
    lines: list[Any] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    said: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def ask(self, rules: Rules) -> Asks:
        """What the verdicts ask for by these rules."""
        return ask(self.units, self.said, self.lines, rules)


@dataclass(frozen=True)
class Wish:
    """An effect on the order in Shopify as it was wanted."""

    id: int
    what: str  # release | hold | cancel | cut
    left: dict[int, int]
    by_hand: bool
    by_deadline: bool
    rules: Rules
    actor: str


class Laws:
    """Raises AssertionError, by the law's name, as soon as one is broken."""

    def __init__(self, play: Play):
        self._play = play
        self._known = Known()
        self._wishes: dict[int, Wish] = {}
        self._newest_effect = 0
        self._seen_acts = 0
        self._decisions: list[tuple[str, int]] = []  # what, and the newest effect before it
        self._parked: set[tuple[str, int]] = set()
        self._hold_noted = False  # our stored order has shown the hold tag
        self.done_by_verdict: list[str] = []

    def begin_decision(self, decision: str) -> None:
        """A person is about to decide."""
        self._decisions.append((decision, self._newest_effect))

    def refuse_decision(self) -> None:
        """It was refused: nothing was decided."""
        self._decisions.pop()

    def watch(self, cause: str) -> None:
        """Look at everything that the last move did."""
        before, self._known = self._known, self.read_known()
        self._check_acts(before)
        for row in self._rows("SELECT * FROM effects WHERE id > :last ORDER BY id", last=self._newest_effect):
            self._newest_effect = row["id"]
            self._check_wish(row, cause, before)
        self._hold_noted = self._hold_noted or bool(self._rows("SELECT 1 FROM orders WHERE tags LIKE :tag", tag=_TAG))
        self._check_books()

    def _rows(self, query: str, **values: Any) -> list[Any]:
        return self._play.ground.rows(query, **values)

    def read_known(self) -> Known:
        """The stored facts."""
        exchanges = self._rows("SELECT * FROM exchanges")
        orders = self._rows("SELECT lines FROM orders")
        linked = self._rows("SELECT return_code FROM exchange_links")
        units = self._rows("SELECT item_code FROM return_units ORDER BY position") if linked else []
        said = self._rows("SELECT item_code, verdict, reason FROM verdicts ORDER BY id") if linked else []
        return Known(
            exchange=dict(exchanges[0]) if exchanges else None,
            lines=to_lines(json.loads(orders[0]["lines"])) if orders else [],
            units=[row["item_code"] for row in units],
            said={row["item_code"]: (row["verdict"], row["reason"]) for row in said},
        )

    # What we want.

    def _check_wish(self, row: Any, cause: str, before: Known) -> None:
        wish = self._read_wish(row, cause)
        if wish is None:
            return
        self._wishes[wish.id] = wish
        if wish.by_hand:
            return
        exchange = self._known.exchange or {}
        if wish.what == "hold":
            seen = before.exchange is not None and before.exchange["seen_held"]
            assert not (seen and self._was_hold_known()), "law 8: a hold that was on before is put on again by itself"
            return
        asks, left = self._known.ask(wish.rules)
        assert self._play.settings["actor"] == "app", f"F3: {wish.what} is wanted, and it is not for us to act"
        if wish.by_deadline:
            self._check_deadline(wish, asks)
            return
        assert exchange.get("decided_by") is None, f"law 8: verdicts want a {wish.what} after a person decided"
        assert _agrees(wish, asks, left), f"F3: a {wish.what} {wish.left} is wanted, the verdicts ask to {asks} {left}"

    def _was_hold_known(self) -> bool:
        """The tag was on, and we saw it or wrote it. One that staff lifted before we first read the order is neither.

        The house's own `seen_held` is not enough: it also says that we have asked for a release.
        """
        return self._hold_noted or Act(US, "hold") in self._play.shopify.acts

    def _check_deadline(self, wish: Wish, asks: str) -> None:
        """F6: a deadline does what the settings say, and never against a verdict that is there."""
        said = self._play.settings["on_deadline"]
        assert wish.what == said, f"F6: a deadline wants a {wish.what}, the settings say {said}"
        against = _find_contrary(wish, self._known, wish.rules)
        assert asks == "wait", f"F6: a deadline wants a {wish.what}, and the verdicts ask to {asks}"
        assert not against, f"F6: a deadline wants a {wish.what} against verdicts that {against}"

    def check_nothing_late(self) -> None:
        """F6: after the watch's turn nothing waits beyond its time, unless news are still to be thought about."""
        if self._rows("SELECT 1 FROM events WHERE outcome IS NULL"):
            return
        late = round((self._play.ground.clock.now - DEADLINE_SECONDS) * 1000) - 1
        found = self._rows("SELECT * FROM exchanges WHERE state = 'awaiting_verdict' AND since < :late", late=late)
        assert not found, f"F6: an exchange waits for a verdict beyond its deadline: {found}"

    def _read_wish(self, row: Any, cause: str) -> Wish | None:
        end = json.loads(row["wanted"])
        left: dict[int, int] = {}
        if row["kind"] == "shopify.cancel_order":
            what = "cancel"
        elif row["kind"] == "shopify.cancel_lines":
            what, left = "cut", {int(line): count for line, count in end["left"].items()}
        elif row["kind"] == "shopify.tag_order":
            what = "hold" if HOLD in end["add"] else "release"
        else:
            return None
        by_deadline = (self._known.exchange or {}).get("decided_by") == "deadline"
        actor = self._play.settings["actor"]
        return Wish(row["id"], what, left, cause == "hand", by_deadline, self._play.rules, actor)

    # What we do.

    def _check_acts(self, before: Known) -> None:
        acts = self._play.shopify.acts
        new, self._seen_acts = acts[self._seen_acts :], len(acts)
        for act in new:
            if act.who == US:
                self._check_act(act, self._find_wish(act), before)

    def _find_wish(self, act: Act) -> Wish:
        kinds = {"lift": "release", "ask_cancel": "cancel"}
        what = kinds.get(act.what, act.what)
        tried = self._rows("SELECT effect_id FROM attempts ORDER BY id DESC")
        found = [self._wishes[row["effect_id"]] for row in tried if row["effect_id"] in self._wishes]
        wish = next((one for one in found if one.what == what), None)
        assert wish is not None, f"law 3: {act} in Shopify, and nothing of ours wants it"
        return wish

    def _check_act(self, act: Act, wish: Wish, before: Known) -> None:
        if act.what == "cancel":  # was checked when it was asked for
            self._note_done("cancel", wish)
            return
        if act.what == "lift":
            self._note_done("release", wish)
            self._check_cut_first(wish, before)
        self._check_decided(wish)
        if wish.by_hand or wish.what == "hold":
            return
        assert self._play.settings["actor"] == "app", f"F3: {wish.what} was done, and it was not for us to act"
        assert before.exchange is not None
        assert before.exchange["state"] != "overridden", f"law 8: {wish.what} was done to an order people took over"
        answers = [before.ask(rules) for rules in (wish.rules, self._play.rules)]
        if wish.by_deadline and any(asks == "wait" for asks, _ in answers):
            against = _find_contrary(wish, before, self._play.rules)
            assert not against, f"F6: a deadline's {wish.what} was done against verdicts that {against}"
            return
        assert any(_agrees(wish, *answer) for answer in answers), (
            f"F3: a {wish.what} {wish.left} was done, the verdicts ask to {answers}"
        )
        self._check_no_regret(act, answers)

    def _check_cut_first(self, wish: Wish, before: Known) -> None:
        """The rest of a cut is freed after the cut."""
        asks, left = before.ask(wish.rules)
        if asks == "cut" and not wish.by_hand:
            kept = {line.id: line.current for line in self._play.shopify.lines}
            late = {line: count for line, count in left.items() if kept[line] > count}
            assert not late, f"F3: the order was freed before lines {late} were cut"

    def _check_no_regret(self, act: Act, answers: list[Asks]) -> None:
        """After a cut of ours, verdicts that now ask for another one are for a person: we do no more."""
        cuts = [one for one in self._play.shopify.acts[: self._seen_acts] if one.who == US and one.what == "cut"]
        for cut in (one for one in cuts if one is not act):
            for line, kept in cut.detail.items():
                fits = any(asks == "cancel" or left.get(line, kept + 1) <= kept for asks, left in answers)
                assert fits, f"section 8: {act} was done, though {cut} before it is not what the verdicts ask for now"

    def _check_decided(self, wish: Wish) -> None:
        """No act of before the newest decision happens after it, unless it is the same."""
        if self._decisions:
            decision, newest = self._decisions[-1]
            assert wish.id > newest or wish.what == decision, (
                f"law 8: {wish.what} was done after a person said {decision}"
            )

    def _note_done(self, what: str, wish: Wish) -> None:
        if not wish.by_hand:
            self.done_by_verdict.append(what)
            assert len(set(self.done_by_verdict)) == 1, "F3: an order was both released and cancelled by us"

    def check_unhold(self) -> None:
        """F1: OMS is freed only when it knows what was cut, as far as we know. One that was begun before is let be."""
        newest = "SELECT id FROM effects WHERE kind = 'oms.unhold_order' ORDER BY id DESC LIMIT 1"
        tries = self._rows(f"SELECT 1 FROM attempts WHERE effect_id = ({newest})")
        orders = self._rows("SELECT * FROM orders")
        if len(tries) > 1 or not orders or orders[0]["fulfillment"] != "none":
            return
        oms, gone = self._play.oms, orders[0]["cancelled_at"] is not None
        for line in json.loads(orders[0]["lines"]):
            code, left = str(line["id"]), 0 if gone else line["current_quantity"]
            kept = oms.ordered.get(code, 0) - oms.cancelled.get(code, 0)
            if kept > left:  # raised after the call: in it, it would be taken for a fault of the call
                oms.broken.append(f"F1: OMS is freed, and still sends {kept} of line {code}, of which {left} stay")

    # The books.

    def _check_books(self) -> None:
        doubled = self._rows(
            "SELECT aspect FROM effects WHERE state IN ('pending', 'sending') AND NOT started "
            "GROUP BY aspect HAVING COUNT(*) > 1"
        )
        assert not doubled, f"law 3: two unsent decisions about {doubled}"
        events = self._rows("SELECT id, outcome, reason, attempts FROM events")
        for event in events:
            assert event["outcome"] is None or event["outcome"] in OUTCOMES, f"law 7: {dict(event)}"
            assert not (event["outcome"] and not event["reason"]), f"law 7: an outcome without a reason: {dict(event)}"
            assert _OUR_FAULT not in (event["reason"] or ""), f"a fault of ours: {dict(event)}"
        effects = self._rows("SELECT id, state, reason, wanted FROM effects")
        for effect in effects:
            assert effect["state"] in ENDS | {"pending", "sending"}, f"{dict(effect)}"
            assert _OUR_FAULT not in (effect["reason"] or ""), f"a fault of ours: {dict(effect)}"
        parked = {("effect", row["id"]) for row in effects if row["state"] == "parked"}
        parked |= {("event", row["id"]) for row in events if row["outcome"] == "parked"}
        taken_back = {("effect", row["id"]) for row in effects if row["state"] == "superseded" and row["reason"]}
        assert self._parked <= parked | taken_back, f"parked and gone: {self._parked - parked}"
        self._parked = parked
        assert not self._play.oms.broken, self._play.oms.broken
        assert not self._play.shopify.broken, self._play.shopify.broken

    # At rest.

    def check_rest(self) -> None:
        """Everybody agrees, or something parked says why not."""
        found = find_disagreements(self._play)
        effects = [
            (row["kind"], row["state"], row["reason"])
            for row in self._rows("SELECT kind, state, reason FROM effects WHERE lane NOT LIKE 'partner:%' ORDER BY id")
        ]
        history = [(row["state"], row["code"]) for row in self._rows("SELECT * FROM exchange_history ORDER BY id")]
        assert not found, f"at rest, and {found}; {history}; {effects}; {self._play.shopify.acts}"


def _find_contrary(wish: Wish, known: Known, rules: Rules) -> set[str]:
    """What verdicts say against an act that was decided before all of them were there."""
    return count_all(known.said, rules) - {"pass" if wish.what == "release" else "fail"}


def _agrees(wish: Wish, asks: str, left: dict[int, int]) -> bool:
    if wish.what == "release":
        return asks in ("release", "cut")
    if wish.what == "cancel":
        return asks == "cancel"
    if asks == "cancel":
        return True
    return asks in ("cut", "wait") and all(left.get(line, count + 1) <= count for line, count in wish.left.items())
