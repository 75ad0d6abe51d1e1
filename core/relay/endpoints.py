"""Endpoints: the far sides of a shop, what is known of each, shared by all workers in the database.

Every call goes out through `call_endpoint`, which asks first whether the far side is to be left alone and whether its
budget has room, and notes how the call went. One that fails too often in a row is left alone (down), as is one that
refuses our credentials (refused) or says that it is no more (gone); then one probe at a time finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.db import Database, db_now, insert_once, read_clock
from core.domain.effects import EffectKind
from core.errors import AccessRefused, Ambiguous, Fault, Gone, OutOfTime, Throttled, Transient
from core.models import Effect, Endpoint
from core.relay.backoff import THROTTLE_SECONDS
from core.relay.budget import LOOK_PRIORITY, Slot, free_slot, keep_points, spend_points, take_slot
from core.statements import prepared, scalars

OMS, SHOPIFY = "oms", "shopify"
WORKING, DOWN, REFUSED, GONE = "working", "down", "refused", "gone"
PROBE_SECONDS = 30.0  # one that does not work is called at most this often
FAILURES = 5  # in a row, and over at least so many seconds: then it is down
FAILING_SECONDS = 10.0
QUICK_SECONDS = 2.0  # an answer within it keeps no hands waiting
_PACE = (0.0, 1.0, 3.0, 6.0)  # seconds of rest after the first failures in a row: it is not hammered until it is down
_LONGEST_SECONDS = 600.0
_FOR_EVER_SECONDS = 10 * 365 * 86_400.0  # until the settings change


@dataclass(frozen=True)
class Errand:
    """For which effect a thread calls out. A probe may call a far side that is left alone."""

    shop_id: int
    endpoint: str
    priority: int
    probe: bool = False


_errand: ContextVar[Errand | None] = ContextVar("errand", default=None)


@contextmanager
def on_errand(errand: Errand) -> Iterator[None]:
    """Within it, this thread's calls are this effect's."""
    token = _errand.set(errand)
    try:
        yield
    finally:
        _errand.reset(token)


def name_partner(partner: str) -> str:
    """A returns partner's endpoint, by its name in the settings."""
    return f"partner:{partner}"


def name_endpoint(kind: EffectKind, params: Mapping[str, Any]) -> str:
    """Where an effect goes: the shop's OMS, its Shopify, or one partner."""
    return name_partner(params.get("partner", "")) if kind.system == "partner" else kind.system


def ensure_endpoint(session: Session, shop_id: int, name: str) -> None:
    """Know an endpoint; a new one works until it shows otherwise."""
    if scalars(session, _select_name(shop_id, name)).first() is None:
        start = {"state": WORKING, "since": db_now(), "failures": 0, "pauses": 0}
        insert_once(session, Endpoint, shop_id=shop_id, name=name, **start)


@prepared
def _select_name(shop_id: int, name: str) -> Select[str]:
    return select(Endpoint.name).where(Endpoint.shop_id == shop_id, Endpoint.name == name)


@dataclass
class Call:
    """One call under way. Its caller may note what the far side says is left of a cost budget: left, most, a second."""

    shop_id: int
    name: str
    urgent: bool
    probe: bool
    doubtful: bool  # its last call had failed
    quick: bool  # its last call was answered at once
    slot: Slot | None = None
    points: tuple[float, float, float] | None = None


@contextmanager
def call_endpoint(
    database: Database, shop_id: int, name: str, *, calls_per_minute: int | None = None, cost: float = 0
) -> Iterator[Call]:
    """Around one call, no transaction open. Raises Throttled, and nothing is sent, while it is to wait."""
    with database.write() as session:
        begun = _begin(session, shop_id, name, calls_per_minute, cost)
    if isinstance(begun, Throttled):
        raise begun
    verdict: Fault | None = None
    began = monotonic()
    try:
        yield begun
    except Fault as error:
        verdict = error
        raise
    finally:
        quick = monotonic() - began < QUICK_SECONDS
        if begun.slot or begun.points or begun.doubtful or verdict is not None or quick != begun.quick:
            with database.write() as session:
                _end(session, begun, verdict, quick=quick)


def _begin(session: Session, shop_id: int, name: str, limit: int | None, cost: float) -> Call | Throttled:
    """The call that may now be made, or why it is to wait: a value, so that what was noted meanwhile is kept."""
    errand = _errand.get()
    endpoint = _lock(session, shop_id, name)
    mine = errand is not None and (errand.shop_id, errand.endpoint) == (shop_id, name)
    priority = errand.priority if errand is not None and mine else LOOK_PRIORITY
    probe = mine and errand is not None and errand.probe
    call = Call(shop_id, name, mine, probe, _is_doubtful(endpoint), endpoint.quick)
    rest = _seconds_of_rest(session, endpoint)
    if not call.probe and rest > 0:
        return Throttled(f"{name} is left alone for a while: {endpoint.words}", min(rest, _LONGEST_SECONDS))
    if not call.probe and endpoint.state != WORKING:
        call.probe, endpoint.rests_until = True, _later(session, PROBE_SECONDS)
    endpoint.calls_per_minute = limit
    wait = spend_points(session, endpoint, cost, urgent=mine) if cost else 0.0
    if wait > 0:
        return _wait_for_points(session, endpoint, wait, urgent=mine)
    slot = take_slot(session, shop_id, name, limit, priority) if limit else None
    if isinstance(slot, float):
        return Throttled(f"the {limit} calls a minute that {name} allows are spent", slot)
    call.slot = slot
    return call


