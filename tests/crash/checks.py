"""The promise, as checks over the evidence: nothing lost, nothing doubled, nothing stuck, every lane in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.crash.compress import CALL_SECONDS, LEASE_SECONDS
from tests.crash.evidence import Evidence
from tests.crash.shopify import HOLD

OUTCOMES = {"handled", "ignored", "unknown", "parked"}
LANDING_SECONDS = LEASE_SECONDS + 2 * CALL_SECONDS  # what was begun before a decision was known lands no later


@dataclass
class Verdict:
    """`faults`: law -> what breaks it. `visible`: what did not come out as meant, but is shown with a reason."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    visible: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return not any(self.faults.values())

    def __str__(self) -> str:
        lines = [f"{law}: {len(found)}, e.g. {'; '.join(found[:4])}" for law, found in self.faults.items() if found]
        shown = ", ".join(f"{why} x{times}" for why, times in self.visible.most_common(6))
        return "\n".join(lines or ["0 lost, 0 doubled, 0 both, 0 stuck, 0 wrong, 0 undone, lanes in order"]) + (
            f"\nvisible with a reason: {sum(self.visible.values())} ({shown})" if self.visible else ""
        )


def judge(found: Evidence) -> Verdict:
    """Every law over the whole run."""
    verdict = Verdict()
    for law, find in LAWS.items():
        verdict.faults[law] += find(found)
    _judge_stories(found, verdict)
    return verdict


def find_lost(found: Evidence) -> Iterator[str]:
    """Accepted with a 2xx and not stored as often."""
    for mark, times in found.told["accepted"].items():
        stored = len(found.marks.get(mark, ()))
        sent = found.told["sent"][mark]
        if stored < (1 if sent["source"] == "shopify" else times):
            yield f"{sent['topic']} {sent['about']} accepted {times} times, stored {stored}"


def find_doubled(found: Evidence) -> Iterator[str]:
    """Done more than once at the receiver, or stored twice under one delivery id."""
    told = found.told
    for mark, ids in found.marks.items():
        if len(ids) > 1 and told["sent"].get(mark, {}).get("source") == "shopify":
            yield f"webhook {mark} stored {len(ids)} times"
    yield from (f"order {key} made {one['made']} times" for key, one in told["oms_orders"].items() if one["made"] > 1)
    yield from (f"return {key} made {one['made']} times" for key, one in told["oms_returns"].items() if one["made"] > 1)
    for key, one in told["orders"].items():
        if one["refunds"] > 1 or len(one["jobs"]) > 1:
            yield f"order {key} cancelled {len(one['jobs'])} times, refunded {one['refunds']} times"
    wanted = Counter(effect.about for effect in found.effects if effect.kind == "partner.report_qc")
    for mark, keys in told["messages"].items():
        most = wanted[mark[3:]] if mark.startswith("qc:") else len(found.marks.get(mark, ()))
        if len(keys) > most:
            yield f"partner heard {mark} under {len(keys)} keys, {most} at most were meant"


def find_both(found: Evidence) -> Iterator[str]:
    """Released and cancelled whole."""
    for key, order in found.told["orders"].items():
        if order["lifted"] and order["jobs"] and not order["seller"]:
            yield f"order {key} in Shopify"
        oms = found.told["oms_orders"].get(key)
        if oms and _is_gone(oms) and "unhold" in oms["heard"] and not order["seller"]:
            yield f"order {key} in OMS"


def find_stuck(found: Evidence) -> Iterator[str]:
    """Without an end, though the time for it is over. What waits behind a parked effect is seen to wait there."""
    parked = {(one.shop_id, one.lane): one.id for one in reversed(found.effects) if one.state == "parked"}
    yield from (f"event {one.id} {one.topic}: {one.reason}" for one in found.events if one.outcome is None)
    for one in found.effects:
        behind = not one.passes_parked and parked.get((one.shop_id, one.lane), one.id) < one.id
        if one.state in ("pending", "sending") and not behind:
            yield f"effect {one.id} {one.kind} {one.state}: {one.reason}"


def find_unnamed(found: Evidence) -> Iterator[str]:
    """An end without a name or a reason."""
    for one in found.events:
        if one.outcome is not None and (one.outcome not in OUTCOMES or not one.reason):
            yield f"event {one.id}: {one.outcome}"
    for one in found.effects:
        if one.state in ("parked", "superseded") and not one.reason:
            yield f"effect {one.id}: {one.state}"


def find_out_of_order(found: Evidence) -> Iterator[str]:
    """A lane's later effect sent before an earlier one had ended."""
    yield from found.told["out_of_order"]
    lanes: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for one in found.effects:
        lanes[one.shop_id, one.lane].append(one)
    for lane in lanes.values():
        for before, after in pairwise(lane):
            began = found.first_sends.get(after.id)
            if began and before.id in found.first_sends and before.ended_at and began < before.ended_at:
                yield f"effect {after.id} {after.kind} began before {before.id} {before.kind} had ended"


def find_undone(found: Evidence) -> Iterator[str]:
    """A hold lifted by hand or put back, changed by us after we had seen so (law 8). What was under way may land."""
    for key, order in found.told["orders"].items():
        exchange = found.exchanges.get(int(key))
        if exchange is not None and exchange.state == "overridden":
            late = [at for at in order["undone"] if at > exchange.since.timestamp() + LANDING_SECONDS]
            yield from [f"order {key}, {exchange.code}: staff's word was {order['by_hand']}"] * len(late)


LAWS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "lost": find_lost,
    "doubled": find_doubled,
    "released and cancelled": find_both,
    "stuck": find_stuck,
    "without a name": find_unnamed,
    "out of order": find_out_of_order,
    "undone by us": find_undone,
}


