"""The rules once more, in other words than the product's: what verdicts ask for. Shares no code with core/domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.properties.shop_world import Line

STANDARD = "STAIN_DAMAGE"  # the only one of RMS's own reasons that is used here; a reason nobody knows is for a person
Asks = tuple[str, dict[int, int]]  # what the verdicts ask for, and what each line to be cut keeps


@dataclass(frozen=True)
class Rules:
    """The settings that decide."""

    wait_for: str
    on_fail: str
    on_mixed: str
    reasons: Mapping[str, str]


def ask(units: Sequence[str], said: Mapping[str, tuple[str, str | None]], lines: Sequence[Line], rules: Rules) -> Asks:
    """What becomes of the order. `lines` as known at the time."""
    named = list({code: line for line in lines for code in line.codes})
    swapped = any(line.current and not line.codes for line in lines)
    gone = {code for line in lines if line.current == 0 and not swapped for code in line.codes} - said.keys()
    if (units and set(units) <= set(named)) or (not units and lines and all(line.codes for line in lines)):
        units = [*units, *(code for code in named if code not in units and code not in gone)]
    words = {unit: _count(said[unit], rules) for unit in units if unit in said}
    if not units:
        return "wait", {}
    if "review" in words.values():
        return "review", {}
    failed = [unit for unit in units if words.get(unit) == "fail"]
    stray = {code: one for code, one in said.items() if code not in units}
    unlisted = count_all(stray, rules) - {"pass"}
    cuts_lines = rules.on_mixed == "cancel_failed_lines" and rules.on_fail == "cancel"
    if len(words) < len(units):
        left = _cut(failed, units, lines) if cuts_lines and rules.wait_for == "each_unit" else None
        return "wait", left if left and not _nothing_left(left, lines) else {}
    if "review" in unlisted:
        return "review", {}
    if not failed:
        return ("review" if unlisted else "release"), {}
    if rules.on_fail == "review":
        return "review", {}
    units = [*units, *(code for code, one in stray.items() if _count(one, rules) == "pass")]
    if len(failed) == len(units) or rules.on_mixed == "cancel_order":
        return "cancel", {}
    left = _cut(failed, units, lines) if cuts_lines else None
    if left is None:
        return "review", {}
    if _nothing_left(left, lines):
        return "cancel", {}
    return ("review", {}) if unlisted else ("cut", left)


def count_all(said: Mapping[str, tuple[str, str | None]], rules: Rules) -> set[str]:
    """What the verdicts heard so far count as."""
    return {_count(one, rules) for one in said.values()}


def _count(said: tuple[str, str | None], rules: Rules) -> str:
    verdict, reason = said
    if verdict == "PASS":
        return "pass"
    return rules.reasons.get(reason or "", "fail" if reason in (None, STANDARD) else "review")


def _cut(failed: Sequence[str], units: Sequence[str], lines: Sequence[Line]) -> dict[int, int] | None:
    owners: dict[str, list[Line]] = {}
    for line in lines:
        for code in line.codes:
            owners.setdefault(code, []).append(line)
    if not owners and len(units) == len(lines) == 1:
        owners = {units[0]: [lines[0]]}
    if any(len(found) != 1 for found in owners.values()) or any(unit not in owners for unit in failed):
        return None
    lost: dict[int, int] = {}
    for unit in failed:
        line = owners[unit][0]
        lost[line.id] = lost.get(line.id, 0) + 1
    left = {line.id: line.quantity - lost[line.id] for line in lines if line.id in lost}
    return None if any(count < 0 for count in left.values()) else left


def _nothing_left(left: Mapping[int, int], lines: Sequence[Line]) -> bool:
    return all(left.get(line.id, line.current) == 0 for line in lines)


def to_lines(stored: Sequence[dict[str, Any]]) -> list[Line]:
    """Lines as our table keeps them."""
    return [
        Line(one["id"], one["sku"], one["quantity"], one["current_quantity"], tuple(one["unit_codes"]))
        for one in stored
    ]
