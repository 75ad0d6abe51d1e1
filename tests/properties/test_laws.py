"""The exchange's rules, tried with everything that can come, in every order, with every kind of failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.properties.ground import Ground
from tests.properties.play import Play
from tests.properties.profiles import choose_settings, is_long
from tests.properties.shop_world import HOLD, STAFF, Line

GROUND = Ground()
STATUSES = ("RETURN_CREATED", "RETURN_PICKED_UP", "IN_TRANSIT", "DELIVERED", "CANCELLED", "LOST", "NO_SUCH_STATUS")
STATES = ("awaiting_return", "awaiting_goods", "awaiting_verdict", "releasing", "cancelling", "review", "released")
PASS, FAIL, IRON, ODD = ("PASS", None), ("FAIL", "STAIN_DAMAGE"), ("FAIL", "IRON"), ("FAIL", "ODD")
STRANGE = ("FAIL", "NO_SUCH_REASON")
Word = tuple[str, str | None]
STAFF_DOES = ("lift", "lift", "put back", "note", "cancel", "edit", "fulfil", "invoice")
FAULTS = ("down", "before", "after", "refuse")
DECISIONS = st.sampled_from(["release", "cancel", "hold"])
VERDICTS = st.sampled_from([PASS, PASS, PASS, FAIL, FAIL, FAIL, IRON, ODD, STRANGE])
SETTINGS = st.fixed_dictionaries(
    {
        "actor": st.sampled_from(["app", "app", "app", "partner", "none"]),
        "wait_for": st.sampled_from(["all_units", "each_unit"]),
        "on_fail": st.sampled_from(["cancel", "cancel", "cancel", "review"]),
        "on_mixed": st.sampled_from(["cancel_failed_lines"] * 4 + ["cancel_order", "review"]),
        "on_deadline": st.sampled_from(["review", "release", "cancel"]),
        "cooling": st.sampled_from([0, 10]),
        "release_tag": st.sampled_from([None, "increff_released"]),
        "binding": st.booleans(),
    }
)
CHANGES = SETTINGS.flatmap(
    lambda whole: st.sampled_from(["actor", "wait_for", "on_fail", "on_mixed", "on_deadline", "cooling"]).map(
        lambda name: {name: whole[name]}
    )
)


class ExchangeLaws(RuleBasedStateMachine):
    """Rules are what the world does; the laws are watched by `Play`."""

    play: Play
    fixed: ClassVar[dict[str, Any]] = {}

    @initialize(
        settings=SETTINGS,
        pieces=st.lists(st.integers(1, 2), min_size=1, max_size=3),
        named=st.sampled_from([True, True, True, False]),
        held=st.sampled_from([True, True, True, False]),
        known=st.sampled_from([True, True, False]),
    )
    def begin(self, settings: dict[str, Any], pieces: list[int], named: bool, held: bool, known: bool) -> None:
        """A shop, and a replacement order of one to three lines; often everybody knows of it and its return already."""
        self.play = Play(GROUND, settings | self.fixed)
        self.play.pass_time(1)
        self.units: list[str] = []
        lines = []
        for number, count in enumerate(pieces, 1):
            codes = [f"U{number}{piece}" for piece in range(count)]
            self.units += codes
            lines.append(Line(number, f"NEW-{number}", count, count, tuple(codes) if named else ()))
        self.play.create_order(lines, held=held)
        if known:
            self.play.bring_webhook(-1)
            self.play.push_return(self.units)
            self.we_work()

    # What comes in.

    @rule(index=st.integers(-8, 8))
    def shopify_delivers(self, index: int) -> None:
        """Any of the webhooks so far, doubled and stale as it may be."""
        self.play.bring_webhook(index)

    @rule(notes=st.booleans(), index=st.integers(0, 5))
    def a_worker_dawdles(self, notes: bool, index: int) -> None:
        """It reads the order now and notes it later."""
        if notes:
            self.play.note_slowly(index)
        else:
            self.play.be_slow()

    @rule(reason=st.sampled_from(["Size", "Size", "Size", "Colour"]))
    def rms_pushes_the_return(self, reason: str) -> None:
        self.play.push_return(self.units, reason)

    @rule(status=st.sampled_from(STATUSES), count=st.sampled_from([9, 9, 1]))
    def rms_notifies(self, status: str, count: int) -> None:
        """Of all units, or of the first alone."""
        self.play.notify(status, self.units[:count])

    @rule(data=st.data())
    def rms_judges_some(self, data: st.DataObject) -> None:
        units = data.draw(st.lists(st.sampled_from(self.units), min_size=1, unique=True))
        self.play.judge({unit: data.draw(VERDICTS) for unit in units})

    @rule(verdict=VERDICTS, others=VERDICTS)
    def rms_judges_all_and_we_think(self, verdict: Word, others: Word) -> None:
        """The first unit may be judged otherwise than the rest."""
        self.play.judge({**dict.fromkeys(self.units, others), self.units[0]: verdict})
        self.we_think(10)

    @rule(data=st.data(), second=VERDICTS, fault=st.sampled_from([None, None, *FAULTS]), tries=st.integers(0, 3))
    def rms_judges_we_begin_and_rms_changes_its_mind(
        self, data: st.DataObject, second: Word, fault: str | None, tries: int
    ) -> None:
        """What we begin may go wrong at once."""
        self.play.judge({unit: data.draw(st.sampled_from([PASS, FAIL])) for unit in self.units})
        self.we_think(10)
        self.play.pass_time(700)
        if fault:
            self.something_will_fail("shopify", fault)
        self.we_deliver(tries)
        self.play.judge({self.units[0]: second})
        self.we_think(10)

    # What people do.

    @rule(what=st.sampled_from(STAFF_DOES), index=st.integers(0, 2), noticed=st.booleans())
    def staff_act_in_shopify(self, what: str, index: int, noticed: bool) -> None:
        """By hand; the webhook may come at once."""
        shopify = self.play.shopify
        line = shopify.lines[index % len(shopify.lines)]
        does: dict[str, Callable[[], object]] = {
            "lift": self.play.lift,
            "put back": lambda: shopify.edit_tags(STAFF, [HOLD], []),
            "note": lambda: shopify.edit_tags(STAFF, [f"note-{len(shopify.webhooks)}"], []),
            "cancel": lambda: shopify.cancel(STAFF),
            "edit": lambda: shopify.reduce(STAFF, line, line.current - 1),
            "fulfil": shopify.fulfil,
            "invoice": self.play.oms.invoice,
        }
        does[what]()
        if noticed:
            self.play.bring_webhook(-1)
            self.we_think(10)

    @rule(index=st.integers(0, 2))
    def staff_cut_a_line_and_lift_the_hold_before_we_look(self, index: int) -> None:
        """OMS is to hear of two things at once, and of the cancel first."""
        line = self.play.shopify.lines[index % len(self.play.shopify.lines)]
        self.play.shopify.reduce(STAFF, line, line.current - 1)
        self.play.lift()
        self.play.bring_webhook(-1)
        self.we_work()

    @rule(decision=DECISIONS, expected=st.sampled_from([None, None, *STATES]))
    def a_person_decides(self, decision: str, expected: str | None) -> None:
        self.play.decide(decision, expected)

    @rule(decision=DECISIONS, verdict=VERDICTS)
    def a_person_decides_and_rms_judges(self, decision: str, verdict: Word) -> None:
        self.play.decide(decision, None)
        self.play.judge(dict.fromkeys(self.units, verdict))
        self.we_think(10)

    @rule(changes=CHANGES)
    def the_merchant_changes_a_setting(self, changes: dict[str, Any]) -> None:
        self.play.configure(changes | self.fixed)

    # What goes wrong, and what goes on.

    @rule(system=st.sampled_from(["shopify", "oms", "partner"]), fault=st.sampled_from(FAULTS))
    def something_will_fail(self, system: str, fault: str) -> None:
        if fault == "refuse":
            self.play.shopify.refusing = True
        else:
            GROUND.door.faults[system] = fault

    @rule(seconds=st.sampled_from([0.2, 6, 130, 700]))
    def time_passes(self, seconds: float) -> None:
        self.play.pass_time(seconds)

    @rule(seconds=st.sampled_from([0, 1800, 9000]), arrives=st.booleans())
    def the_watch_looks_for_what_is_late(self, seconds: float, arrives: bool) -> None:
        """Often the goods have arrived, and their verdicts are what is late."""
        if arrives:
            self.play.notify("DELIVERED", self.units)
            self.we_think(10)
        self.play.pass_time(seconds)
        self.play.meet_deadlines()

    @rule(verdict=VERDICTS)
    def a_deadline_decides_and_rms_judges_one(self, verdict: Word) -> None:
        """One of several units, perhaps, before what was decided is sent."""
        self.the_watch_looks_for_what_is_late(1800, True)
        self.play.judge({self.units[0]: verdict})
        self.we_think(10)

    @rule(count=st.integers(1, 4))
    def we_think(self, count: int) -> None:
        for _ in range(count):
            if not self.play.think():
                break

    @rule(count=st.integers(1, 4))
    def we_deliver(self, count: int) -> None:
        for _ in range(count):
            if not self.play.deliver():
                break

    @rule()
    def we_work(self) -> None:
        for _ in range(20):
            if not (self.play.think() or self.play.deliver()):
                break

    def teardown(self) -> None:
        """At rest everybody agrees."""
        if hasattr(self, "play"):
            self.play.settle()
            self.play.laws.check_rest()


class OurActs(ExchangeLaws):
    """The app acts, always: half of the runs."""

    fixed: ClassVar[dict[str, Any]] = {"actor": "app"}


class AnybodysActs(ExchangeLaws):
    """The app, a partner or nobody acts, and that may change."""


OurActs.TestCase.settings = AnybodysActs.TestCase.settings = choose_settings(share=0.5, seeded=True)
if not is_long():  # the same runs every time, and other ones in each half
    seed(1)(OurActs)
    seed(2)(AnybodysActs)
test_our_acts = OurActs.TestCase
test_anybodys_acts = AnybodysActs.TestCase
