"""Return orders, their units and what quality control said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.domain.statuses import Status


class ReturnType(StrEnum):
    """Increff's `orderType` of a return (seed 003)."""

    SELF_SHIP = "SELF_SHIP"
    CUSTOMER_RETURN = "CUSTOMER_RETURN"
    RETURN_TO_ORIGIN = "RETURN_TO_ORIGIN"


@dataclass(frozen=True)
class ReturnUnit:
    """One piece of one SKU coming back. `item_code` is the channel's id of the return item."""

    item_code: str
    sku: str
    reason: str | None


@dataclass(frozen=True)
class ReturnReport:
    """What one push says about a return order. Codes are the channel's; times are UTC; None means "not said"."""

    code: str
    forward_code: str
    full: bool  # a Create Return Order body; False for a tracking notification
    type: ReturnType = ReturnType.CUSTOMER_RETURN
    status_text: str | None = None  # verbatim: it is passed on to OMS unchanged
    status: Status | None = None  # None when the text is in no table of ours
    status_at: datetime | None = None
    location_code: str | None = None
    warehouse_code: str | None = None
    awb: str | None = None
    transporter: str | None = None
    ordered_at: datetime | None = None
    units: tuple[ReturnUnit, ...] = ()


class Verdict(StrEnum):
    """RMS `qcStatus` (increff.md §2.6)."""

    PASS = "PASS"
    FAIL = "FAIL"


@dataclass(frozen=True)
class UnitVerdict:
    """What QC said of one unit."""

    item_code: str
    sku: str
    verdict: Verdict
    reason: str | None = None
    image_urls: tuple[str, ...] = ()

    def same_as(self, other: UnitVerdict) -> bool:
        """True when a repeat says nothing new; photos alone are not news for any decision."""
        return (self.verdict, self.reason) == (other.verdict, other.reason)


@dataclass(frozen=True)
class VerdictReport:
    """One Returns Processing Update: verdicts of some units of one return order."""

    return_code: str
    forward_code: str
    location_code: str | None
    verdicts: tuple[UnitVerdict, ...]


def explode_items(items: Iterable[tuple[str, str, int]], reason: str) -> tuple[ReturnUnit, ...]:
    """Turn `(item id, sku, quantity)` of a notification into units, with codes that are the same at every repeat."""
    units: list[ReturnUnit] = []
    for item, sku, quantity in items:
        codes = [item] if quantity == 1 else [f"{item}-{number}" for number in range(1, quantity + 1)]
        units.extend(ReturnUnit(code, sku, reason) for code in codes)
    return tuple(units)


class CountsAs(StrEnum):
    """What a verdict means for the exchange, after the merchant's `qc.reasons`."""

    PASS = "pass"
    FAIL = "fail"
    REVIEW = "review"


class Judgement(StrEnum):
    """What all verdicts of a replacement order's returns add up to."""

    WAIT = "wait"
    ALL_PASS = "all_pass"
    ALL_FAIL = "all_fail"
    MIXED = "mixed"
    REVIEW = "review"


def weigh(verdict: UnitVerdict, reasons: Mapping[str, CountsAs]) -> CountsAs:
    """PASS passes; a FAIL counts as the merchant's table says of its reason, else as a fail."""
    if verdict.verdict is Verdict.PASS:
        return CountsAs.PASS
    return reasons.get(verdict.reason or "", CountsAs.FAIL)


def match_verdicts(units: Sequence[ReturnUnit], latest: Mapping[str, UnitVerdict]) -> dict[str, UnitVerdict]:
    """The verdict of each unit by item code; one under an unknown code goes to the only unjudged unit of its SKU."""
    matched = {unit.item_code: latest[unit.item_code] for unit in units if unit.item_code in latest}
    known = {unit.item_code for unit in units}
    for code, verdict in latest.items():
        candidates = [unit.item_code for unit in units if unit.sku == verdict.sku and unit.item_code not in matched]
        if code not in known and len(candidates) == 1:
            matched[candidates[0]] = verdict
    return matched


def judge(
    units: Sequence[ReturnUnit], latest: Mapping[str, UnitVerdict], reasons: Mapping[str, CountsAs] | None = None
) -> Judgement:
    """Add up verdicts. Units not known yet, or one without a verdict, mean: wait."""
    matched = match_verdicts(units, latest)
    if not units or len(matched) < len(units):
        return Judgement.WAIT
    counted = {weigh(verdict, reasons or {}) for verdict in matched.values()}
    if CountsAs.REVIEW in counted:
        return Judgement.REVIEW
    if counted == {CountsAs.PASS}:
        return Judgement.ALL_PASS
    return Judgement.ALL_FAIL if counted == {CountsAs.FAIL} else Judgement.MIXED
