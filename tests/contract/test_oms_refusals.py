"""Refusals: how OMS says no, and that we read it as it is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.errors import AccessRefused, Permanent
from core.http import Answer, raise_for_answer
from oms_bridge.client import make_headers
from oms_bridge.render import render_cancel, render_hold, render_order
from tests.contract.kit import Kit

Note = Callable[[str], None]
BODIES = ["/orders/outward", "/return/return-orders", "/return/update-return-order", "/return/get/awb"]


def prove_refused(answer: Answer) -> None:
    told: Any = answer.read_json()
    assert answer.status == 400, (answer.status, answer.excerpt())
    assert isinstance(told, dict), answer.excerpt()
    assert {"code", "message", "description"} <= set(told), told
    with pytest.raises(Permanent):
        raise_for_answer(answer, "OMS")


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_lacks_everything_is_a_400(kit: Kit, path: str) -> None:
    """An empty object is answered 400 with code, message and description, which we never send again."""
    prove_refused(kit.send("POST", path, {}))


def test_a_400_names_the_field(kit: Kit) -> None:
    """A refusal names the field that is wrong, so that a person can set it right."""
    order = kit.order()
    body = render_order(order.forward, {**order.head, "locationCode": order.location}, order.skus)
    answer = kit.send("POST", "/orders/outward", {**body, "orderItems": []})
    prove_refused(answer)
    assert "orderItems" in answer.read_json()["description"]


def test_a_time_without_its_form_is_refused(kit: Kit, note: Note) -> None:
    """A time in another form is refused, or taken: we always send yyyy-MM-ddTHH:mm:ss.SSS and an offset."""
    order = kit.order()
    body = render_order(order.forward, {**order.head, "locationCode": order.location}, order.skus)
    answer = kit.send("POST", "/orders/outward", {**body, "dispatchByTime": "tomorrow"})
    note(str(answer.status))
    assert answer.status in (200, 400)


def test_an_unhold_without_times_is_refused(kit: Kit, note: Note) -> None:
    """An unhold without the dispatch times is refused, or taken: we always send them."""
    order = kit.order()
    order.create()
    answer = kit.send("PUT", f"/orders/{order.code}", {"onHold": False})
    note(str(answer.status))
    assert answer.status in (200, 400)


def test_changes_to_an_unknown_order_are_final(kit: Kit, note: Note) -> None:
    """An unhold and a cancel of an order OMS does not know are refused for good, not to be repeated."""
    order = kit.order()
    bodies = {
        "": render_hold(False, order.dispatch_by, order.start, order.location),
        "/cancel": render_cancel(dict.fromkeys(order.lines, 1), order.skus, order.location),
    }
    for tail, body in bodies.items():
        with pytest.raises(Permanent) as refusal:
            order.put(body, tail)
    note(str(refusal.value))


WRONG = {
    "no headers": {"authUsername": "", "authPassword": "", "authDomainName": ""},
    "no user name": {"authUsername": ""},
    "no password": {"authPassword": ""},
    "a wrong password": {"authPassword": "wrong"},
    "a wrong user name": {"authUsername": "nobody"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=[*WRONG])
def test_wrong_credentials_are_a_401(kit: Kit, changes: dict[str, str]) -> None:
    """A missing or wrong credential is answered 401 or 403: the shop's lane stops and the merchant is told."""
    headers = {**make_headers(kit.target.as_settings()), **changes}
    answer = kit.send("POST", "/return/get/awb", {}, {name: value for name, value in headers.items() if value})
    with pytest.raises(AccessRefused):
        raise_for_answer(answer, "OMS")


def test_the_domain_counts_where_there_is_one(kit: Kit) -> None:
    """Where authDomainName is set up, a wrong one is refused."""
    if kit.target.domain is None:
        pytest.skip("no OMS_DOMAIN is given")
    answer = kit.send("POST", "/return/get/awb", {}, make_headers(kit.target.as_settings(auth_domain="nobody")))
    with pytest.raises(AccessRefused):
        raise_for_answer(answer, "OMS")


def test_credentials_go_by_these_header_names_only(kit: Kit) -> None:
    """The headers are authUsername and authPassword: the same secrets under other names open nothing."""
    target = kit.target
    others = {"username": target.username, "password": target.password, "authDomainName": target.domain or ""}
    answer = kit.send("POST", "/return/get/awb", {}, {name: value for name, value in others.items() if value})
    with pytest.raises(AccessRefused):
        raise_for_answer(answer, "OMS")
