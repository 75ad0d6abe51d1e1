"""A return that came again with other content: both versions, side by side (DESIGN §8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.errors import Permanent
from core.masking import mask_body
from core.models import ReturnOrder
from core.reading import read_object
from core.relay.inbox import read_body

ReadFacts = Callable[[dict[str, Any]], dict[str, Any]]  # `rms.read_return_facts`: a body's fields that we know


@dataclass(frozen=True)
class Difference:
    """One place at which two bodies say different things; people and free text are `***`."""

    path: str
    first: Any
    other: Any


@dataclass(frozen=True)
class Versions:
    """Two Create Return Order bodies, masked, and where they differ."""

    first_event: int
    other_event: int
    first: dict[str, Any] | None  # None: purged
    other: dict[str, Any] | None
    differing: tuple[Difference, ...]


def compare_versions(session: Session, keyring: Keyring, order: ReturnOrder, read_facts: ReadFacts) -> Versions | None:
    """The version a return rests on and the newest other one; None when none came."""
    if order.full_event_id is None or order.conflict_event_id is None:
        return None
    first, other = (
        _read(session, keyring, order.shop_id, event_id, read_facts)
        for event_id in (order.full_event_id, order.conflict_event_id)
    )
    differing = tuple(_find_differing(first, other)) if first is not None and other is not None else ()
    return Versions(order.full_event_id, order.conflict_event_id, mask_body(first), mask_body(other), differing)


def _read(
    session: Session, keyring: Keyring, shop_id: int, event_id: int, read_facts: ReadFacts
) -> dict[str, Any] | None:
    try:
        return read_facts(read_object(read_body(session, keyring, shop_id, event_id)))
    except Permanent:
        return None


def _find_differing(first: Any, other: Any, path: str = "") -> Iterator[Difference]:
    if isinstance(first, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*first, *other)):
            yield from _find_differing(first.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(first, list) and isinstance(other, list):
        for index in range(max(len(first), len(other))):
            mine, theirs = (one[index] if index < len(one) else None for one in (first, other))
            yield from _find_differing(mine, theirs, f"{path}[{index}]")
    elif first != other:
        yield Difference(path, mask_body(first, path), mask_body(other, path))
