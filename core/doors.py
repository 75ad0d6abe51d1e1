"""What every door of the bridges does with a call: admit its caller, take its body, record it (law 1).

A door answers in its web framework's words; here is what does not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from sqlalchemy.orm import Session

from core.db import only_shop
from core.errors import BadInput, UnsupportedMedia
from core.flows.audit import audit
from core.flows.credentials import Caller, Headers, verify_credential
from core.front import refuse_if_left
from core.models import Shop
from core.relay.inbox import NORMAL, record_event
from core.runtime import Runtime

WRONG_CALLER = "authUsername or authPassword is wrong or missing"


class Call(Protocol):
    """A request, as Flask has it."""

    @property
    def headers(self) -> Headers:
        """By name, ignoring case."""

    @property
    def remote_addr(self) -> str | None:
        """Where it came from."""

    @property
    def mimetype(self) -> str:
        """Lower case, without parameters."""

    def get_data(self, cache: bool = True) -> bytes:
        """The whole body."""


def admit(runtime: Runtime, session: Session, systems: Sequence[str], call: Call) -> Shop:
    """The shop whose bridge credential the caller showed. Raises Unauthorized, or TooManyRequests in a flood."""
    caller = Caller.read(call.headers, call.remote_addr)
    shop = verify_credential(session, systems, caller)
    if shop is None:
        raise runtime.failures.refuse(caller.address, caller.username, WRONG_CALLER)
    return shop


def take_json(call: Call) -> bytes:
    """The raw body of a call that says it is JSON. Raises BadInput, UnsupportedMedia."""
    body = call.get_data(cache=False)
    if not body.strip():
        raise BadInput(["body: empty"])
    if call.mimetype not in ("application/json", "text/json") and not call.mimetype.endswith("+json"):
        raise UnsupportedMedia("send Content-Type: application/json")
    return body


@dataclass(frozen=True)
class Act:
    """What a caller asks us to do, for the audit log: under which user name, what, to what."""

    username: str
    action: str
    about: str


def record(
    runtime: Runtime,
    shop_id: int,
    source: str,
    topic: str,
    body: bytes,
    priority: int = NORMAL,
    act: Act | None = None,
    *,
    newest_counts: bool = False,
) -> str:
    """Store a call and ring. Returns the delivery id we gave it. `act`: it asks for a change and is no mere news.

    `newest_counts`: of two that differ, the one stored later is true. Such a call is stored while its caller waits for
    the answer, or not at all (ADR 18); raises Transient then.

    Neither Increff nor a partner names its deliveries: repeats are found by comparing with the return's latest state.
    """
    delivery_id = uuid4().hex
    with only_shop(shop_id), runtime.database.write("record") as session:
        record_event(
            session,
            runtime.keyring,
            shop_id=shop_id,
            source=source,
            topic=topic,
            delivery_id=delivery_id,
            body=body,
            priority=priority,
        )
        if act is not None:
            audit(session, shop_id, act.username, act.action, act.about, delivery=delivery_id)
        if newest_counts:
            session.flush()  # which may have waited for others
            refuse_if_left()
    runtime.bell.ring_soon()  # the caller waits for its answer, and Redis may hang
    return delivery_id