def _judge_stories(found: Evidence, verdict: Verdict) -> None:
    """Each story came out as it must; or it is visible, and the reason is counted."""
    shown = _find_visible(found)
    for story in found.told["stories"]:
        faults = [*_compare(story, found), *_compare_return(story, found)]
        why = shown.get(story["order_id"]) or shown.get(story["return_code"])
        if faults and why:
            verdict.visible[f"{story['kind']}: {why[:70]}"] += 1
        else:
            verdict.faults["wrong"] += [f"{story['kind']} {story['order_id']}: {fault}" for fault in faults]


def _find_visible(found: Evidence) -> dict[Any, str]:
    """What a person is shown a reason for: by order id and by return code."""
    shown: dict[Any, str] = {}
    for one in found.exchanges.values():
        if one.state == "review":
            shown[one.order_id] = f"review: {one.code}"
    parked = {one.id: one for one in found.events if one.outcome == "parked"}
    for mark, ids in found.marks.items():
        about = found.told["sent"].get(mark, {}).get("about")
        for number in parked.keys() & ids:
            shown[about] = f"event: {parked[number].reason}"
    for one in found.effects:
        if one.state == "parked":
            shown[int(one.about) if one.about.isdecimal() else one.about] = f"{one.kind}: {one.reason}"
    for one in found.findings:
        if one.about.isdecimal():
            shown.setdefault(int(one.about), f"finding {one.kind}: {one.detail}")
    for key, words in found.told["refused"].items():
        shown[int(key)] = f"told OMS: {words}"
    return shown


def _compare(story: dict[str, Any], found: Evidence) -> Iterator[str]:
    """Shopify and OMS, against what the story asks for, and against each other."""
    key = str(story["order_id"])
    order, oms = found.told["orders"].get(key), found.told["oms_orders"].get(key)
    if order is None:
        return
    end = _find_end(story)
    yield from _compare_cancel(order, oms) if end == "fail" else _compare_rest(order, oms, end)
    exchange = found.exchanges.get(story["order_id"])
    should = _should_hold(order, exchange, passed=bool(story["verdicts"])) if end == "rehold" else end == "none"
    if not order["cancelled"]:
        if _is_held(order) != should:
            yield "still on hold in Shopify" if not should else "not on hold in Shopify"
        yield from _compare_hold(order, oms)


def _find_end(story: dict[str, Any]) -> str:
    """What its last verdict makes of a story in which QC changes its mind, as the kind that says only that."""
    if story["kind"] not in ("flip", "corrected"):
        return str(story["kind"])
    return "fail" if "FAIL" in story["verdicts"][-1].values() else "pass"


def _is_held(order: dict[str, Any]) -> bool:
    return HOLD in order["tags"]


def _should_hold(order: dict[str, Any], exchange: Any, *, passed: bool) -> bool:
    """A lift that was seen is theirs, and so is all that they make of the hold then; one that came and went before
    anybody looked leaves the order to QC. What was on its way when it was seen is judged by its own law.
    """
    if exchange is None or exchange.state != "overridden":
        return not passed
    return _is_held(order) if order["undone"] or order["by_hand"] is None else bool(order["by_hand"])


def _is_gone(oms: dict[str, Any]) -> bool:
    return all(oms["cancelled"].get(line, 0) >= many for line, many in oms["ordered"].items())


def _compare_hold(order: dict[str, Any], oms: dict[str, Any] | None) -> Iterator[str]:
    """OMS sends out what is free in Shopify, and nothing else."""
    if oms is None:
        yield "unknown to OMS"
    elif oms["on_hold"] != _is_held(order) and not _is_gone(oms):
        yield "held in Shopify, free in OMS" if _is_held(order) else "free in Shopify, held in OMS"


def _compare_cancel(order: dict[str, Any], oms: dict[str, Any] | None) -> Iterator[str]:
    if not (order["cancelled"] and order["refunds"] == 1):
        yield f"not cancelled and refunded once: {order['refunds']}"
    if oms and not _is_gone(oms):
        yield "OMS was not told of the cancel"


def _compare_rest(order: dict[str, Any], oms: dict[str, Any] | None, end: str) -> Iterator[str]:
    """The order stands, whole or without its first line."""
    if order["cancelled"]:
        yield "cancelled"
    first, cut = str(order["lines"][0]["id"]), end in ("mixed", "seller")
    if (order["lines"][0]["current"] == 0) != cut:
        yield f"the first line has {order['lines'][0]['current']}"
    if oms and (oms["cancelled"].get(first, 0) if first in oms["ordered"] else int(cut)) != int(cut):
        yield f"OMS has cancelled {oms['cancelled']}"
    heard = oms["heard"] if oms and end == "mixed" else []
    if {"cancel", "unhold"} <= set(heard) and heard.index("unhold") < heard.index("cancel"):
        yield "OMS heard the unhold before the cancel"


def _compare_return(story: dict[str, Any], found: Evidence) -> Iterator[str]:
    """OMS expects the return and knows its status; the partner got every push."""
    code = story["return_code"]
    known, row = found.told["oms_returns"].get(code), found.returns.get(code)
    if row is None:
        return
    if known is None:
        yield f"OMS does not expect {code}"
    elif row.status_text is not None and known["status"] != row.status_text:
        yield f"OMS believes {code} is {known['status']}, it is {row.status_text}"
    for mark in found.told["by_return"].get(code, ()):
        if len(found.told["messages"].get(mark, ())) < len(found.marks.get(mark, ())):
            yield f"the partner was not told all of {code}"
