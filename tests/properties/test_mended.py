"""Runs that broke a law when they were written, and must never again."""

from __future__ import annotations

import pytest

from tests.properties.ground import Ground
from tests.properties.play import Play
from tests.properties.shop_world import STAFF, US
from tests.properties.stories import FAIL, PASS, SETTINGS, make_lines, start_known, think_all, work

FAULTS = pytest.mark.parametrize("fault", ["down", "before"])


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground()


@FAULTS
def test_a_cancel_whose_first_send_came_to_nothing_ends_when_a_person_keeps_the_hold(
    ground: Ground, fault: str
) -> None:
    play = start_known(ground, ["A"])
    play.judge({"A": FAIL})
    think_all(play)
    ground.door.faults["shopify"] = fault  # the order is read first: the fault meets the cancel
    play.deliver()
    play.decide("hold", None)
    play.settle()
    assert play.shopify.cancelled_at is None


@FAULTS
def test_a_cancel_whose_first_send_came_to_nothing_ends_when_the_unit_passes(ground: Ground, fault: str) -> None:
    play = start_known(ground, ["A"])
    play.judge({"A": FAIL})
    think_all(play)
    ground.door.faults["shopify"] = fault
    play.deliver()
    play.judge({"A": PASS})
    think_all(play)
    play.settle()
    assert play.shopify.cancelled_at is None


def test_a_cut_whose_first_send_came_to_nothing_ends_when_staff_lift_the_hold(ground: Ground) -> None:
    play = start_known(ground, ["A", "B"])
    play.judge({"A": FAIL, "B": PASS})
    think_all(play)
    ground.door.faults["shopify"] = "down"
    play.deliver()
    play.pass_time(1)
    play.lift()
    play.bring_webhook(-1)
    think_all(play)
    play.settle()
    assert [line.current for line in play.shopify.lines] == [1, 1]


def test_a_cancel_that_cools_off_ends_when_it_is_no_longer_ours_to_act(ground: Ground) -> None:
    play = start_known(ground, ["A"], cooling=10)
    play.judge({"A": FAIL})
    think_all(play)
    play.configure({"actor": "partner"})
    play.settle()
    assert play.shopify.cancelled_at is None


def test_a_cancel_looks_whether_the_hold_was_lifted(ground: Ground) -> None:
    """Section 8: before acting, look: already released. Staff lifted the hold, and the webhook is late."""
    play = start_known(ground, ["A"])
    play.lift()
    play.judge({"A": FAIL})
    think_all(play)
    play.deliver()
    play.settle()
    assert play.shopify.cancelled_at is None


def test_a_hold_that_is_decided_survives_a_review(ground: Ground) -> None:
    """The verdict is there before the order, which comes without its hold tag."""
    play = Play(ground, {**SETTINGS, "on_fail": "review"})
    play.pass_time(1)
    play.push_return(["A"])
    play.judge({"A": FAIL})
    think_all(play)
    play.create_order(make_lines(["A"]), held=False)
    play.settle()
    assert play.shopify.held


def test_a_verdict_is_carried_out_when_it_becomes_ours_to_act(ground: Ground) -> None:
    play = start_known(ground, ["A"], actor="partner")
    play.judge({"A": PASS})
    think_all(play)
    play.configure({"actor": "app"})
    play.shopify.edit_tags("staff", ["note"], [])
    play.settle()
    assert not play.shopify.held


def test_a_persons_release_passes_a_cancel_that_shopify_refused(ground: Ground) -> None:
    play = start_known(ground, ["A"])
    play.judge({"A": FAIL})
    think_all(play)
    play.shopify.refusing = True
    while play.deliver():
        pass
    assert [row["state"] for row in ground.rows("SELECT state FROM effects WHERE kind = 'shopify.cancel_order'")] == [
        "parked"
    ]
    play.decide("release", None)
    play.settle()
    assert not play.shopify.held


def test_a_release_of_a_hold_never_written_frees_oms_too(ground: Ground) -> None:
    play = Play(ground, {**SETTINGS, "cooling": 10})
    play.pass_time(1)
    play.create_order(make_lines(["A"]), held=False)
    play.bring_webhook(0)
    think_all(play)
    ground.door.faults["shopify"] = "down"  # the hold tag is not written yet when OMS takes the order
    while play.deliver():
        pass
    assert play.oms.on_hold
    assert not play.shopify.held
    play.decide("release", None)
    play.settle()
    assert not play.oms.on_hold


def test_a_hold_whose_place_a_release_took_is_written_when_the_release_is_taken_back(ground: Ground) -> None:
    """Everything passed before the hold tag was written; then a verdict turns, and a person is asked."""
    play = Play(ground, {**SETTINGS, "on_fail": "review"})
    play.pass_time(1)
    play.push_return(["A"])
    play.create_order(make_lines(["A"]), held=False)
    play.bring_webhook(0)
    play.judge({"A": PASS})
    think_all(play)
    play.judge({"A": FAIL})
    play.settle()
    assert play.shopify.held
    assert play.oms.on_hold
    play.laws.check_rest()


def test_a_hold_lifted_before_we_knew_the_order_is_ours_to_put_on(ground: Ground) -> None:
    """We read an order without the tag and decide to hold it; a release takes the place of that, and is taken back.

    The release is begun and unclear, but it found no tag to take off: no hold that anybody of us knew is put back.
    """
    play = Play(ground, SETTINGS)
    play.pass_time(1)
    play.create_order(make_lines(["A", "B"]), held=True)
    play.lift()
    play.judge({"A": PASS, "B": PASS})
    play.bring_webhook(0)
    think_all(play)
    ground.door.faults["shopify"] = "after"
    work(play)
    assert [act.who for act in play.shopify.acts] == [STAFF]  # our release changed nothing
    play.judge({"B": FAIL})
    play.settle()
    assert play.shopify.held
    play.laws.check_rest()


def test_a_hold_we_wrote_and_released_is_not_put_back_when_a_verdict_turns(ground: Ground) -> None:
    """The same, but our hold tag was on: what the unclear release took off stays off."""
    play = Play(ground, SETTINGS)
    play.pass_time(1)
    play.push_return(["A", "B"])
    play.create_order(make_lines(["A", "B"]), held=False)
    play.bring_webhook(0)
    work(play)
    play.judge({"A": PASS, "B": PASS})
    think_all(play)
    ground.door.faults["shopify"] = "after"
    work(play)
    play.judge({"B": FAIL})
    play.settle()
    assert [(act.who, act.what) for act in play.shopify.acts] == [(US, "hold"), (US, "lift")]
