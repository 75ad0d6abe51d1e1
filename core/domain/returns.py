"""Return orders, their units and what quality control said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.domain.statuses import Status

# Sizes of a parcel that nobody measured, as Increff's page "Create Return Order" lets them be sent; weight in grams.
PARCEL_SIZES = {"breadth": 1, "height": 1, "length": 1, "weight": 200}


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


# RMS's own reasons (increff.md 2.6), and the one its sample uses; brands add others
STANDARD_REASONS = frozenset(
    [
        "PRODUCT_MISSING",
        "EXPIRED",
        "VIRTUAL_COMBO_FAIL",
        "STAIN_DAMAGE",
        "BROKEN_STITCH_DAMAGE",
        "FABRIC_DEFECT_DAMAGE",
        "PACKAGING_DAMAGE",
        "WAREHOUSE_DAMAGE",
        "OTHER_DAMAGE",
        "COLOUR_MISMATCH",
        "PAIR_MISMATCH",
        "MRP_MISMATCH",
        "SIZE_MISMATCH",
        "PRODUCT_MISMATCH",
        "LOGO_ISSUE",
        "WARRANTY_CARD_MISSING",
        "PART_MISSING",
        "TAG_MISSING",
        "FOOTWEAR_SOLE_SLIGHTLY_DIRTY",
        "USED_PRODUCT",
        "OTHER_BRAND",
        "BATCH_MISMATCH",
        "NEEDS_IRONING",
        "NEEDS_OTHER_REFURBISHMENT",
        "DAMAGED",
    ]
)


def weigh(verdict: UnitVerdict, reasons: Mapping[str, CountsAs]) -> CountsAs:
    """PASS passes; a FAIL counts as the merchant's table says of its reason.

    A merchant without a table makes no difference between reasons: a FAIL fails. One with a table does, so a reason
    that neither the table nor RMS's own list knows is for a person to judge.
    """
    if verdict.verdict is Verdict.PASS:
        return CountsAs.PASS
    if not reasons or not verdict.reason or verdict.reason in STANDARD_REASONS:
        return reasons.get(verdict.reason or "", CountsAs.FAIL)
    return reasons.get(verdict.reason, CountsAs.REVIEW)


def match_verdicts(units: Sequence[ReturnUnit], latest: Mapping[str, UnitVerdict]) -> dict[str, UnitVerdict]:
    """The verdict of each unit by item code. One under an unknown code goes to a unit by SKU when that is unambiguous:
    it is the SKU's only stray verdict, and the unit is the SKU's only one without a verdict.
    """
    known = {unit.item_code for unit in units}
    matched = {code: latest[code] for code in known if code in latest}
    strays = [verdict for code, verdict in latest.items() if code not in known]
    for sku in {verdict.sku for verdict in strays}:
        lost = [verdict for verdict in strays if verdict.sku == sku]
        open_units = [unit.item_code for unit in units if unit.sku == sku and unit.item_code not in matched]
        if len(lost) == 1 and len(open_units) == 1:
            matched[open_units[0]] = lost[0]
    return matched


def find_unlisted(
    units: Sequence[ReturnUnit], latest: Mapping[str, UnitVerdict], reasons: Mapping[str, CountsAs]
) -> list[UnitVerdict]:
    """Verdicts that no unit accounts for: over such a FAIL nothing is freed, over such a PASS not all is cancelled.

    A unit that was judged under two codes accounts for both when they say the same, as far as its SKU tells.
    """
    matched = match_verdicts(units, latest)
    taken = {id(verdict) for verdict in matched.values()}
    strays = [one for code, one in latest.items() if code not in matched and id(one) not in taken]
    skus = {unit.item_code: unit.sku for unit in units}
    accounted = Counter((skus[code], weigh(verdict, reasons)) for code, verdict in matched.items())
    unlisted = []
    for one in sorted(strays, key=lambda stray: stray.item_code):
        said = (one.sku, weigh(one, reasons))
        if not accounted[said]:
            unlisted.append(one)
        accounted[said] -= 1 if accounted[said] else 0
    return unlisted


def find_more(known: Sequence[ReturnUnit], told: Sequence[ReturnUnit]) -> list[ReturnUnit]:
    """Of the units of a full body those beyond the ones known, by SKU and count.

    A code that is new need not be a new piece: a notification may name it otherwise than the body does.
    """
    codes = {unit.item_code for unit in known}
    missing = Counter(unit.sku for unit in told) - Counter(unit.sku for unit in known)
    more = []
    for unit in told:
        if unit.item_code not in codes and missing[unit.sku] > 0:
            missing[unit.sku] -= 1
            more.append(unit)
    return more
