"""Bugs, planted one at a time into processes that a crash run launches, to see that it catches them.

They live here alone: each one changes the product in memory, at the start of a process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import replace as changed
from typing import Any

from tests.crash.compress import SLACK, replace

PLANTS: dict[str, Callable[[], None]] = {}


def plant(function: Callable[[], None]) -> Callable[[], None]:
    """Enter a bug under its function's name."""
    PLANTS[function.__name__] = function
    return function


@plant
def no_fence() -> None:
    """A worker that lost its lease writes all the same."""
    from core.models import Effect
    from core.relay import delivery

    delivery._load = lambda session, claim: session.get_one(Effect, claim.id)


@plant
def no_inbox_key() -> None:
    """Nothing tells a delivery that came before: the run drops the unique key, and what is stored looks for none."""
    from core import db
    from core.models import Event

    list_identity = db._list_identity
    db._list_identity = lambda model: ["id"] if model is Event else list_identity(model)


@plant
def answer_before_commit() -> None:
    """The webhook is answered at once and stored a little later."""
    from core.relay.gathering import Gatherer

    record = Gatherer.record

    def answer(self: Any, item: Any) -> Future[None]:
        threading.Timer(1.0, record, [self, item]).start()
        stored: Future[None] = Future()
        stored.set_result(None)
        return stored

    Gatherer.record = answer  # type: ignore[method-assign]


@plant
def no_look() -> None:
    """What is unclear is sent again without a look at the other side."""
    from core.domain.effects import KINDS

    for name, kind in list(KINDS.items()):
        KINDS[name] = changed(kind, looks=False, repeatable=True)


@plant
def no_settling() -> None:
    """What is unclear is looked at at once, while it may still be on its way."""
    from core.relay import delivery, fates

    for module in (delivery, fates):
        if hasattr(module, "settle_seconds"):
            module.settle_seconds = lambda runtime, kind: 0.0


@plant
def no_send_deadline() -> None:
    """A worker that was frozen before its send sends when it wakes, however late that is."""
    from core.relay import delivery

    @contextmanager
    def speak_until(moment: float) -> Any:
        yield

    delivery.SEND_SHARE = 1e9
    delivery.speak_until = speak_until


@plant
def blind_retry() -> None:
    """The HTTP layer repeats whatever had no good answer."""
    from core.errors import Ambiguous
    from core.http import HttpDoor

    send = HttpDoor.send

    def insist(self: Any, *given: Any, **named: Any) -> Any:
        try:
            answer = send(self, *given, **named)
        except Ambiguous:
            return send(self, *given, **named)
        return answer if answer.status < 500 else send(self, *given, **named)

    HttpDoor.send = insist  # type: ignore[method-assign]


@plant
def event_id_alone() -> None:
    """Deliveries are told apart by the event they tell of: its second topic is taken for a copy."""
    from redis import Redis

    from shopify_app import webhooks

    seen = Redis.from_url(os.environ["REDIS_URL"])
    receive = webhooks.WebhookDoor.receive

    def receive_new(self: Any, headers: Any, body: bytes) -> Future[None]:
        mark = webhooks.read_header(headers, "event-id")
        if seen.set(f"event:{mark}", 1, nx=True):
            return receive(self, headers, body)
        known: Future[None] = Future()
        known.set_result(None)
        return known

    webhooks.WebhookDoor.receive = receive_new  # type: ignore[method-assign]


@plant
def all_history() -> None:
    """A verdict that was ever heard of a unit is never news again: PASS, FAIL, PASS counts as two."""
    from sqlalchemy import select

    from core.flows import qc
    from core.flows.returns import find_return
    from core.models import VerdictRow

    record = qc.record_verdicts

    def record_new(scene: Any, report: Any, event_id: int) -> Any:
        order = find_return(scene.session, scene.shop_id, report.return_code)
        query = select(VerdictRow).where(VerdictRow.return_id == (order.id if order else 0))
        heard = {(row.item_code, row.verdict) for row in scene.session.scalars(query)}
        news = tuple(one for one in report.verdicts if (one.item_code, one.verdict) not in heard)
        return record(scene, changed(report, verdicts=news), event_id)

    replace("record_verdicts", record, record_new)


@plant
def lane_ignored() -> None:
    """Effects of one lane go out side by side."""
    from sqlalchemy import false

    from core.relay import claiming

    claiming._is_blocked = false


@plant
def own_clock() -> None:
    """Leases run by the worker's own clock, which is two hours ahead."""
    from core.db import db_now
    from core.relay import claiming, inbox

    for module in (claiming, inbox):
        lease = module.LEASE_SECONDS
        module.db_now = lambda seconds=0.0, lease=lease: db_now(seconds + (7200 if seconds == lease else 0))


@plant
def terminal_left() -> None:
    """An exchange that has come to its end moves again when a verdict changes."""
    from core.domain.exchange import SETTLED, TABLE, Signal, State
    from core.domain.plan import PlanKind
    from core.flows import exchanges

    read, decide, want = exchanges.read_signal, exchanges.decide, exchanges.want_cancel

    def read_anew(facts: Any) -> Signal:
        return Signal.TO_CANCEL if facts.plan is PlanKind.CANCEL and not facts.cancelled else read(facts)

    def decide_anew(state: State, signal: Signal) -> Any:
        over = state in SETTLED or state is State.RELEASING
        return TABLE[State.AWAITING_VERDICT][signal] if over and signal is Signal.TO_CANCEL else decide(state, signal)

    exchanges.read_signal, exchanges.decide = read_anew, decide_anew
    exchanges.want_cancel = lambda scene, order_id, delay, only_if_held: want(scene, order_id, 0, only_if_held=False)


@plant
def unclear_hold_forgotten() -> None:
    """A hold or unhold that OMS did not answer counts as not done, once nobody wants it any more."""
    from core.relay.outbox import is_in_doubt

    replace("is_in_doubt", is_in_doubt, lambda session, shop_id, aspect: False)


@plant
def hold_on_its_way_forgotten() -> None:
    """A hold or unhold that is on its way counts as never sent, until its answer is missed."""
    from sqlalchemy import select

    from core.models import Effect
    from core.relay.outbox import is_in_doubt

    def was_missed(session: Any, shop_id: int, aspect: str) -> bool:
        mine = (Effect.shop_id == shop_id, Effect.aspect == aspect)
        missed = session.scalars(select(Effect.id).where(*mine, Effect.unclear_since.isnot(None))).first()
        return missed is not None and is_in_doubt(session, shop_id, aspect)

    replace("is_in_doubt", is_in_doubt, was_missed)


@plant
def failed_read_back() -> None:
    """When a change was made and the reading that is to prove it fails, the change counts as not made."""
    from core.errors import once_changed

    replace("once_changed", once_changed, nullcontext)


@plant
def late_call_stored() -> None:
    """A web process that was frozen stores what its caller has given up and sent again."""
    from core.front import refuse_if_left

    replace("refuse_if_left", refuse_if_left, lambda: None)


@plant
def outside_transaction() -> None:
    """Effects are written down a little after the transaction that decided them."""
    from core.relay import outbox
    from core.runtime import get_current

    want = outbox.want

    def want_later(session: Any, shop_id: int, wanted: Any, event_id: int | None = None) -> int | None:
        last = outbox.find_last(session, shop_id, wanted.aspect)
        if last is not None and outbox._stands(last, wanted, "live"):
            return None
        threading.Timer(2 * SLACK, _write, [shop_id, wanted, event_id]).start()
        return 1

    def _write(*given: Any) -> None:
        with get_current().database.write() as session:
            want(session, *given)

    replace("want", want, want_later)
