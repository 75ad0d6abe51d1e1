"""The outbox: what is wanted in other systems, each with its identity.

A claim's life: lease it (one transaction), prepare what to send and write that the attempt begins (a second), speak to
the far side (no transaction), conclude (a third, fenced). An attempt that began and has no end was interrupted: its
outcome is unclear, and unclear effects are looked at before they are sent again (law 4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.crypto import Keyring
from core.db import db_now, lock_row
from core.domain.effects import KINDS, EffectKind
from core.failpoints import hit
from core.models import Effect, Shop
from core.relay.endpoints import ensure_endpoint, name_endpoint
from core.relay.inbox import Claim
from core.statements import execute, prepared, scalars

Rethink = Callable[[Session, int, str], None]
SENDABLE = ("pending", "sending")


@dataclass(frozen=True)
class Wanted:
    """A wanted end. `aspect` is what is decided about, `end` what is decided; equal ends are one decision.

    `params` are facts a deliverer needs and may not read later; no personal data. `once` says that this aspect is
    decided at most once for ever (a report of one event), rather than whenever the state calls for it again. The aspect
    becomes part of the key that the far side sees, so nothing in it may be a row's number: after a backup was restored
    those are given out anew, to other rows.
    """

    kind: EffectKind
    aspect: str
    about: str
    lane: str
    end: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)
    delay_seconds: float = 0
    once: bool = False


def want(session: Session, shop_id: int, wanted: Wanted, event_id: int | None = None) -> int | None:
    """Write down an effect, unless its aspect already stands so. Returns the new effect's id, or None.

    An earlier decision of the aspect that was never sent is superseded. The caller holds the shop's lock.
    """
    last = scalars(session, _select_last_locked(shop_id, wanted.aspect)).first()  # who ends it now has not ended it yet
    mode = scalars(session, _select_mode(shop_id)).one()
    if last is not None and _stands(last, wanted, mode):
        last.progress = {key: value for key, value in last.progress.items() if key != "withdrawn"}
        return None
    if last is not None:
        withdraw(session, shop_id, wanted.aspect, "a newer decision replaced it")
    number = last.number + 1 if last is not None else 1
    effect = Effect(
        shop_id=shop_id,
        kind=wanted.kind.name,
        aspect=wanted.aspect,
        number=number,
        about=wanted.about,
        lane=wanted.lane,
        endpoint=name_endpoint(wanted.kind, wanted.params),
        key=make_key(shop_id, wanted.aspect, number),
        priority=wanted.kind.priority,
        passes_parked=wanted.kind.passes_parked,
        wanted=wanted.end,
        params=wanted.params,
        progress={},
        state="would_have" if mode == "observe" else "pending",
        reason="observe mode: decided, not sent" if mode == "observe" else None,
        event_id=event_id,
        created_at=db_now(),
        due_at=db_now(wanted.delay_seconds),
    )
    ensure_endpoint(session, shop_id, effect.endpoint)
    hit("want.before_insert")
    session.add(effect)
    session.flush()
    hit("want.after_insert")
    return effect.id


def find_last(session: Session, shop_id: int, aspect: str) -> Effect | None:
    """The newest decision about an aspect, or None."""
    return scalars(session, _select_last(shop_id, aspect)).first()


def is_in_doubt(session: Session, shop_id: int, aspect: str) -> bool:
    """True when the far side was asked about an aspect without an answer, and has answered nothing newer since.

    So it is while a send is under way, whose end may never be heard. A person who drops an effect has looked there:
    their word counts as an answer.
    """
    return scalars(session, _select_unanswered(shop_id, aspect)).first() is not None


@prepared
def _select_unanswered(shop_id: int, aspect: str) -> Select[int]:
    mine = (Effect.shop_id == shop_id, Effect.aspect == aspect)
    answered = select(func.coalesce(func.max(Effect.number), 0)).where(*mine, Effect.state.in_(("done", "dropped")))
    newer = Effect.number > answered.scalar_subquery()
    under_way = (Effect.state == "sending") & Effect.started
    return select(Effect.id).where(*mine, newer, Effect.unclear_since.isnot(None) | under_way).limit(1)


@prepared
def _select_last(shop_id: int, aspect: str) -> Select[Effect]:
    return _find_newest(shop_id, aspect)


def _find_newest(shop_id: int, aspect: str) -> Select[Effect]:
    query = select(Effect).where(Effect.shop_id == shop_id, Effect.aspect == aspect)
    return query.order_by(Effect.number.desc()).limit(1)


@prepared
def _select_last_locked(shop_id: int, aspect: str) -> Select[Effect]:
    return _find_newest(shop_id, aspect).with_for_update().execution_options(populate_existing=True)


@prepared
def _select_mode(shop_id: int) -> Select[str]:
    return select(Shop.mode).where(Shop.id == shop_id)


def _stands(last: Effect, wanted: Wanted, mode: str) -> bool:
    """True when the aspect's newest effect already says this and has not come to nothing.

    What was only observed stands while the shop observes; once it is live, it is still to be done.
    """
    if last.kind != wanted.kind.name or last.wanted != wanted.end:
        return False
    if last.state == "done":
        return wanted.once
    return last.state in ("pending", "sending", "parked") or (last.state == "would_have" and mode == "observe")


def name_message(session: Session, shop_id: int, lane: str, said: bytes, event_id: int) -> str:
    """The aspect of a message that is sent for one event: its lane, what it says, and how often that was said before.

    Two events that say the same have two aspects, and an event that is thought about again has its own again. A partner
    that has seen a key takes what comes under it for known, so after a restore the same words must have the same key,
    and other words another.
    """
    words = f"{lane}:{hashlib.sha256(said).hexdigest()[:20]}"
    rows = execute(session, _select_messages(shop_id, lane)).all()
    mine = {row.aspect for row in rows if row.event_id == event_id}
    same = {row.aspect for row in rows if row.aspect.startswith(f"{words}#")}
    return mine.pop() if mine else f"{words}#{len(same) + 1}"


@prepared
def _select_messages(shop_id: int, lane: str) -> Select[str, int | None]:
    return select(Effect.aspect, Effect.event_id).where(Effect.shop_id == shop_id, Effect.lane == lane)


def make_key(shop_id: int, aspect: str, number: int) -> str:
    """The effect's identity as an idempotency key: the same on every repeat, in every process, after any restore."""
    return hashlib.sha256(f"{shop_id}|{aspect}|{number}".encode()).hexdigest()[:40]