def _lock(session: Session, shop_id: int, name: str) -> Endpoint:
    """Its row, locked; made when there is none."""
    query = _select_locked(shop_id, name)
    if (found := scalars(session, query).first()) is not None:
        return found
    ensure_endpoint(session, shop_id, name)
    return scalars(session, query).one()


@prepared
def _select_locked(shop_id: int, name: str) -> Select[Endpoint]:
    mine = (Endpoint.shop_id == shop_id, Endpoint.name == name)
    return select(Endpoint).where(*mine).with_for_update().execution_options(populate_existing=True)


def _is_doubtful(endpoint: Endpoint) -> bool:
    return endpoint.failures > 0 or endpoint.state != WORKING


def _later(session: Session, seconds: float) -> datetime:
    return read_clock(session) + timedelta(seconds=seconds)


def _seconds_of_rest(session: Session, endpoint: Endpoint) -> float:
    if endpoint.rests_until is None:
        return 0.0
    return (endpoint.rests_until - read_clock(session)).total_seconds()


def _wait_for_points(session: Session, endpoint: Endpoint, seconds: float, *, urgent: bool) -> Throttled:
    """When not even an effect fits, all of them wait, rather than each being claimed to no avail."""
    if urgent:
        endpoint.rests_until, endpoint.words = _later(session, seconds), "its cost budget is spent"
    return Throttled(f"{endpoint.name}: its cost budget is spent", seconds)


def _end(session: Session, call: Call, verdict: Fault | None, *, quick: bool) -> None:
    endpoint = _lock(session, call.shop_id, call.name)
    endpoint.quick = quick
    if call.slot is not None:
        free_slot(session, call.shop_id, call.name, call.slot)
    if call.points is not None:
        keep_points(session, endpoint, *call.points)
    if isinstance(verdict, Throttled):
        _rest(session, endpoint, verdict.retry_after or THROTTLE_SECONDS, str(verdict))
    elif isinstance(verdict, AccessRefused):
        _leave_alone(session, endpoint, REFUSED, _LONGEST_SECONDS, str(verdict))
    elif isinstance(verdict, Gone) and call.name.startswith(name_partner("")):
        _leave_alone(session, endpoint, GONE, _FOR_EVER_SECONDS, str(verdict))
    elif isinstance(verdict, OutOfTime):
        return
    elif isinstance(verdict, Transient | Ambiguous):
        _count_failure(session, endpoint, call, str(verdict))
    elif _is_doubtful(endpoint):
        _note_works(endpoint)


def _rest(session: Session, endpoint: Endpoint, seconds: float, words: str) -> None:
    """Nobody calls it for so long, if not for longer already."""
    if seconds > _seconds_of_rest(session, endpoint):
        endpoint.rests_until, endpoint.words = _later(session, seconds), words[:1000]


def _leave_alone(session: Session, endpoint: Endpoint, state: str, seconds: float, words: str) -> None:
    if endpoint.state != state:
        endpoint.state, endpoint.since = state, read_clock(session)
    endpoint.rests_until, endpoint.words = _later(session, seconds), words[:1000]


def _count_failure(session: Session, endpoint: Endpoint, call: Call, words: str) -> None:
    """Down after enough failures in a row over some time, or when a probe failed; each time for twice as long."""
    now = read_clock(session)
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    lasted = (now - endpoint.failing_since).total_seconds()
    if call.probe or (endpoint.state == WORKING and endpoint.failures >= FAILURES and lasted >= FAILING_SECONDS):
        seconds = min(PROBE_SECONDS * 2**endpoint.pauses, _LONGEST_SECONDS)
        endpoint.pauses = min(endpoint.pauses + 1, 16)
        _leave_alone(session, endpoint, DOWN, seconds, words)
    elif endpoint.state == WORKING:
        _rest(session, endpoint, _PACE[min(endpoint.failures, len(_PACE)) - 1], words)


def _note_works(endpoint: Endpoint) -> None:
    """It answered, be it with a refusal of what was asked."""
    if endpoint.state != WORKING:
        endpoint.state, endpoint.since = WORKING, db_now()
    endpoint.failures, endpoint.pauses = 0, 0
    endpoint.failing_since = endpoint.rests_until = endpoint.words = None


def is_left_alone(session: Session, shop_id: int, name: str) -> bool:
    """True while it does not work: then what fails says nothing about the single effect."""
    endpoint = session.get(Endpoint, (shop_id, name), populate_existing=True)
    return endpoint is not None and endpoint.state != WORKING


def end_probe(session: Session, effect_id: int) -> None:
    """An effect was claimed as a probe and called nobody: let another one come at once."""
    effect = session.get_one(Effect, effect_id)
    mine = (Endpoint.shop_id == effect.shop_id, Endpoint.name == effect.endpoint, Endpoint.state != WORKING)
    session.execute(update(Endpoint).where(*mine).values(rests_until=db_now()))


def wake_endpoints(session: Session, shop_id: int) -> None:
    """The settings or a credential changed: whatever was left alone is asked again, at once."""
    mine = (Endpoint.shop_id == shop_id, Endpoint.state != WORKING)
    session.execute(update(Endpoint).where(*mine).values(rests_until=db_now(), pauses=0))
