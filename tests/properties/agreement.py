"""What holds when everything has arrived and everything has been done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.properties.play import Play


def find_disagreements(play: Play) -> list[str]:
    """In words; nothing when all is well, or when something parked tells a person about it."""
    rows = play.ground.rows
    orders = rows("SELECT * FROM orders")
    if not orders:
        return []
    parked = {row["lane"].partition(":")[0] for row in rows("SELECT lane FROM effects WHERE state = 'parked'")}
    untold = rows("SELECT id FROM events WHERE outcome = 'parked' AND source = 'shopify'")
    exchange = rows("SELECT * FROM exchanges")[0]
    found = _compare_stored(play, orders[0])
    if "oms" not in parked and not untold:
        found += _compare_oms(play, held=play.shopify.held_by_tags(play.settings["release_tag"]))
    if "shopify" not in parked:
        found += _compare_state(play, exchange)
    return found + _compare_reports(play)


def _compare_stored(play: Play, stored: Any) -> list[str]:
    shopify = play.shopify
    now = {line.id: line.current for line in shopify.lines}
    kept = {line["id"]: line["current_quantity"] for line in json.loads(stored["lines"])}
    found = []
    if set(json.loads(stored["tags"])) != set(shopify.tags):
        found.append(f"we know tags {stored['tags']}, Shopify has {shopify.tags}")
    if (stored["cancelled_at"] is None) != (shopify.cancelled_at is None):
        found.append("we do not know whether the order is cancelled")
    if shopify.cancelled_at is None and now != kept:
        found.append(f"we know quantities {kept}, Shopify has {now}")
    return found


def _compare_oms(play: Play, *, held: bool) -> list[str]:
    oms, shopify = play.oms, play.shopify
    gone = shopify.cancelled_at is not None or all(line.current == 0 for line in shopify.lines)
    if not oms.known:
        return [] if gone or shopify.fulfilled else ["OMS does not know the order"]  # it would ship it again
    left = {str(line.id): 0 if gone else line.current for line in shopify.lines}
    found = [
        f"OMS has {oms.cancelled[code]} of {ordered} of line {code} cancelled, {left[code]} are left"
        for code, ordered in oms.ordered.items()
        if ordered - oms.cancelled[code] != left[code] and not shopify.fulfilled  # what has shipped is not cancelled
    ]
    if not gone and oms.on_hold != held:
        found.append(f"on hold in OMS: {oms.on_hold}, in Shopify: {held}")
    return found


def _compare_state(play: Play, exchange: Any) -> list[str]:
    state, shopify = exchange["state"], play.shopify
    held = shopify.held_by_tags(play.settings["release_tag"])
    gone = shopify.cancelled_at is not None or all(line.current == 0 for line in shopify.lines)
    found = []
    if state in ("releasing", "cancelling") and play.always_app:
        found.append(f"the exchange is {state} ({exchange['code']}), and nothing is on its way")
    if state in ("released", "partly_cancelled") and held and not shopify.fulfilled:  # what has shipped holds nothing
        found.append(f"the exchange is {state}, and the order is held")
    if state == "cancelled" and not gone:
        found.append("the exchange is cancelled, and the order is not")
    if state.startswith("awaiting") and gone:
        found.append(f"the exchange is {state}, and the order is cancelled")
    if exchange["hold_decided"] and not held and not gone:
        found.append("a hold was decided and is not on the order")
    return found


def _compare_reports(play: Play) -> list[str]:
    """Every verdict that was news went to every partner that wants verdicts, once."""
    rows = play.ground.rows
    news = {row["event_id"] for row in rows("SELECT DISTINCT event_id FROM verdicts")}
    reports = rows("SELECT event_id, key, state, aspect FROM effects WHERE kind = 'partner.report_qc'")
    found = []
    for name in ("alpha", "beta"):
        mine = [row for row in reports if row["aspect"].split(":")[1] == name]
        if sorted(row["event_id"] for row in mine) != sorted(news):
            found.append(f"partner {name} is to hear of {[row['event_id'] for row in mine]}, news are {sorted(news)}")
        heard = play.partners.reports.get(name, {})
        missing = [row["event_id"] for row in mine if row["key"] not in heard]
        if missing:
            found.append(f"partner {name} never heard of {missing}")
    return found
