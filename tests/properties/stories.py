"""Short runs written out: what the tests of single stories share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.properties.ground import Ground
from tests.properties.play import Play
from tests.properties.shop_world import Line

SETTINGS: dict[str, Any] = {
    "actor": "app",
    "wait_for": "all_units",
    "on_fail": "cancel",
    "on_mixed": "cancel_failed_lines",
    "on_deadline": "review",
    "cooling": 0,
    "release_tag": None,
    "binding": False,
}
PASS, FAIL = ("PASS", None), ("FAIL", "STAIN_DAMAGE")


def make_lines(units: Sequence[str], *, named: bool = True) -> list[Line]:
    """One line for each unit."""
    return [Line(number, f"NEW-{number}", 1, 1, (unit,) if named else ()) for number, unit in enumerate(units, 1)]


def think_all(play: Play) -> None:
    """Every event that waits is thought about."""
    while play.think():
        pass


def work(play: Play) -> None:
    """Think and deliver until nothing is due."""
    while play.think() or play.deliver():
        pass


def start_known(ground: Ground, units: Sequence[str], **settings: Any) -> Play:
    """A held replacement order and its return, both known, and OMS knows both."""
    play = Play(ground, {**SETTINGS, **settings})
    play.pass_time(1)
    play.create_order(make_lines(units), held=True)
    play.bring_webhook(0)
    play.push_return(units)
    work(play)
    play.pass_time(1)
    return play
