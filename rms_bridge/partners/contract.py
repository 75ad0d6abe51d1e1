"""What all returns partners share: the QC report they are sent, and how their tracking webhooks are read.

Pure. No partner has a public endpoint for a warehouse's QC, so each is sent Increff's own contract (Increff: "Returns
Processing Update"). Their webhooks add keys and change types without notice (Clickpost's pages ask for "no strict
schema"), so a field of a wrong type counts as not given: a partner that gets anything but 200 only sends it again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from core.domain.returns import ReturnReport, ReturnUnit, UnitVerdict, Verdict, VerdictReport, explode_items
from core.domain.statuses import Status
from rms_bridge.contract import MAX_CODE, MAX_QUANTITY, MAX_UNITS

MAX_PHRASE = 100
RTO_STATUSES = (Status.RTO, Status.RTO_DELIVERED)


@dataclass(frozen=True)
class Reading:
    """What a partner's status means. Without a status `words` say why; `known` is False for a code in no table."""

    status: Status | None
    words: str = ""
    known: bool = True


@dataclass(frozen=True)
class Tracking:
    """One webhook about a return parcel. The report's code is "" when the partner names no return.

    `names` are other codes the return may be known by, best first. A quarantined one is not acted on.
    """

    report: ReturnReport
    reading: Reading
    names: tuple[str, ...] = ()
    quarantine: str | None = None


@dataclass(frozen=True)
class ForwardParcel:
    """One webhook about a parcel on its way to the customer, which is no business of returns."""

    words: str


@dataclass(frozen=True)
class Item:
    """Pieces of one SKU that a webhook names."""

    sku: str
    quantity: int
    reason: str | None


def keep_code(value: object) -> str | None:
    """A code as text; None for what cannot be one. It is never shortened: that would name something else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip() if isinstance(value, str) or abs(value) < 10**30 else ""
    return text if 0 < len(text) <= MAX_CODE else None


def keep_phrase(value: object) -> str | None:
    """Words for people: one printable line of bounded length."""
    if not isinstance(value, str):
        return None
    text = "".join(one if one.isprintable() else " " for one in value[: MAX_PHRASE * 4])
    return " ".join(text.split())[:MAX_PHRASE] or None


def keep_number(value: object) -> int | None:
    """A whole number, given as 4, 4.0 or "4"."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*[0-9]{1,6}\s*", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_small(value):
        return None
    return int(value) if value == int(value) else None


def _is_small(value: float) -> bool:
    return -(10**9) < value < 10**9  # false for NaN and infinity, too


def keep_flag(value: object) -> bool | None:
    """Yes or no, given as true, 1 or "1"."""
    folded = str(value).strip().casefold() if isinstance(value, bool | int | str) else ""
    return True if folded in ("true", "1", "yes") else False if folded in ("false", "0", "no") else None


def keep_object(value: object) -> object:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def keep_objects(value: object) -> object:
    """A list of objects; empty when it is anything else."""
    good = isinstance(value, list) and len(value) <= MAX_UNITS and all(isinstance(one, dict) for one in value)
    return value if good else []


LooseCode = Annotated[str | None, BeforeValidator(keep_code)]
LoosePhrase = Annotated[str | None, BeforeValidator(keep_phrase)]
LooseNumber = Annotated[int | None, BeforeValidator(keep_number)]
LooseFlag = Annotated[bool | None, BeforeValidator(keep_flag)]


class Loose(BaseModel):
    """A JSON object of a partner's: any field may be missing, of another type, or new."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def make_units(items: list[Item], default_reason: str) -> tuple[ReturnUnit, ...]:
    """One unit per piece, coded by SKU as for RMS's notifications. None at all when they cannot all be told apart."""
    reasons: dict[str, list[str]] = defaultdict(list)
    if sum(item.quantity for item in items) > MAX_UNITS or any(item.quantity > MAX_QUANTITY for item in items):
        return ()
    for item in items:
        reasons[item.sku] += [item.reason or default_reason] * item.quantity
    units = explode_items([(sku, sku, len(given)) for sku, given in reasons.items()], default_reason)
    told = [reason for given in reasons.values() for reason in given]
    codes = {unit.item_code for unit in units}
    if len(codes) < len(units) or any(len(code) > MAX_CODE for code in codes):
        return ()
    return tuple(replace(unit, reason=reason) for unit, reason in zip(units, told, strict=True))


def render_processing_update(report: VerdictReport) -> dict[str, Any]:
    """Increff's "Returns Processing Update": its known fields and no other."""
    location = {} if report.location_code is None else {"locationCode": report.location_code}
    return {
        "returnOrderCode": report.return_code,
        "forwardOrderCode": report.forward_code,
        **location,
        "orderItems": [_render_verdict(one) for one in report.verdicts],
    }


def _render_verdict(one: UnitVerdict) -> dict[str, Any]:
    failed = one.verdict is Verdict.FAIL  # the page: reason and images are null on PASS
    return {
        "itemCode": one.item_code,
        "channelSkuCode": one.sku,
        "qcStatus": str(one.verdict),
        "qcReason": one.reason if failed else None,
        "imageUrls": list(one.image_urls) or None if failed else None,
    }
