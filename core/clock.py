"""The wall clock and the monotonic clock. Nothing else in the house asks what time it is.

Leases and due times use the database's clock (`core.db.db_now`), never this one.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

_ZONE_NAME = re.compile(r"\[[A-Za-z_/+-]+\]$")
_MILLISECONDS_FROM = 1e11  # epoch seconds reach this in the year 5138; milliseconds passed it in 1973


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that is never set back."""
    return time.monotonic()


def parse_time(value: object) -> datetime:
    """Read any time format Increff, Shopify or a partner sends (increff.md §6) as UTC.

    Accepts ISO 8601 with an offset, with `Z`, with `Z[UTC]`, epoch seconds (fraction allowed) and epoch milliseconds,
    as number or text. Raises ValueError for anything else, a time without a zone included: guessing one moves money.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a time")
    if isinstance(value, str):
        return _parse_text(value.strip())
    return _from_epoch(value)


def _parse_text(text: str) -> datetime:
    if re.fullmatch(r"\d{9,14}(\.\d+)?", text):
        return _from_epoch(float(text))
    try:
        moment = datetime.fromisoformat(_ZONE_NAME.sub("", text))
    except ValueError:
        raise ValueError("not a time") from None
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, e.g. +05:30")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time") from None


def _from_epoch(number: float) -> datetime:
    try:
        seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("not a time") from None


def render_time(moment: datetime) -> str:
    """`yyyy-MM-ddTHH:mm:ss.SSS+00:00`, the form Increff's pages use most (increff.md §6)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
