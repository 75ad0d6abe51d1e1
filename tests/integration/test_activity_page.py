"""The Activity pages: lists by key, filters, details, and what a person does, each within one shop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from core.flows.tenants import find_shop
from core.models import Attempt, AuditEntry, Effect, Event, Exchange, ExchangeHistory, ExchangeLink, Finding, Order
from tests.integration.front import OTHER, FormReader, Front, find_headings, read_text

HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=y>", "\u202eSKU\u2066", "x" * 10_000]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def order_row(shop_id: int, number: int, **more: Any) -> dict[str, Any]:
    return {
        "shop_id": shop_id, "order_id": number, "name": f"#{number}", "tags": ["increff_exchange", "increff_hold"],
        "created_at": NOW, "updated_at": NOW, "fulfillment": "none", "lines": [], "return_codes": [], "link_rule": "",
        "version": 0, "in_order": False, **more,
    }  # fmt: skip


def exchange_row(shop_id: int, number: int, **more: Any) -> dict[str, Any]:
    return {
        "shop_id": shop_id, "order_id": number, "state": "review", "since": NOW, "reason": "why", "code": "qc_unclear",
        "hold_decided": False, "seen_held": True, **more,
    }  # fmt: skip


def effect_row(shop_id: int, number: int, **more: Any) -> dict[str, Any]:
    return {
        "shop_id": shop_id, "kind": "oms.unhold_order", "aspect": f"oms.hold:{number}", "number": 1,
        "about": str(number), "lane": f"oms:{number}", "key": f"{shop_id}-{number}", "priority": 20,
        "passes_parked": False, "wanted": {}, "params": {}, "progress": {}, "state": "parked",
        "reason": "OMS answered 400: no", "created_at": NOW,
        "due_at": NOW, "started": False, "fence": 0, "attempts": 3, "endpoint": "oms", **more,
    }  # fmt: skip


def event_row(shop_id: int, number: int, **more: Any) -> dict[str, Any]:
    return {
        "shop_id": shop_id, "source": "rms", "topic": "processing_update", "delivery_id": f"d{number}", "body": b"x",
        "received_at": NOW, "priority": 10, "outcome": "parked", "reason": "nobody knows this return", "due_at": NOW,
        "fence": 0, "attempts": 0, **more,
    }  # fmt: skip


def add(front: Front, model: Any, *rows: dict[str, Any]) -> list[int]:
    with front.runtime.database.write() as session:
        session.execute(insert(model), list(rows))
        key = model.id if hasattr(model, "id") else model.order_id
        return list(session.scalars(select(key).order_by(key.desc()).limit(len(rows))))[::-1]


def add_exchange(front: Front, number: int, shop_id: int, order: dict[str, Any] | None = None, **more: Any) -> int:
    add(front, Order, order_row(shop_id, number, **(order or {})))
    return add(front, Exchange, exchange_row(shop_id, number, **more))[0]


def enter(front: Front, shop: str) -> int:
    front.get("/", shop=shop)
    with front.runtime.database.read() as session:
        found = find_shop(session, shop)
        assert found is not None
        return found.id


@pytest.mark.parametrize("kind", ["exchanges", "events", "effects"])
def test_an_empty_shop_is_told_what_to_do_next(front: Front, kind: str) -> None:
    page = front.get(f"/activity/{kind}").text
    assert "Set up the connections first" in read_text(page)
    assert any("/settings" in str(one.get("href")) for one in FormReader(page).find("s-button"))


def test_what_needs_a_person_is_counted_on_every_list_and_at_home(front: Front) -> None:
    mine = enter(front, front.shop)
    add_exchange(front, 1, mine)
    add(front, Effect, *(effect_row(mine, number) for number in (1, 2)))
    add(front, Event, event_row(mine, 1), event_row(mine, 2, outcome="handled"))
    words = read_text(front.get("/activity").text)
    assert all(text in words for text in ("Exchanges (1 for you)", "Messages (1 for you)", "Changes (2 for you)"))
    assert "2 changes that could not be made" in read_text(front.get("/").text)


def test_what_differs_between_the_systems_is_told_at_home(front: Front) -> None:
    mine, other = enter(front, front.shop), enter(front, OTHER)
    add_exchange(front, 7, mine)
    found = {"shop_id": mine, "kind": "oms_held", "about": "7", "detail": "it <b>differs</b>"}
    rest = {"since": NOW, "last_seen": NOW, "repairable": False, "repairs": 0}
    add(front, Finding, {**found, **rest}, {**found, **rest, "shop_id": other, "detail": "canary"})
    page = front.get("/").text
    assert "OMS holds an order that is free , #7 : it &lt;b&gt;differs&lt;/b&gt;" in read_text(page)
    assert "canary" not in page


def test_pages_lead_through_everything_once_and_back(front: Front) -> None:
    mine = enter(front, front.shop)
    add(front, Effect, *(effect_row(mine, number) for number in range(1, 121)))
    path, seen, pages = "/activity/effects?state=parked", [], []
    while path:
        page = front.get(path).text
        seen += [int(str(one["href"]).split("/effects/")[1].split("?")[0]) for one in FormReader(page).find("s-link")
                 if "/effects/" in str(one.get("href"))]  # fmt: skip
        pages.append(path)
        path = find_button(page, "Older")
    assert len(pages) == 3
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 120
    back = find_button(front.get(pages[-1]).text, "Newer")
    assert find_button(front.get(back).text, "Newer")
    assert not find_button(front.get(pages[0]).text, "Newer")


def find_button(page: str, words: str) -> str:
    at = page.find(f">{words}</s-button>")
    return page[page.rfind('href="', 0, at) + 6 : at].partition('"')[0].replace("&amp;", "&") if at >= 0 else ""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/activity?q=1042", {"#1042"}),
        ("/activity?q=%231042", {"#1042"}),
        ("/activity?q=RET-7", {"#7"}),
        ("/activity?q=why", {"#1042", "#7"}),
        ("/activity?state=released", {"#7"}),
        ("/activity?q=%25", set()),
        ("/activity?q=_", set()),
        ("/activity?state=nonsense&before=x&after=%F0%9F%99%82", {"#1042", "#7"}),
        ("/activity/effects?q=%231042", {"Free the order in OMS"}),
        ("/activity/effects?q=answered+400", {"Free the order in OMS"}),
        ("/activity/effects?state=done", set()),
        ("/activity/events?q=nobody+knows", {"RMS: processing_update"}),
        ("/activity/events?state=waiting", set()),
        ("/activity?q=%00", {"#1042", "#7"}),
    ],
)
def test_lists_are_filtered(front: Front, path: str, found: set[str]) -> None:
    mine = enter(front, front.shop)
    add_exchange(front, 1042, mine)
    released = add_exchange(front, 7, mine, state="released")
    link = {"shop_id": mine, "exchange_id": released, "return_code": "RET-7", "match": "attribute", "linked_at": NOW}
    add(front, ExchangeLink, link)
    add(front, Effect, effect_row(mine, 1042))
    add(front, Event, event_row(mine, 1))
    page = front.get(path)
    assert page.status_code == 200
    rows = page.text.partition("<s-table-body>")[2]
    shown = {one for one in ("#1042", "#7", "Free the order in OMS", "RMS: processing_update") if f">{one}<" in rows}
    assert {one for one in shown if one[0] != "#" or "effects" not in path} == found


def test_a_parked_effect_is_tried_again_and_another_dropped(front: Front) -> None:
    mine = enter(front, front.shop)
    first, second = add(front, Effect, effect_row(mine, 1), effect_row(mine, 2))
    attempt = {
        "effect_id": first,
        "act": "send",
        "fence": 1,
        "began_at": NOW,
        "milliseconds": 12,
        "result": "permanent",
    }
    add(front, Attempt, {**attempt, "excerpt": "OMS answered 400: <b>no</b>"})
    page = front.get(f"/activity/effects/{first}").text
    assert "OMS answered 400: &lt;b&gt;no&lt;/b&gt;" in page
    assert "12 ms" in page
    again = front.post(f"/activity/effects/{first}/change", {"action": "retry"})
    assert (again.status_code, find_headings(again.text)) == (200, ["Done"])
    listed = front.post(f"/activity/effects/{second}/change?from=list&state=parked", {"action": "drop"})
    assert f"/effects/{first}?" not in listed.text.partition("<s-table-body>")[2]
    with front.runtime.database.read() as session:
        one, other = session.get_one(Effect, first), session.get_one(Effect, second)
        acts = [(e.actor, e.action) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.number))]
    assert (one.state, one.attempts, one.reason) == ("pending", 0, "staff 42 has it tried again")
    assert (other.state, other.reason) == ("dropped", "staff 42 dropped it; before that: OMS answered 400: no")
    assert acts[-2:] == [("staff 42", "effect.retried"), ("staff 42", "effect.dropped")]
    late = front.post(f"/activity/effects/{second}/change", {"action": "retry"})
    assert (late.status_code, "only parked or pending" in find_headings(late.text)[0]) == (409, True)


def test_a_parked_event_is_thought_about_again(front: Front) -> None:
    mine = enter(front, front.shop)
    parked, purged, handled = add(
        front, Event, event_row(mine, 1), event_row(mine, 2, body=None), event_row(mine, 3, outcome="handled")
    )
    assert front.post(f"/activity/events/{parked}/change").status_code == 200
    assert "purged" in find_headings(front.post(f"/activity/events/{purged}/change").text)[0]
    assert front.post(f"/activity/events/{handled}/change").status_code == 409
    with front.runtime.database.read() as session:
        assert [session.get_one(Event, one).outcome for one in (parked, purged, handled)] == [None, "parked", "handled"]


def test_a_person_decides_what_they_saw(front: Front) -> None:
    mine = enter(front, front.shop)
    row = add_exchange(front, 5, mine)
    page = front.get(f"/activity/exchanges/{row}").text
    assert "You: decide below." in page
    assert FormReader(page).values["expected"] == "review"
    stale = front.post(f"/activity/exchanges/{row}/decide", {"action": "release", "expected": "awaiting_goods"})
    assert (stale.status_code, "is review by now" in find_headings(stale.text)[0]) == (409, True)
    done = front.post(
        f"/activity/exchanges/{row}/decide", {"action": "release", "expected": "review", "note": " it\x00 is\nfine "}
    )
    assert done.status_code == 200
    with front.runtime.database.read() as session:
        exchange = session.get_one(Exchange, row)
        why = session.scalars(select(ExchangeHistory.why).where(ExchangeHistory.exchange_id == row)).all()
    assert (exchange.state, exchange.decided_by) == ("releasing", "staff 42")
    assert "staff 42 decided: release (it is fine)" in why
    assert (
        front.post(f"/activity/exchanges/{row}/decide", {"action": "burn", "expected": "releasing"}).status_code == 409
    )
    linked = front.post(f"/activity/exchanges/{row}/decide", {"action": "link", "code": "RET-5"})
    assert "return RET-5, by hand" in read_text(linked.text)


def test_another_shop_sees_and_changes_nothing(front: Front) -> None:
    mine = enter(front, front.shop)
    exchange = add_exchange(front, 5, mine, order={"name": "#canary"}, reason="canary")
    effect = add(front, Effect, effect_row(mine, 5, reason="canary"))[0]
    parked = add(front, Event, event_row(mine, 1, reason="canary"))[0]
    for path in ("/", "/activity", "/activity/events", "/activity/effects?q=canary", "/activity?q=canary"):
        page = front.get(path, shop=OTHER)
        assert page.status_code == 200
        assert "canary" not in page.text.replace('value="canary"', "").replace("q=canary", "")
    for path in (f"/activity/exchanges/{exchange}", f"/activity/events/{parked}", f"/activity/effects/{effect}"):
        assert front.get(path, shop=OTHER).status_code == 404
        assert front.get(path).status_code == 200
    posts = {
        f"exchanges/{exchange}/decide": "release",
        f"effects/{effect}/change": "drop",
        f"events/{parked}/change": "",
    }
    for path, action in posts.items():
        form = {"action": action, "expected": "review"}
        assert front.post(f"/activity/{path}", form, shop=OTHER).status_code == 404
    with front.runtime.database.read() as session:
        assert session.get_one(Exchange, exchange).state == "review"
        assert session.get_one(Effect, effect).state == "parked"
        assert session.get_one(Event, parked).outcome == "parked"


@pytest.mark.parametrize("odd", HOSTILE, ids=["script", "quote", "rtl", "long"])
def test_odd_names_reasons_and_words_are_text_on_every_page(front: Front, odd: str) -> None:
    mine = enter(front, front.shop)
    row = add_exchange(front, 5, mine, order={"name": odd[:255]}, reason=odd)
    history = {"exchange_id": row, "at": NOW, "state": "review", "code": "x", "why": odd, "actor": odd[:255]}
    link = {"shop_id": mine, "exchange_id": row, "return_code": odd[:255], "match": "hand", "linked_at": NOW}
    add(front, ExchangeHistory, history)
    add(front, ExchangeLink, link)
    effect = add(front, Effect, effect_row(mine, 5, reason=odd, wanted={"tags": [odd]}))[0]
    attempt = {"effect_id": effect, "act": "send", "fence": 1, "began_at": NOW, "result": "permanent", "excerpt": odd}
    add(front, Attempt, attempt)
    parked = add(front, Event, event_row(mine, 1, reason=odd, topic=odd[:64], delivery_id=odd[:255]))[0]
    paths = ["/activity", "/activity/events", "/activity/effects", f"/activity/exchanges/{row}"]
    for path in (*paths, f"/activity/effects/{effect}", f"/activity/events/{parked}"):
        page = front.get(path)
        assert page.status_code == 200, path
        read = FormReader(page.text)
        assert all(about.get("src") for about in read.find("script")), path
        assert read.find("img") == [], path
        assert not any(name.startswith("on") for _, about in read.elements for name in about), path


def test_a_list_reads_no_bodies_and_asks_a_bounded_number_of_questions(front: Front) -> None:
    mine = enter(front, front.shop)
    add(front, Order, *(order_row(mine, number) for number in range(1, 61)))
    add(front, Exchange, *(exchange_row(mine, number) for number in range(1, 61)))
    add(front, Effect, *(effect_row(mine, number) for number in range(1, 61)))
    add(front, Event, *(event_row(mine, number) for number in range(1, 61)))
    asked: list[str] = []
    event.listen(
        front.runtime.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: asked.append(statement),
    )
    for kind in ("exchanges", "events", "effects"):
        asked.clear()
        assert front.get(f"/activity/{kind}").status_code == 200
        queries = [one for one in asked if one.startswith("SELECT")]
        assert len(queries) < 16, queries
        assert not any("events.body" in one or "effects.request" in one for one in queries)


def test_what_is_not_there_is_said_so(front: Front) -> None:
    for path in ("/activity/effects/1", "/activity/nothing", "/activity/nothing/1", f"/activity/events/{2**63 - 1}"):
        answer = front.get(path)
        assert (answer.status_code, "Nothing is here" in answer.text) == (404, True), path
    assert front.get(f"/activity/events/{2**70}").status_code == 404
