"""The kit itself: an OMS that breaks what we rely on does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from core.errors import Fault, Permanent
from simulators.oms import OmsSimulator
from simulators.serving import serve
from tests.contract import test_oms_orders as orders
from tests.contract import test_oms_refusals as refusals
from tests.contract import test_oms_returns as returns
from tests.contract.kit import Kit, Target


@contextmanager
def kit_for(faults: list[dict[str, Any]], options: dict[str, Any]) -> Iterator[Kit]:
    """A kit for an OMS with these faults."""
    oms = OmsSimulator("u", "p", **options)
    for fault in faults:
        oms.faults.add(fault)
    with serve(oms.wsgi) as served:
        yield Kit(Target(served.url, "u", "p", None, "W1", ("A", "B"), foreign=False))


def ignore(words: str) -> None:
    """A note nobody reads."""


def move(kit: Kit) -> None:
    """The check of an update, outside pytest's hands."""
    with pytest.MonkeyPatch.context() as patch:
        returns.test_a_new_awb_follows_by_update(kit, patch)


def repeat_return(kit: Kit) -> None:
    """The check of a repeat."""
    returns.test_a_return_told_twice_is_one(kit, ignore)


def lack_everything(kit: Kit) -> None:
    """The check of a refusal."""
    refusals.test_a_body_that_lacks_everything_is_a_400(kit, "/orders/outward")


@dataclass(frozen=True)
class Planted:
    """A check, and an OMS it must not pass."""

    check: Callable[[Kit], None]
    match: str = ""
    status: int = 200
    body: Any = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What is planted into the simulator."""
        answer = {"kind": "status", "status": self.status, "body": self.body, "match": self.match}
        return [answer] if self.match else []


PLANTED = {
    "keeps a return twice": Planted(repeat_return, options={"duplicate_return": "double"}),
    "loses orders": Planted(orders.test_an_order_is_created_on_hold_and_found, "/orders/outward"),
    "loses cancels": Planted(orders.test_cancelled_quantities_are_absolute, "/cancel"),
    "loses updates": Planted(move, "update-return-order"),
    "lets anybody in": Planted(refusals.test_credentials_go_by_these_header_names_only, "/return/get/awb"),
    "says no in another shape": Planted(lack_everything, "/orders/outward", 400, {"error": "no"}),
    "takes everything": Planted(lack_everything, "/orders/outward"),
    "is broken": Planted(orders.test_a_hold_is_released_with_times, "PUT /orders/", 500),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_noticed(planted: str) -> None:
    one = PLANTED[planted]
    with kit_for(one.faults, one.options) as kit, pytest.raises((AssertionError, Fault, pytest.fail.Exception)):
        one.check(kit)


@pytest.mark.parametrize("planted", PLANTED)
def test_without_it_the_check_passes(planted: str) -> None:
    with kit_for([], {}) as kit:
        PLANTED[planted].check(kit)


def test_a_repeat_refused_in_words_we_do_not_know_is_noticed() -> None:
    with kit_for([], {}) as kit:
        order = kit.order()
        order.create()
        send = kit.send
        kit.send = lambda *given, **options: replace(  # type: ignore[method-assign] # for this one call
            send(*given, **options), body=b"no"
        )
        with pytest.raises(Permanent):
            order.create()
