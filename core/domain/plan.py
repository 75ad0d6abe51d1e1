"""From units, verdicts and order lines to one plan for a whole replacement order (DESIGN §8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.orders import OrderLine
from core.domain.returns import CountsAs, ReturnUnit, UnitVerdict, find_unlisted, match_verdicts, weigh


class PlanKind(StrEnum):
    """What the verdicts ask for."""

    WAIT = "wait"
    RELEASE = "release"
    CUT = "cut"  # cancel the failed lines, release the rest
    CANCEL = "cancel"
    REVIEW = "review"


@dataclass(frozen=True)
class QcPolicy:
    """The merchant's rules (settings `qc.*`)."""

    wait_for_all: bool = True
    cancel_on_fail: bool = True
    on_mixed: str = "cancel_failed_lines"  # | cancel_order | review
    reasons: Mapping[str, CountsAs] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is to become of the order. `left` is the quantity each line to be cut is to keep; `why` is for people."""

    kind: PlanKind
    why: str
    left: Mapping[int, int] = field(default_factory=dict)


def find_units(
    registered: Sequence[ReturnUnit], lines: Sequence[OrderLine], judged: Collection[str]
) -> list[ReturnUnit]:
    """Which units there are: the registered returns', else those that every line names; else unknown (empty).

    Lines that name all of the registered ones name the others as well: a notification may list fewer than come back,
    and another return may bring the rest (ADR 17). `judged` are the item codes with a verdict; a line that was removed
    before its unit had one waits for nothing, unless a line that names no unit may have taken its place.
    """
    known = {unit.item_code for unit in registered}
    if not known <= {code for line in lines for code in line.unit_codes}:
        return list(registered)
    if not registered and not (lines and all(line.unit_codes for line in lines)):
        return []
    swapped = any(line.current_quantity and not line.unit_codes for line in lines)
    asked = [(code, line) for line in lines for code in line.unit_codes]
    named = (code for code, line in asked if line.current_quantity or swapped or code in judged)
    return [*registered, *(ReturnUnit(code, "", None) for code in dict.fromkeys(named) if code not in known)]


def is_refuted(kind: PlanKind, known: Collection[CountsAs]) -> bool:
    """True when verdicts speak against a release or cancel that is decided before all of them are there."""
    agrees = CountsAs.PASS if kind is PlanKind.RELEASE else CountsAs.FAIL
    return any(one is not agrees for one in known)


def make_plan(
    units: Sequence[ReturnUnit], latest: Mapping[str, UnitVerdict], lines: Sequence[OrderLine], policy: QcPolicy
) -> Plan:
    """The one plan that verdicts, pairing and policy give. Total: every input has a plan."""
    matched = match_verdicts(units, latest)
    counted = {code: weigh(verdict, policy.reasons) for code, verdict in matched.items()}
    if not units:
        return Plan(PlanKind.WAIT, "it is not known which units come back")
    if CountsAs.REVIEW in counted.values():
        return Plan(PlanKind.REVIEW, "a QC reason is set to be reviewed by hand")
    failed = {code for code, one in counted.items() if one is CountsAs.FAIL}
    if len(counted) < len(units):
        return _plan_early(len(units) - len(counted), failed, units, lines, policy)
    unlisted = find_unlisted(units, latest, policy.reasons)
    if any(weigh(one, policy.reasons) is CountsAs.REVIEW for one in unlisted):
        return Plan(PlanKind.REVIEW, "a QC reason is set to be reviewed by hand")
    passed = [one for one in unlisted if weigh(one, policy.reasons) is CountsAs.PASS]
    plan = _plan_judged(failed, [*units, *(ReturnUnit(one.item_code, one.sku, None) for one in passed)], lines, policy)
    if len(passed) < len(unlisted) and plan.kind in (PlanKind.RELEASE, PlanKind.CUT):
        codes = ", ".join(sorted(verdict.item_code for verdict in unlisted if verdict not in passed))
        return Plan(PlanKind.REVIEW, f"QC did not pass {codes}, and the return as we know it lists no such unit")
    return plan


def _plan_judged(failed: set[str], units: Sequence[ReturnUnit], lines: Sequence[OrderLine], policy: QcPolicy) -> Plan:
    """All verdicts are there."""
    if not failed:
        return Plan(PlanKind.RELEASE, "every returned unit passed QC")
    if len(failed) == len(units):
        return _plan_all_failed(policy)
    return _plan_mixed(failed, units, lines, policy)


def _plan_early(
    missing: int, failed: set[str], units: Sequence[ReturnUnit], lines: Sequence[OrderLine], policy: QcPolicy
) -> Plan:
    """Some verdicts are out. With `each_unit` a failed unit's line is cut at once; the rest waits."""
    why = f"{missing} of {len(units)} units have no verdict yet"
    if policy.wait_for_all or policy.on_mixed != "cancel_failed_lines" or not policy.cancel_on_fail:
        return Plan(PlanKind.WAIT, why)
    left = pair_failed(failed, units, lines) or {}
    if all(left.get(line.id, line.current_quantity) == 0 for line in lines):
        return Plan(PlanKind.WAIT, why)  # nothing would be left: that is a cancel of the order, which waits for all
    return Plan(PlanKind.WAIT, why, left)


