"""Return, order and verdicts may come in any order, doubled and with work in between: the end is the same."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.ground import Ground
from tests.properties.play import Play
from tests.properties.profiles import choose_settings
from tests.properties.stories import SETTINGS, make_lines, think_all, work

UNITS = ["A", "B"]
WORDS = [("PASS", None), ("FAIL", "STAIN_DAMAGE"), ("FAIL", "IRON"), ("FAIL", "ODD")]
NEWS = ("order", "return", "delivered", "A", "B")
RULES = st.fixed_dictionaries(
    {
        "actor": st.sampled_from(["app", "app", "partner"]),
        "wait_for": st.sampled_from(["all_units", "each_unit"]),
        "on_fail": st.sampled_from(["cancel", "cancel", "review"]),
        "on_mixed": st.sampled_from(["cancel_failed_lines", "cancel_order", "review"]),
    }
)


@functools.cache
def stand() -> Ground:
    """One ground for all runs."""
    return Ground()


def run(news: Sequence[str], works: Sequence[str], said: dict[str, Any], named: bool, rules: dict[str, Any]) -> Any:
    """Let the news come in this order, with this much work after each; tell the end."""
    play = Play(stand(), {**SETTINGS, **rules})
    play.pass_time(1)
    play.create_order(make_lines(UNITS, named=named), held=True)
    for one, much in zip(news, works, strict=True):
        bring(play, one, said)
        play.pass_time(1)
        if much == "work":
            work(play)
        elif much == "think":
            think_all(play)
    play.settle()
    play.laws.check_rest()
    exchange = play.ground.rows("SELECT state, code FROM exchanges")[0]
    shopify, oms = play.shopify, play.oms
    lines = [line.current for line in shopify.lines]
    kept = {code: ordered - oms.cancelled[code] for code, ordered in oms.ordered.items()}
    sent = {code: count for code, count in kept.items() if count}
    return dict(exchange), shopify.held, bool(shopify.cancelled_at), lines, oms.known and oms.on_hold, sent


def bring(play: Play, what: str, said: dict[str, Any]) -> None:
    """One piece of news."""
    if what == "order":
        play.bring_webhook(0)
    elif what == "return":
        play.push_return(UNITS)
    elif what == "delivered":
        play.notify("DELIVERED", UNITS)
    else:
        play.judge({what: said[what]})


@choose_settings(share=0.2)
@given(
    news=st.permutations(NEWS).flatmap(
        lambda order: st.lists(st.sampled_from(NEWS), max_size=2).map(lambda again: [*order, *again])
    ),
    data=st.data(),
    first=st.sampled_from(WORDS),
    second=st.sampled_from(WORDS),
    named=st.booleans(),
    rules=RULES,
)
def test_the_end_does_not_depend_on_the_order_of_the_news(
    news: list[str], data: st.DataObject, first: Any, second: Any, named: bool, rules: dict[str, Any]
) -> None:
    said = {"A": first, "B": second}
    much = st.sampled_from(["wait", "think", "work"])
    works = data.draw(st.lists(much, min_size=len(news), max_size=len(news)))
    plain = run(NEWS, ["work"] * len(NEWS), said, named, rules)
    assert run(news, works, said, named, rules) == plain


@pytest.mark.parametrize("held", [True, False])
def test_a_verdict_before_its_order_holds_it_all_the_same(held: bool) -> None:
    play = Play(stand(), SETTINGS)
    play.pass_time(1)
    play.judge({"A": ("PASS", None)})
    play.create_order(make_lines(UNITS), held=held)
    play.settle()
    assert play.shopify.held
    assert play.oms.on_hold
