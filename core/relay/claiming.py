"""Claiming what is due in the outbox: fair between shops and their far sides, and cheap however much waits.

The far sides that have something due take turns, those with the least under way first, and each has at most a few
effects under way, however many workers there are: what waits for one never stands in the way of another. Those that do
not answer at once share some of a caller's hands. One that rests is passed over without a look at what waits for it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, literal_column, or_, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from core.db import db_now
from core.domain.effects import KINDS
from core.models import Effect, Endpoint, Shop
from core.relay.budget import count_free
from core.relay.endpoints import PROBE_SECONDS, ensure_endpoint, name_endpoint
from core.relay.inbox import LEASE_SECONDS, Claim
from core.statements import execute, prepared, scalars

IN_FLIGHT = 4  # effects under way at one far side of one shop, over all workers
PRIORITIES = sorted({kind.priority for kind in KINDS.values()})
_MANY = 500
# written into the statement: a bound parameter would keep both stores from using an index of only some rows
_PENDING: Any = literal_column("'pending'")
_SENDING: Any = literal_column("'sending'")
_PARKED: Any = literal_column("'parked'")


def _now() -> Any:
    """The database's clock, read once for a statement: as a plain function it would be no bound for an index."""
    return select(db_now()).scalar_subquery()


def _goes_before(earlier: Any, effect: Any) -> Any:
    """What comes before an effect in its lane, and has not ended."""
    in_lane = (earlier.shop_id == effect.shop_id) & (earlier.lane == effect.lane) & (earlier.id < effect.id)
    return in_lane & earlier.state.in_([_PENDING, _SENDING, _PARKED])


def _is_blocked() -> Any:
    """An effect goes out when all before it in its lane have ended.

    One that may pass what is parked does not wait for what is parked, nor for what waits behind that.
    """
    earlier, parked = aliased(Effect), aliased(Effect)
    behind_parked = select(parked.id).where(_goes_before(parked, earlier), parked.state == _PARKED).exists()
    may_pass = Effect.passes_parked & or_(earlier.state == _PARKED, and_(~earlier.passes_parked, behind_parked))
    # no EXISTS: PostgreSQL makes a join of one, and of the joins the slowest while it has no statistics of a backlog
    first = select(earlier.id).where(_goes_before(earlier, Effect), ~may_pass).limit(1)
    return first.scalar_subquery().isnot(None)


def _is_due() -> Any:
    return (Effect.state == _PENDING) & (Effect.due_at <= _now()) & ~_is_blocked()


def _is_live(shop_id: Any) -> Any:
    return shop_id.in_(select(Shop.id).where(Shop.mode == "live", Shop.removed_at.is_(None)))


def _is_awake() -> Any:
    return or_(Endpoint.rests_until.is_(None), Endpoint.rests_until <= _now())


@dataclass(frozen=True)
class _Turn:
    """A far side that has something due."""

    shop_id: int
    name: str
    most_urgent: int  # priority of what is due
    under_way: int
    failed: bool  # its last call did
    quick: bool  # its last call was answered at once

    @property
    def doubtful(self) -> bool:
        """True when it may keep whoever calls it waiting."""
        return self.failed or not self.quick


def claim_effects(
    session: Session, limit: int, most_doubtful: int | None = None, *, recover: bool = True, patient: bool = False
) -> list[Claim]:
    """Lease up to `limit` due effects, of each far side the most urgent first.

    At most `most_doubtful` of them go to far sides whose last call failed or took its time, or that were never called,
    so that a caller with few hands does not spend all of them on waiting for answers that come late or never.
    `patient`: those come only when the others have nothing due; otherwise they come first, so that they do come.
    `recover`: what a dead worker had, and the previous release's, is claimed too; a look for it is two
    statements more, and need not be made by everybody all the time.
    """
    if recover:
        _take_back_expired(session)
        _adopt_strays(session)
    turns = _find_turns(session)
    quick = [turn for turn in turns if not turn.doubtful]
    doubtful = [turn for turn in turns if turn.doubtful]
    most = limit if most_doubtful is None else min(limit, most_doubtful)
    if patient:
        return _claim_among(session, quick, limit) or _claim_among(session, doubtful, most)
    claims = _claim_among(session, doubtful, most)
    return claims + _claim_among(session, quick, limit - len(claims))


def _claim_among(session: Session, turns: list[_Turn], limit: int) -> list[Claim]:
    """Up to `limit` in equal shares; what some leave of theirs is shared again among those that took all of theirs."""
    claims: list[Claim] = []
    while turns and len(claims) < limit:
        more: list[_Turn] = []
        for place, turn in enumerate(turns):
            share = _divide(limit - len(claims), len(turns) - place)
            taken = _claim_at(session, turn, share) if share > 0 else []
            claims += taken
            more += [turn] if taken and len(taken) == share and not turn.failed else []
        turns = more
    return claims


