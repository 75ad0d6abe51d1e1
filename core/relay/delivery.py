"""Carrying one claimed effect out, and deciding what its outcome means (DESIGN §9)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Update, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.db import db_now, keep_to_shop, lock_row, only_shop, read_clock
from core.errors import Ambiguous, Fault, Throttled, Transient
from core.http import speak_until
from core.logs import log_incident
from core.models import Attempt, Effect, Shop
from core.registry import Absent, Done, Job, NotNeeded, Waiting
from core.relay.backoff import next_wait
from core.relay.claiming import claim_effects
from core.relay.endpoints import Errand, end_probe, on_errand
from core.relay.fates import LOOK, SEND, end_effect, keep_waiting, rest_until, send_again, settle_seconds, write_failure
from core.relay.inbox import LEASE_SECONDS, Claim, LeaseLost
from core.relay.outbox import is_still_wanted, kind_of, open_request, seal_request
from core.runtime import Runtime
from core.statements import prepared, scalars

SEND_SHARE = 0.4  # of the lease: past it a send may not start, for it might not end before another worker looks

logger = logging.getLogger(__name__)
Result = Done | Waiting | Absent | Fault


@dataclass(frozen=True)
class Prepared:
    """What one attempt will do."""

    job: Job
    act: str
    request: Any
    attempt_id: int
    errand: Errand


def claim_due(
    runtime: Runtime, limit: int, most_doubtful: int | None = None, *, recover: bool = True, patient: bool = False
) -> list[Claim]:
    """Lease due effects as `claim_effects` does, in a transaction of their own."""
    if limit <= 0:
        return []
    with runtime.database.write("claim") as session:
        return claim_effects(session, limit, most_doubtful, recover=recover, patient=patient)


def deliver_one(runtime: Runtime, claim: Claim, claimed_at: float) -> None:
    """One attempt at one effect, start to end. A lost lease ends it in silence: another worker has the effect."""
    try:
        if monotonic() - claimed_at > LEASE_SECONDS * SEND_SHARE:
            _give_back(runtime, claim)
            return
        attempt = _prepare(runtime, claim)
        if attempt is not None:
            with only_shop(attempt.job.shop_id):
                _carry_out(runtime, claim, attempt, claimed_at)
    except LeaseLost:
        logger.warning("effect %s: the lease ran out; another worker has it", claim.id)
    except SQLAlchemyError:
        raise  # the database is away: the lease runs out, and the effect is looked at again
    except Exception as error:  # noqa: BLE001 - a fault of ours in one effect must not stop the others
        incident = log_incident(logger, f"effect {claim.id}")
        _blame_ourselves(runtime, claim, f"fault of ours, incident {incident} ({type(error).__name__})")


def _carry_out(runtime: Runtime, claim: Claim, attempt: Prepared, claimed_at: float) -> None:
    began = monotonic()
    if began - claimed_at > LEASE_SECONDS * SEND_SHARE:
        result: Result = Throttled("the worker was too slow to start", retry_after=1)
    else:
        with speak_until(claimed_at + LEASE_SECONDS):
            result = _act(runtime, attempt)
    _conclude(runtime, claim, attempt, result, monotonic() - began)


def _give_back(runtime: Runtime, claim: Claim) -> None:
    """Too much of the lease is gone to begin: nothing was begun."""
    with runtime.database.write() as session:
        rest_until(_load(session, claim), db_now(), None)


def _blame_ourselves(runtime: Runtime, claim: Claim, words: str) -> None:
    """Count the failure. If a send had begun, its outcome is unknown to us, whatever the far side did."""
    with runtime.database.write("blame") as session:
        effect = _load(session, claim)
        begun = scalars(session, _select_begun(effect.id)).all()
        attempt = begun[-1] if begun else None
        if attempt is not None:
            attempt.result, attempt.excerpt = "ambiguous", words
        sent = attempt is not None and attempt.act == SEND
        error, act = (Ambiguous(words), SEND) if sent else (Transient(words), LOOK)
        write_failure(runtime, session, effect, error, act)


def _prepare(runtime: Runtime, claim: Claim) -> Prepared | None:
    """Choose the act, render the request and write that the attempt begins. None when there is nothing to do now."""
    with runtime.database.write("prepare") as session:
        attempt = _prepare_in(runtime, session, claim)
        if attempt is None and claim.probe:
            end_probe(session, claim.id)
        return attempt


def _prepare_in(runtime: Runtime, session: Session, claim: Claim) -> Prepared | None:
    if not is_still_wanted(session, runtime.registry.rethinkers, claim):
        return None
    effect = _load(session, claim)
    keep_to_shop(session, effect.shop_id)
    _note_interruption(session, effect)
    act = None if _must_rest(runtime, session, effect) else _choose_act(effect)
    if act is None:
        return None
    request = _try_to_render(runtime, session, effect)
    return None if request is None else _begin(runtime, session, effect, act, request, probe=claim.probe)


def _try_to_render(runtime: Runtime, session: Session, effect: Effect) -> Any:
    """What to send; None when nothing is to be sent now."""
    try:
        request = _render(runtime, session, effect)
    except Fault as error:
        write_failure(runtime, session, effect, error, act=LOOK)  # nothing was sent
        return None
    if isinstance(request, NotNeeded):
        end_effect(effect, "superseded", request.reason)
        return None
    return request


def _load(session: Session, claim: Claim) -> Effect:
    effect = scalars(session, _select_claimed(claim.id, claim.fence)).first()
    if effect is None:
        raise LeaseLost
    return effect


@prepared
def _select_claimed(effect_id: int, fence: int) -> Select[Effect]:
    mine = (Effect.id == effect_id, Effect.fence == fence, Effect.state == "sending")
    return select(Effect).where(*mine).with_for_update()


def _note_interruption(session: Session, effect: Effect) -> None:
    """A send that began and never ended: nobody knows whether it was done, nor when, for whoever began it may have been
    suspended, with all its clocks. It settles from now on."""
    for attempt in scalars(session, _select_begun(effect.id)):
        attempt.result = "interrupted"
        effect.attempts += 1
        if attempt.act == SEND:
            effect.unclear_since = read_clock(session)


@prepared
def _select_begun(effect_id: int) -> Select[Attempt]:
    """Attempts without an end, the oldest first."""
    return select(Attempt).where(Attempt.effect_id == effect_id, Attempt.result.is_(None)).order_by(Attempt.id)


def _choose_act(effect: Effect) -> str | None:
    kind = kind_of(effect)
    unclear = effect.unclear_since is not None
    if unclear and not kind.looks and effect.progress.get("withdrawn"):
        end_effect(effect, "superseded", f"it may have been done; {effect.progress['withdrawn']}")
        return None
    if next_wait(kind.schedule, effect.attempts) is None:
        end_effect(effect, "parked", f"given up after {effect.attempts} attempts, the last of them interrupted")
        return None
    if effect.progress.get("waiting") or (unclear and kind.looks):
        return LOOK
    if not unclear:
        return SEND
    if kind.repeatable:
        return SEND
    end_effect(
        effect, "parked", "it may have been done, and the other system cannot be asked: check there, then retry or drop"
    )
    return None


def _must_rest(runtime: Runtime, session: Session, effect: Effect) -> bool:
    """True while what was sent may still be on its way: a look would not tell the truth, and what a newer decision says
    would be overtaken by it. Puts the effect off until then, and its lane waits with it."""
    if effect.unclear_since is None or kind_of(effect).keyed:
        return False
    rested_at = effect.unclear_since + timedelta(seconds=settle_seconds(runtime, kind_of(effect)))
    if read_clock(session) >= rested_at:
        return False
    rest_until(effect, rested_at, "its outcome is unclear: what was sent may still be on its way")
    return True


def _render(runtime: Runtime, session: Session, effect: Effect) -> Any:
    if effect.request is not None:
        return open_request(runtime.keyring, effect)
    return runtime.registry.deliverers[effect.kind].render(session, _make_job(effect))


def _make_job(effect: Effect) -> Job:
    return Job(
        effect.id, effect.shop_id, effect.kind, effect.about, effect.key,
        dict(effect.wanted), dict(effect.params), dict(effect.progress), effect.attempts,
    )  # fmt: skip


def _begin(runtime: Runtime, session: Session, effect: Effect, act: str, request: Any, *, probe: bool) -> Prepared:
    if act == SEND:
        effect.started = True
        effect.request = effect.request or seal_request(runtime.keyring, effect, request)
    attempt = Attempt(effect_id=effect.id, act=act, fence=effect.fence, began_at=db_now())
    session.add(attempt)
    session.flush()
    errand = Errand(effect.shop_id, effect.endpoint, effect.priority, probe)
    return Prepared(_make_job(effect), act, request, attempt.id, errand)


def _act(runtime: Runtime, attempt: Prepared) -> Result:
    deliverer = runtime.registry.deliverers[attempt.job.kind]
    try:
        speak = deliverer.send if attempt.act == SEND else deliverer.look
        with on_errand(attempt.errand):
            return speak(attempt.job, attempt.request)
    except Fault as error:
        return error
    except Exception as error:  # noqa: BLE001 - a fault of ours in mid-send: what the far side did is unknown
        incident = log_incident(logger, f"effect {attempt.job.id} {attempt.job.kind}")
        return Ambiguous(f"fault of ours, incident {incident} ({type(error).__name__})")


def _conclude(runtime: Runtime, claim: Claim, attempt: Prepared, result: Result, seconds: float) -> None:
    with runtime.database.write("conclude") as session:
        lock_row(session, Shop.id, attempt.job.shop_id)
        effect = _load(session, claim)
        _end_attempt(session, attempt, result, seconds)
        if isinstance(result, Done):
            end_effect(effect, "done", None)
            runtime.registry.deliverers[effect.kind].settle(session, attempt.job, attempt.request, result.facts)
        elif isinstance(result, Waiting):
            keep_waiting(effect, result)
        elif isinstance(result, Absent):
            send_again(effect)
        else:
            write_failure(runtime, session, effect, result, attempt.act)
    logger.info("effect %s %s: %s %s", claim.id, attempt.job.kind, attempt.act, type(result).__name__.lower())


def _end_attempt(session: Session, attempt: Prepared, result: Result, seconds: float) -> None:
    excerpt = str(result) if isinstance(result, Fault) else getattr(result, "excerpt", "")
    name, milliseconds = type(result).__name__.lower(), round(seconds * 1000)
    session.execute(*_update_attempt(attempt.attempt_id, name, milliseconds, excerpt[:1000]))


@prepared
def _update_attempt(attempt_id: int, result: str, milliseconds: int, excerpt: str) -> Update:
    ended = {"result": result, "milliseconds": milliseconds, "excerpt": excerpt}
    return update(Attempt).where(Attempt.id == attempt_id).values(ended)
