"""What a person does about an effect or an event that waits for one: try again, or drop. Each names who did it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import db_now, lock_row
from core.errors import Outdated, Permanent
from core.flows.audit import audit
from core.models import Effect, Event, Shop
from core.relay.outbox import kind_of
from core.relay.thinking import replay_event

RETRIABLE = ("parked", "pending")


def retry_effect(session: Session, shop_id: int, effect_id: int, actor: str) -> Effect:
    """Have an effect tried again now: same row, same key. Raises Permanent."""
    effect = _load_effect(session, shop_id, effect_id)
    if effect.state not in RETRIABLE:
        raise Outdated(f"effect {effect_id} is {effect.state}: only parked or pending ones are retried")
    if effect.state == "parked":
        _note_judgement(effect)
    effect.state, effect.attempts, effect.due_at = "pending", 0, db_now()
    effect.reason = f"{actor} has it tried again"
    audit(session, shop_id, actor, "effect.retried", f"effect {effect_id}", kind=effect.kind)
    return effect


def _note_judgement(effect: Effect) -> None:
    """Whoever retries a parked effect has read why. One in doubt they have checked, and it may be sent once more; what
    certainly did nothing is rendered anew, for they have mended what it was refused for; what was looked at for long is
    looked at for as long again. A message stays as it is: what it rests on may have been purged, and under one key go
    the same words."""
    kept = {key: value for key, value in effect.progress.items() if key not in ("resent", "checked", "polls")}
    effect.progress = kept if effect.unclear_since is None else {**kept, "checked": True}
    if not effect.started and not kind_of(effect).keyed:
        effect.request = None


def drop_effect(session: Session, shop_id: int, effect_id: int, actor: str) -> Effect:
    """Give up an effect that is parked or was never begun: what waits behind it goes on. Raises Permanent."""
    effect = _load_effect(session, shop_id, effect_id)
    if effect.state != "parked" and (effect.state != "pending" or effect.started):
        begun = " and may have been begun" if effect.started else ""
        raise Outdated(f"effect {effect_id} is {effect.state}{begun}: it cannot be dropped now")
    effect.reason = f"{actor} dropped it; before that: {effect.reason or effect.state}"
    effect.state, effect.ended_at, effect.request = "dropped", db_now(), None
    audit(session, shop_id, actor, "effect.dropped", f"effect {effect_id}", kind=effect.kind)
    return effect


def _load_effect(session: Session, shop_id: int, effect_id: int) -> Effect:
    lock_row(session, Shop.id, shop_id)  # before the effect, as everybody who takes both
    query = select(Effect).where(Effect.shop_id == shop_id, Effect.id == effect_id)
    effect = session.scalars(query.with_for_update()).first()
    if effect is None:
        raise Permanent(f"no effect {effect_id}")
    return effect


def retry_event(session: Session, shop_id: int, event_id: int, actor: str) -> Event:
    """Have a parked or unknown event thought about once more. Raises Permanent."""
    query = select(Event).where(Event.shop_id == shop_id, Event.id == event_id)
    event = session.scalars(query.with_for_update()).first()
    if event is None:
        raise Permanent(f"no event {event_id}")
    if event.outcome not in ("parked", "unknown"):
        raise Outdated(f"event {event_id} is {event.outcome or 'waiting'}: only parked or unknown ones are retried")
    if event.body is None:
        raise Permanent("its message is older than RETENTION_DAYS and was purged: it cannot be read again")
    replay_event(session, event)
    audit(session, shop_id, actor, "event.replayed", f"event {event_id}", topic=event.topic)
    return event
