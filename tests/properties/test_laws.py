"""The exchange's rules, tried with everything that can come, in every order, with every kind of failure."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.properties.ground import Ground
from tests.properties.play import Play
from tests.properties.profiles import choose_settings
from tests.properties.shop_world import HOLD, STAFF, Line

GROUND = Ground()
STATUSES = ("RETURN_CREATED", "RETURN_PICKED_UP", "IN_TRANSIT", "DELIVERED", "CANCELLED", "LOST", "NO_SUCH_STATUS")
STATES = ("awaiting_return", "awaiting_goods", "awaiting_verdict", "releasing", "cancelling", "review", "released")
PASS, FAIL, IRON, ODD = ("PASS", None), ("FAIL", "BAD"), ("FAIL", "IRON"), ("FAIL", "ODD")
VERDICTS = st.sampled_from([PASS, PASS, FAIL, FAIL, IRON, ODD])
SETTINGS = st.fixed_dictionaries(
    {
        "actor": st.sampled_from(["app", "app", "app", "partner", "none"]),
        "wait_for": st.sampled_from(["all_units", "each_unit"]),
        "on_fail": st.sampled_from(["cancel", "cancel", "review"]),
        "on_mixed": st.sampled_from(["cancel_failed_lines", "cancel_failed_lines", "cancel_order", "review"]),
        "cooling": st.sampled_from([0, 10]),
        "release_tag": st.sampled_from([None, "increff_released"]),
        "binding": st.booleans(),
    }
)
CHANGES = SETTINGS.flatmap(
    lambda whole: st.sampled_from(["actor", "wait_for", "on_fail", "on_mixed", "cooling"]).map(
        lambda name: {name: whole[name]}
    )
)


class ExchangeLaws(RuleBasedStateMachine):
    """Rules are what the world does; the laws are watched by `Play`."""

    play: Play

    @initialize(
        settings=SETTINGS,
        pieces=st.lists(st.integers(1, 2), min_size=1, max_size=3),
        named=st.booleans(),
        held=st.sampled_from([True, True, True, False]),
        known=st.sampled_from([True, True, False]),
    )
    def begin(self, settings: dict[str, Any], pieces: list[int], named: bool, held: bool, known: bool) -> None:
        """A shop, and a replacement order of one to three lines; often everybody knows of it and its return already."""
        self.play = Play(GROUND, settings)
        self.play.pass_time(1)
        self.units: list[str] = []
        lines = []
        for number, count in enumerate(pieces, 1):
            codes = [f"U{number}{piece}" for piece in range(count)]
            self.units += codes
            lines.append(Line(number, f"NEW-{number}", count, count, tuple(codes) if named else ()))
        self.play.create_order(lines, held=held)
        if known:
            self.shopify_delivers_the_newest()
            self.rms_pushes_the_return("Size")
            self.we_work()

    @rule(index=st.integers(0, 40))
    def shopify_delivers(self, index: int) -> None:
        self.play.bring_webhook(index)

    @rule()
    def shopify_delivers_the_newest(self) -> None:
        self.play.bring_webhook(-1)

    @rule()
    def a_worker_reads_and_dawdles(self) -> None:
        self.play.be_slow()

    @rule(index=st.integers(0, 5))
    def the_slow_worker_notes(self, index: int) -> None:
        self.play.note_slowly(index)

    @rule(reason=st.sampled_from(["Size", "Size", "Size", "Colour"]))
    def rms_pushes_the_return(self, reason: str) -> None:
        self.play.push_return(self.units, reason)

    @rule(status=st.sampled_from(STATUSES))
    def rms_notifies(self, status: str) -> None:
        self.play.notify(status, self.units)

    @rule(data=st.data(), whole=st.booleans())
    def rms_judges(self, data: st.DataObject, whole: bool) -> None:
        units = self.units if whole else data.draw(st.lists(st.sampled_from(self.units), min_size=1, unique=True))
        self.play.judge({unit: data.draw(VERDICTS) for unit in units})

    @rule(verdict=VERDICTS)
    def rms_judges_all_alike(self, verdict: tuple[str, str | None]) -> None:
        self.play.judge(dict.fromkeys(self.units, verdict))

    @rule(data=st.data())
    def rms_judges_and_we_think(self, data: st.DataObject) -> None:
        self.rms_judges(data, whole=True)
        self.we_think(10)

    @rule()
    def staff_lift_the_hold(self) -> None:
        self.play.lift()

    @rule()
    def staff_put_the_hold_back(self) -> None:
        self.play.shopify.edit_tags(STAFF, [HOLD], [])

    @rule()
    def staff_write_another_tag(self) -> None:
        self.play.shopify.edit_tags(STAFF, [f"note-{len(self.play.shopify.webhooks)}"], [])

    @rule()
    def staff_cancel(self) -> None:
        self.play.shopify.cancel(STAFF)

    @rule(index=st.integers(0, 2))
    def staff_edit_a_line(self, index: int) -> None:
        lines = self.play.shopify.lines
        line = lines[index % len(lines)]
        self.play.shopify.reduce(STAFF, line, line.current - 1)

    @rule()
    def staff_fulfil(self) -> None:
        self.play.shopify.fulfil()

    @rule()
    def the_warehouse_invoices(self) -> None:
        self.play.oms.invoice()

    @rule(decision=st.sampled_from(["release", "cancel", "hold"]), expected=st.sampled_from([None, *STATES]))
    def a_person_decides(self, decision: str, expected: str | None) -> None:
        self.play.decide(decision, expected)

    @rule(changes=CHANGES)
    def the_merchant_changes_a_setting(self, changes: dict[str, Any]) -> None:
        self.play.configure(changes)

    @rule(system=st.sampled_from(["shopify", "oms", "partner"]), fault=st.sampled_from(["down", "before", "after"]))
    def something_will_fail(self, system: str, fault: str) -> None:
        GROUND.door.faults[system] = fault

    @precondition(lambda self: not self.play.shopify.refusing)
    @rule()
    def shopify_will_refuse(self) -> None:
        self.play.shopify.refusing = True

    @rule(seconds=st.sampled_from([0.2, 1, 6, 40, 130, 700]))
    def time_passes(self, seconds: float) -> None:
        self.play.pass_time(seconds)

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


ExchangeLaws.TestCase.settings = choose_settings()
test_laws = ExchangeLaws.TestCase