def _plan_all_failed(policy: QcPolicy) -> Plan:
    if policy.cancel_on_fail:
        return Plan(PlanKind.CANCEL, "every returned unit failed QC")
    return Plan(PlanKind.REVIEW, "every returned unit failed QC, and the settings leave that to a person")


def _plan_mixed(failed: set[str], units: Sequence[ReturnUnit], lines: Sequence[OrderLine], policy: QcPolicy) -> Plan:
    words = f"{len(failed)} of {len(units)} returned units failed QC"
    if not policy.cancel_on_fail or policy.on_mixed == "review":
        return Plan(PlanKind.REVIEW, f"{words}, and the settings leave that to a person")
    if policy.on_mixed == "cancel_order":
        return Plan(PlanKind.CANCEL, words)
    left = pair_failed(failed, units, lines)
    if left is None:
        return Plan(PlanKind.REVIEW, f"{words}, and which lines replace them is not known")
    if all(left.get(line.id, line.current_quantity) == 0 for line in lines):
        return Plan(PlanKind.CANCEL, f"{words}, and no line is left")
    return Plan(PlanKind.CUT, words, left)


def pair_failed(failed: set[str], units: Sequence[ReturnUnit], lines: Sequence[OrderLine]) -> dict[int, int] | None:
    """Line id -> quantity it is to keep, for the lines that replace failed units; None when they cannot be told.

    Lines name their units by a property; or there is one unit and one line. Equal counts by position carry only a
    uniform outcome, which needs no pairing, so position pairs nothing here.
    """
    named = {code: line for line in lines for code in line.unit_codes}
    if len(units) == 1 and len(lines) == 1 and not named:
        named = {units[0].item_code: lines[0]}
    if not failed <= named.keys() or _names_twice(lines):
        return None
    left: dict[int, int] = {}
    for code in failed:
        line = named[code]
        left[line.id] = left.get(line.id, line.quantity) - 1
    if any(quantity < 0 for quantity in left.values()):
        return None  # a line names more units than it has pieces
    return left


def _names_twice(lines: Sequence[OrderLine]) -> bool:
    codes = [code for line in lines for code in line.unit_codes]
    return len(set(codes)) < len(codes)


def find_cuts(left: Mapping[int, int], lines: Sequence[OrderLine]) -> dict[int, int]:
    """Of the lines to be cut, those whose current quantity is still above what they are to keep."""
    current = {line.id: line.current_quantity for line in lines}
    return {line: quantity for line, quantity in left.items() if current.get(line, 0) > quantity}
