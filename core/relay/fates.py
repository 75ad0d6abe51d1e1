"""What an attempt's outcome means for its effect: it ends, rests for a while, or waits for a person (DESIGN §9)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from core.db import db_now, read_clock
from core.domain.effects import EffectKind
from core.errors import AccessRefused, Ambiguous, Fault, NeedsSettings, Permanent, Throttled, Undone
from core.models import Effect
from core.registry import Waiting
from core.relay.backoff import SETTINGS_SECONDS, THROTTLE_SECONDS, add_jitter, next_wait
from core.relay.endpoints import is_left_alone
from core.relay.outbox import kind_of
from core.runtime import Runtime

SEND, LOOK = "send", "look"


def settle_seconds(runtime: Runtime, kind: EffectKind) -> float:
    """How long an unclear outcome rests: after it, what was sent has arrived or never will."""
    return runtime.config.cancel_settle_seconds if kind.slow_settle else runtime.config.settle_seconds


def end_effect(effect: Effect, state: str, reason: str | None) -> None:
    """No more attempts, unless a person retries a parked one; then the frozen request is still there."""
    effect.state, effect.reason, effect.lease_until = state, reason, None
    if state != "parked":
        effect.ended_at, effect.request = db_now(), None


def rest_until(effect: Effect, due_at: Any, reason: str | None) -> None:
    """Due again at a time of the database's clock, and why not before."""
    effect.state, effect.due_at, effect.reason, effect.lease_until = "pending", due_at, reason, None


def keep_waiting(effect: Effect, result: Waiting) -> None:
    """The far side is at it: what was sent is looked at again, with what it told us to look for."""
    effect.progress = {**effect.progress, **result.progress, "waiting": True}
    effect.unclear_since = None
    rest_until(effect, db_now(result.seconds), result.excerpt or "the other system is still at it")


def send_again(effect: Effect) -> None:
    """A look proved the effect absent: send once more; a kind that must not be repeated gets one such second chance."""
    if effect.progress.get("withdrawn"):
        end_effect(effect, "superseded", f"a look showed that it was not done; {effect.progress['withdrawn']}")
        return
    if not kind_of(effect).repeatable and effect.progress.get("resent"):
        end_effect(
            effect, "parked", "it was sent twice and is still not there: check the other system, then retry or drop"
        )
        return
    effect.progress = {"resent": True}
    _begin_anew(effect)
    rest_until(effect, db_now(), "a look showed that it was not done: it is sent again")


def _begin_anew(effect: Effect) -> None:
    """What was sent did certainly nothing: what is sent next is rendered from the newest state."""
    effect.unclear_since, effect.started, effect.request = None, False, None


def write_failure(runtime: Runtime, session: Session, effect: Effect, error: Fault, act: str) -> None:
    """An attempt failed: try again by the error's fate and the kind's schedule, or park with its words."""
    if isinstance(error, Ambiguous) and act == SEND:
        effect.unclear_since = read_clock(session)
    if isinstance(error, Undone):
        effect.progress = {key: value for key, value in effect.progress.items() if key == "withdrawn"}
        _begin_anew(effect)
    # a definite refusal did nothing: as long as no send is in doubt, a newer decision may still replace this one
    effect.started = effect.started and (effect.unclear_since is not None or bool(effect.progress.get("waiting")))
    if not effect.started and effect.progress.get("withdrawn"):  # nobody need look at what is no longer wanted
        end_effect(effect, "superseded", f"it was not done ({error}); {effect.progress['withdrawn']}")
        return
    if effect.progress.get("withdrawn") and not kind_of(effect).looks:  # nobody is asked: it ends once it has settled
        rest_until(effect, db_now(), str(error))
        return
    if isinstance(error, Permanent):
        end_effect(effect, "parked", str(error))
        return
    if not effect.started:
        effect.request = None  # it did certainly nothing: what is sent next is rendered from the newest state
    left_alone = is_left_alone(session, effect.shop_id, effect.endpoint)  # then it is not this effect's failure
    counts = not isinstance(error, Throttled | NeedsSettings) and not left_alone
    effect.attempts += 1 if counts else 0
    wait = _choose_wait(runtime, effect, error, 1 if left_alone else effect.attempts)
    if wait is None:
        end_effect(effect, "parked", f"given up after {effect.attempts} attempts: {error}")
    else:
        rest_until(effect, db_now(wait), str(error))


def _choose_wait(runtime: Runtime, effect: Effect, error: Fault, attempts: int) -> float | None:
    kind = kind_of(effect)
    if isinstance(error, AccessRefused | NeedsSettings):
        return SETTINGS_SECONDS
    if isinstance(error, Throttled):
        return add_jitter(error.retry_after or THROTTLE_SECONDS)
    wait = next_wait(kind.schedule, attempts)
    if wait is None:
        return None
    settles = isinstance(error, Ambiguous) and not kind.keyed
    return max(wait, settle_seconds(runtime, kind) if settles else 0, getattr(error, "retry_after", None) or 0)