def _divide(left: int, among: int) -> int:
    """What one may have of what is left, rounded up."""
    return -(-left // among)


def find_due(session: Session) -> bool:
    """True when an effect could be claimed now, one whose lease ran out included."""
    late = scalars(session, _select_expired()).first() or scalars(session, _select_strays()).first()
    return late is not None or bool(_find_turns(session))


def _take_back_expired(session: Session) -> None:
    """What a dead or frozen worker had is due again; its fence moves on with the next claim."""
    ids = list(scalars(session, _select_expired()))
    if ids:
        session.execute(update(Effect).where(Effect.id.in_(ids)).values(state="pending", lease_until=None))


def _is_stray() -> Any:
    return (Effect.endpoint == literal_column("''")) & Effect.state.in_([_PENDING, _SENDING])


@prepared
def _select_expired() -> Select[int]:
    expired = select(Effect.id).where(Effect.state == _SENDING, Effect.lease_until < _now())
    return expired.limit(_MANY).with_for_update(skip_locked=True)


@prepared
def _select_strays() -> Select[Effect]:
    return select(Effect).where(_is_stray()).limit(_MANY).with_for_update(skip_locked=True)


def _adopt_strays(session: Session) -> None:
    """The previous release, which may still run beside this one, wants effects without naming their endpoint."""
    for effect in scalars(session, _select_strays()):
        effect.endpoint = name_endpoint(KINDS[effect.kind], effect.params)
        ensure_endpoint(session, effect.shop_id, effect.endpoint)
    session.flush()


def _find_turns(session: Session) -> list[_Turn]:
    """Far sides that may take something now, in the order of their turns; equals in any order."""
    turns = [_Turn(*row) for row in execute(session, _select_turns())]
    free = [one for one in turns if one.most_urgent is not None and one.under_way < _room(failed=one.failed)]
    return sorted(free, key=lambda turn: (turn.under_way, random.random()))  # noqa: S311 - a lot, no secret


@prepared
def _select_turns() -> Select[int, str, Any, int, bool, bool]:
    theirs = (Effect.shop_id == Endpoint.shop_id) & (Effect.endpoint == Endpoint.name)
    due = select(Effect.priority).where(theirs, _is_due()).order_by(Effect.due_at, Effect.id).limit(1)
    # one look for each priority: sought together, they are all read and sorted by PostgreSQL up to 16
    looks = [due.where(Effect.priority == one).correlate(Endpoint).scalar_subquery() for one in PRIORITIES]
    first = func.coalesce(*looks)
    counted = select(func.count()).select_from(Effect).where(theirs, Effect.state == _SENDING)
    failed = or_(Endpoint.failures > 0, Endpoint.state != "working")
    under_way = counted.correlate(Endpoint).scalar_subquery()
    query = select(Endpoint.shop_id, Endpoint.name, first, under_way, failed, Endpoint.quick)
    return query.where(_is_live(Endpoint.shop_id), _is_awake())


def _room(*, failed: bool) -> int:
    return 1 if failed else IN_FLIGHT


def _claim_at(session: Session, turn: _Turn, share: int) -> list[Claim]:
    """Claim at one far side, whose row is locked so that no two claims count what is under way at the same time."""
    endpoint = scalars(session, _select_endpoint(turn.shop_id, turn.name)).first()
    if endpoint is None:  # another worker is claiming there, or it has just been left alone
        return []
    under_way = scalars(session, _count_under_way(turn.shop_id, turn.name)).one()
    probe = endpoint.state != "working"
    failed = probe or endpoint.failures > 0
    ids = _choose(session, endpoint, turn.most_urgent, min(share, _room(failed=failed) - under_way), under_way)
    if probe and ids:
        endpoint.rests_until = db_now(PROBE_SECONDS)
    return _lease(session, ids, doubtful=failed or not endpoint.quick, probe=probe)


@prepared
def _select_endpoint(shop_id: int, name: str) -> Select[Endpoint]:
    mine = (Endpoint.shop_id == shop_id, Endpoint.name == name)
    return select(Endpoint).where(*mine, _is_awake()).with_for_update(skip_locked=True)


@prepared
def _count_under_way(shop_id: int, name: str) -> Select[int]:
    theirs = (Effect.shop_id == shop_id, Effect.endpoint == name)
    return select(func.count()).select_from(Effect).where(*theirs, Effect.state == _SENDING)


@prepared
def _select_due(shop_id: int, name: str, priority: int, most: int) -> Select[int]:
    theirs = (Effect.shop_id == shop_id, Effect.endpoint == name, Effect.priority == priority)
    due = select(Effect.id).where(*theirs, _is_due()).order_by(Effect.due_at, Effect.id)
    return due.limit(most).with_for_update(skip_locked=True, of=Effect)


def _choose(session: Session, endpoint: Endpoint, most_urgent: int, room: int, under_way: int) -> list[int]:
    """The most urgent first, and no more than the far side's budget lets go out now."""
    ids: list[int] = []
    for priority in PRIORITIES[PRIORITIES.index(most_urgent) :]:
        left = room - len(ids)
        if left > 0 and (calls := count_free(session, endpoint, priority)) is not None:
            left = min(left, calls - under_way - len(ids))  # what is under way may not hold its slot yet
        if left > 0:
            ids += scalars(session, _select_due(endpoint.shop_id, endpoint.name, priority, left))
    return ids


def _lease(session: Session, ids: list[int], *, doubtful: bool, probe: bool) -> list[Claim]:
    if not ids:
        return []
    fences = {row.id: row.fence for row in execute(session, _update_leased(ids))}
    return [Claim(one, fences[one], doubtful, probe) for one in ids]


@prepared
def _update_leased(ids: list[int]) -> ReturningUpdate[int, int]:
    leased = {"state": "sending", "lease_until": db_now(LEASE_SECONDS), "fence": Effect.fence + 1}
    return update(Effect).where(Effect.id.in_(ids)).values(leased).returning(Effect.id, Effect.fence)
