"""A look whose answer proves nothing is no proof of absence: behind it the same order would be created twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from core.domain.orders import OmsRecord
from core.errors import Permanent
from core.flows.interventions import retry_effect
from core.flows.tenants import load_settings_with_secrets
from core.http import Answer
from core.models import Effect, OmsOrder
from core.registry import Job, NotNeeded
from oms_bridge import deliveries
from oms_bridge.deliveries import READ_FORWARD_ORDER, TRY_CONNECTION
from tests.flows.stage import Stage
from tests.flows.test_mixed import line
from tests.flows.test_races import make_due
from tests.flows.watch_stage import check_drift, kinds, on_sqlite

pytestmark = on_sqlite
PAGE = "<html>We are back soon</html>"
NOTHING: dict[str, dict[str, Any]] = {
    "a redirect": {"status": 302},
    "a page": {"status": 200, "body": PAGE},
    "a list": {"status": 200, "body": []},
    "taken in": {"status": 202, "body": {}},
    "a page that is not found": {"status": 404, "body": PAGE},
    "a page that says no": {"status": 400, "body": PAGE},
    "another method": {"status": 405, "body": {"message": "not allowed"}},
    "gone": {"status": 410, "body": {"message": "gone"}},
}
ABSENT: dict[str, dict[str, Any]] = {
    "not found": {"status": 404, "body": {"message": "no such thing"}},
    "refused": {"status": 400, "body": {"message": "no such thing"}},
    "an empty object": {"status": 200, "body": {}},
}
THINGS = {
    "order": ("oms.create_order", "/orders/outward", "/search/order"),
    "return": ("oms.expect_return", "/return/return-orders", "/return/get/awb"),
}


def begin(stage: Stage, thing: str, lost: str) -> None:
    """Something that OMS is told of; the answer is lost, or what was sent. It is to be looked for now."""
    stage.sandbox.oms.faults.add({"match": THINGS[thing][1], "kind": lost, "times": 1})
    if thing == "order":
        stage.new_order([line("NEW-A", "A")])
    else:
        stage.push_return({"A": "S"})
    await_doubt(stage, thing)


def await_doubt(stage: Stage, thing: str) -> None:
    stage.wait_for(lambda: any(one.unclear_since for one in stage.effects(THINGS[thing][0])))
    make_due(stage, THINGS[thing][0])


def find(stage: Stage, thing: str) -> Effect:
    return stage.effects(THINGS[thing][0])[-1]


def says(stage: Stage, thing: str, words: str) -> bool:
    """True once the reason of its effect holds these words."""
    return any(words in str(one.reason) for one in stage.effects(THINGS[thing][0]))


def sends(stage: Stage, thing: str) -> int:
    return sum(call["path"] == THINGS[thing][1] for call in stage.sandbox.oms.calls)


def go_on(stage: Stage, kind: str) -> None:
    make_due(stage, kind)
    stage.settle()


@pytest.mark.parametrize(("thing", "said"), [*(("order", one) for one in NOTHING), ("return", "a page")])
def test_an_answer_that_proves_nothing_sends_nothing_again(stage: Stage, thing: str, said: str) -> None:
    stage.sandbox.oms.faults.add({"match": THINGS[thing][2], "times": 1, **NOTHING[said]})
    begin(stage, thing, "lose_answer")
    stage.wait_for(lambda: says(stage, thing, "proves nothing"))
    assert find(stage, thing).state == "pending"
    go_on(stage, THINGS[thing][0])
    assert (find(stage, thing).state, sends(stage, thing)) == ("done", 1)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("said", ABSENT)
def test_what_oms_says_it_has_not_is_sent_again(stage: Stage, thing: str, said: str) -> None:
    stage.sandbox.oms.faults.add({"match": THINGS[thing][2], "times": 1, **ABSENT[said]})
    begin(stage, thing, "drop")
    stage.settle()
    assert (find(stage, thing).state, sends(stage, thing)) == ("done", 2)


@pytest.mark.parametrize("thing", THINGS)
def test_a_look_that_never_left_proves_nothing(stage: Stage, thing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send, refused = stage.runtime.http.send, []

    def refuse_once(method: str, url: str, **given: Any) -> Answer:
        if url.endswith(THINGS[thing][2]) and not refused:
            refused.append(url)
            raise Permanent("the address cannot be called: it is private")
        return send(method, url, **given)

    monkeypatch.setattr(stage.runtime.http, "send", refuse_once)
    begin(stage, thing, "lose_answer")
    stage.wait_for(lambda: says(stage, thing, "proves nothing: the address cannot be called"))
    go_on(stage, THINGS[thing][0])
    assert (find(stage, thing).state, sends(stage, thing)) == ("done", 1)


def test_an_order_that_was_rerouted_meanwhile_is_found_where_it_was_sent(stage: Stage) -> None:
    stage.configure({"oms": {"locations": {"1": "WidA", "2": "WidB"}, "default_location": "Wid234"}})
    readers = stage.runtime.registry.readers
    read, routed = readers[READ_FORWARD_ORDER], [1, 2]
    readers[READ_FORWARD_ORDER] = lambda *given: replace(read(*given), location_id=routed.pop(0) if routed else 2)
    begin(stage, "order", "lose_answer")
    stage.settle()
    assert stage.sandbox.oms.effects["orders_created"] == sends(stage, "order") == 1
    asked = [call for call in stage.sandbox.oms.calls if call["path"] == "/search/order"]
    assert len(asked) == 3
    with stage.runtime.database.read() as session:
        assert [row.location_code for row in session.query(OmsOrder)] == ["WidA"]


def test_a_budget_that_is_spent_in_between_forgets_no_location(stage: Stage) -> None:
    stage.configure({"oms": {"locations": {str(one): f"Wid{one}" for one in range(5)}}})
    begin(stage, "order", "drop")
    faults = stage.sandbox.oms.faults
    for _ in range(6):
        faults.add({"match": "/search/order", "status": 429, "headers": {"Retry-After": "0.2"}, "times": 1})
        stage.settle()
    assert sends(stage, "order") == 2
    heard = [call for call in stage.sandbox.oms.calls if call["path"] == "/search/order" and call["status"] != 429]
    asked = [parse_qs(call["query"])["locationCode"][0] for call in heard]
    assert sorted(asked) == ["Wid0", "Wid1", "Wid2", "Wid234", "Wid3", "Wid4"], "each was asked once"


@pytest.mark.parametrize(("known", "needed"), [(True, False), (False, True), (None, True)])
def test_a_hold_that_oms_is_not_known_to_have_is_asked_for(
    stage: Stage, known: bool | None, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = stage.new_order([line("NEW-A", "A")])
    stage.settle()
    record = OmsRecord(known, {}, {}, {}, None)
    monkeypatch.setattr(deliveries, "load_oms_record", lambda *_: record, raising=False)
    job = Job(1, stage.shop_id, "oms.hold_order", str(order["id"]), "key", {"on_hold": True}, {}, {}, 0)
    with stage.runtime.database.write() as session:
        request = stage.runtime.registry.deliverers[job.kind].render(session, job)
    assert isinstance(request, NotNeeded) is not needed


def retry(stage: Stage, effect: Effect) -> None:
    with stage.runtime.database.write() as session:
        retry_effect(session, stage.shop_id, effect.id, "Asha")


def test_a_return_without_an_awb_is_sent_once_more_when_a_person_has_checked(stage: Stage) -> None:
    """The second is lost too: that they had checked the first says nothing about it."""
    kind, path, _ = THINGS["return"]
    stage.configure({"rms": {"awb_source": "increff"}})
    stage.sandbox.oms.let_increff_fetch_awbs()
    stage.sandbox.oms.faults.add({"match": path, "kind": "drop", "times": 2})
    stage.push_return({"A": "S"}, awbNumber=None, transporter=None)
    for sent in (1, 2):
        await_doubt(stage, "return")
        stage.settle()
        assert (find(stage, "return").state, sends(stage, "return")) == ("parked", sent)
        assert says(stage, "return", "if not, retry and it is sent once more")
        retry(stage, find(stage, "return"))
        stage.wait_for(lambda before=sent: sends(stage, "return") > before)
    go_on(stage, kind)
    assert (find(stage, "return").state, sends(stage, "return")) == ("done", 3)


def test_a_refused_order_that_is_retried_goes_by_the_settings_as_they_are_now(stage: Stage) -> None:
    stage.configure({"oms": {"default_location": None}})
    stage.new_order([line("NEW-A", "A")])
    stage.settle()
    assert "maps to no OMS location" in str(find(stage, "order").reason)
    stage.configure({"oms": {"default_location": "Wid234"}})
    retry(stage, find(stage, "order"))
    stage.settle()
    assert (find(stage, "order").state, sends(stage, "order")) == ("done", 1)


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_is_no_word_of_oms_to_who_tries_the_connection_or_compares(stage: Stage, status: int) -> None:
    begin(stage, "order", "lose_answer")
    stage.settle()
    stage.sandbox.oms.faults.add({"match": "/search/order", "status": status, "body": PAGE})
    check_drift(stage)
    assert kinds(stage) == []
    with stage.runtime.database.read() as session:
        settings = load_settings_with_secrets(session, stage.runtime.keyring, stage.shop_id)
    with pytest.raises(Permanent, match=f"answered {status}, but not as OMS does"):
        stage.runtime.registry.readers[TRY_CONNECTION](stage.shop_id, settings)