def withdraw(session: Session, shop_id: int, aspect: str, reason: str) -> bool:
    """Supersede an aspect's effects that were never sent. What may have been done is looked at, and not done again.

    Their rows are locked before they are judged: not every kind is prepared under the shop's lock, and one that is
    begun at this moment would else be taken neither for sent nor for unsent. True when one may have been done.
    """
    effects = scalars(session, _select_open(shop_id, aspect)).all()
    for effect in effects:
        if effect.started:
            _hurry(effect)
            effect.progress = {**effect.progress, "withdrawn": reason}
        else:
            effect.state, effect.reason, effect.ended_at = "superseded", reason, db_now()
            effect.fence += 1
    session.flush()
    return any(effect.started for effect in effects)


def _hurry(effect: Effect) -> None:
    """What replaces it waits behind it: it is looked at as soon as it has settled, by a schedule begun anew, whatever
    its own failures would have had it wait for. So is one in doubt that waits for a person, who need not decide it."""
    waits = effect.state == "pending" or (effect.state == "parked" and effect.unclear_since is not None)
    if waits and not {"withdrawn", "waiting"} & effect.progress.keys():
        effect.state, effect.attempts, effect.due_at = "pending", 0, db_now()


@prepared
def _select_open(shop_id: int, aspect: str) -> Select[Effect]:
    open_ones = (Effect.shop_id == shop_id, Effect.aspect == aspect, Effect.state.in_((*SENDABLE, "parked")))
    return select(Effect).where(*open_ones).with_for_update().execution_options(populate_existing=True)


def is_still_wanted(session: Session, rethinkers: Mapping[str, Rethink], claim: Claim) -> bool:
    """Have a claimed effect that was never begun thought about once more; False when it was taken back."""
    found = execute(session, _select_unbegun(claim.id, claim.fence)).first()
    rethink = rethinkers.get(found.kind) if found else None
    if found is None or rethink is None:
        return True
    lock_row(session, Shop.id, found.shop_id)
    rethink(session, found.shop_id, found.about)
    session.flush()
    return execute(session, _select_unbegun(claim.id, claim.fence)).first() is not None


@prepared
def _select_unbegun(effect_id: int, fence: int) -> Select[str, int, str]:
    mine = (Effect.id == effect_id, Effect.fence == fence, Effect.state == "sending", ~Effect.started)
    return select(Effect.kind, Effect.shop_id, Effect.about).where(*mine)


def request_place(effect: Effect) -> tuple[str, ...]:
    """Where a frozen request belongs."""
    return ("effects", "request", str(effect.shop_id), effect.key)


def seal_request(keyring: Keyring, effect: Effect, request: Any) -> bytes:
    """Freeze what is sent, from the first send on."""
    return keyring.seal(json.dumps(request).encode(), *request_place(effect))


def open_request(keyring: Keyring, effect: Effect) -> Any:
    """The frozen request."""
    assert effect.request is not None
    return json.loads(keyring.open(effect.request, *request_place(effect)))


def kind_of(effect: Effect) -> EffectKind:
    """The effect's row in the table of kinds."""
    return KINDS[effect.kind]
