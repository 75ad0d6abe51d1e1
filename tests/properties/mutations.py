"""Is the proof honest? Faults are planted in the product, one at a time, and the very runs of `test_laws.py` must find
each of them. `make proof-honest`; too slow for every day.

Nothing is shrunk: the first broken law ends a run. Which law it was is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

import core.flows.acts
import core.flows.deadlines
import core.flows.exchanges
import core.flows.facts
import core.flows.orders
import core.flows.rethinking
import core.relay.outbox
import shopify_app.handlers
import shopify_app.hints
import tests.properties.play
from core.models import VerdictRow
from tests.properties.profiles import choose_settings
from tests.properties.test_laws import AnybodysActs, ExchangeLaws, OurActs

SECONDS = 600  # for one fault, on two cores that have other work too
Patch = pytest.MonkeyPatch


def free_before_cancel(patch: Patch) -> None:
    """OMS is told of the lifted hold first, and of the cancel when it has answered."""
    find, take_back = core.flows.orders.find_oms_needs, core.flows.orders.withdraw

    def withdraw(session: Any, shop_id: int, aspect: str, reason: str) -> None:
        if reason != "OMS is to hear the cancel first":
            take_back(session, shop_id, aspect, reason)

    patch.setattr(core.flows.orders, "find_oms_needs", lambda *given, **named: find(*given, **named)[::-1])
    patch.setattr(core.flows.orders, "withdraw", withdraw)


def oldest_verdict_wins(patch: Patch) -> None:
    """A corrected verdict is written down, and the first one counts."""
    newest = core.flows.facts.load_latest_verdicts

    def load(session: Any, return_id: int) -> Any:
        found = newest(session, return_id)
        rows = session.query(VerdictRow).filter_by(return_id=return_id).order_by(VerdictRow.id.desc())
        first = {row.item_code: row for row in rows}
        return {
            code: replace(one, verdict=type(one.verdict)(first[code].verdict), reason=first[code].reason)
            for code, one in found.items()
        }

    patch.setattr(core.flows.facts, "load_latest_verdicts", load)


def stale_payload_taken(patch: Patch) -> None:
    """An older reading of an order passes for the newest."""
    note = core.flows.orders.note_order

    def note_anyhow(scene: Any, order: Any) -> Any:
        stored = core.flows.orders.load_order(scene.session, scene.shop_id, order.id)
        stamp = max(order.updated_at, stored.updated_at) if stored else order.updated_at
        return note(scene, replace(order, updated_at=stamp, known_version=None))

    for module in (shopify_app.handlers, shopify_app.hints, tests.properties.play):
        patch.setattr(module, "note_order", note_anyhow)


def actor_ignored(patch: Patch) -> None:
    """We act though it is for a partner, or for nobody."""
    for module in (core.flows.exchanges, core.flows.facts):
        patch.setattr(module, "is_ours", lambda _scene, _exchange: True)


def decided_by_ignored(patch: Patch) -> None:
    """Verdicts move what a person has decided."""
    read = core.flows.exchanges.read_facts
    patch.setattr(
        core.flows.exchanges, "read_facts", lambda scene, case: replace(read(scene, case), decided=False, stuck=False)
    )


def nothing_superseded(patch: Patch) -> None:
    """What a newer decision contradicts still goes out."""
    for module in (core.flows.acts, core.flows.exchanges, core.flows.orders, core.relay.outbox):
        patch.setattr(module, "withdraw", lambda *_given: None)


def deadline_against_verdicts(patch: Patch) -> None:
    """A deadline acts as the settings say, whatever verdicts are there."""
    for module in (core.flows.deadlines, core.flows.facts):
        patch.setattr(module, "is_refuted", lambda *_given: False)


def deadline_deaf_afterwards(patch: Patch) -> None:
    """What a deadline decided goes out, whatever verdict comes before it is sent."""
    patch.setattr(core.flows.facts, "is_refuted", lambda *_given: False)


def swapped_cut_goes_on(patch: Patch) -> None:
    """After lines were cut, verdicts that ask for other lines are carried out too."""
    patch.setattr(core.flows.facts, "is_cut_outdated", lambda *_given: False)


FAULTS: dict[Callable[[Patch], None], type[ExchangeLaws]] = {
    free_before_cancel: AnybodysActs,
    oldest_verdict_wins: OurActs,
    stale_payload_taken: OurActs,
    actor_ignored: AnybodysActs,
    decided_by_ignored: OurActs,
    nothing_superseded: OurActs,
    deadline_against_verdicts: OurActs,
    deadline_deaf_afterwards: OurActs,
    swapped_cut_goes_on: OurActs,
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    likelier = FAULTS[plant]
    halves = (likelier, OurActs if likelier is AnybodysActs else AnybodysActs)
    found = next((broken for broken in map(find_broken_law, halves) if broken), None)
    assert found, "the default runs of the proof do not notice it"
    print(found)


def find_broken_law(half: type[ExchangeLaws]) -> str | None:
    """The first law that the runs of one half of the proof see broken, or None."""
    end, runs = time.monotonic() + SECONDS, 0

    class Bounded(half):  # type: ignore[misc,valid-type] # a class that is chosen at run time
        def __init__(self) -> None:
            nonlocal runs
            runs += 1
            if time.monotonic() > end:
                raise TimeoutError
            super().__init__()

    seed(1 if half is OurActs else 2)(Bounded)
    rules = settings(choose_settings(share=0.5, seeded=True), phases=(Phase.generate,), print_blob=False)
    try:
        run_state_machine_as_test(Bounded, settings=rules)
    except FlakyStrategyDefinition as late:  # what Hypothesis makes of a run that does not begin
        raise TimeoutError(f"no law was broken in {runs} runs and {SECONDS} seconds") from late
    except AssertionError as broken:
        return f"run {runs} of {half.__name__}: {str(broken).splitlines()[0]}"
    return None
