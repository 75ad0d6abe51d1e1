"""Who handles which topic and who carries which effect out. Filled once by the composition root; relay reads it.

A rethinker looks at the newest state and settings right before an effect is begun, and takes back what it no longer
wants. So `core.relay` needs no bridge, and bridges stay blind to one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Delivery:
    """An inbound event as a handler sees it. `body` is the raw body, decrypted; `shop_id` is the verified shop."""

    id: int
    shop_id: int
    source: str
    topic: str
    received_at: datetime
    body: bytes
    triggered_at: datetime | None = None  # when the sender says that it happened


@dataclass(frozen=True)
class Outcome:
    """How an event ended (law 7)."""

    kind: str  # handled | ignored | unknown | parked
    reason: str


def handled(reason: str) -> Outcome:
    """Something changed because of the event."""
    return Outcome("handled", reason)


def ignored(reason: str) -> Outcome:
    """Nothing to do, and why."""
    return Outcome("ignored", reason)


def unknown(reason: str) -> Outcome:
    """Not understood; stored and counted."""
    return Outcome("unknown", reason)


def parked(reason: str) -> Outcome:
    """Waits for somebody; the reason says for what."""
    return Outcome("parked", reason)


class Handler(Protocol):
    """Thinks about one event, in two steps, so that no transaction is open across HTTP."""

    def read(self, delivery: Delivery) -> Any:
        """Parse, and ask other systems where needed. No transaction is open. Raises Fault."""

    def apply(self, session: Session, delivery: Delivery, facts: Any) -> Outcome:
        """Change state and want effects, in the one transaction that also ends the event."""


@dataclass(frozen=True)
class Job:
    """An effect as a deliverer sees it: the wanted end, facts of the decision, what earlier attempts left."""

    id: int
    shop_id: int
    kind: str
    about: str
    key: str  # the same on every repeat
    wanted: dict[str, Any]
    params: dict[str, Any]
    progress: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class Done:
    """The wanted end is reached. `facts` go to `settle`; `excerpt` into the attempt's row."""

    facts: Any = None
    excerpt: str = ""


@dataclass(frozen=True)
class Waiting:
    """Started but not finished there (an asynchronous job): look again in `seconds`."""

    seconds: float
    progress: dict[str, Any] = field(default_factory=dict)
    excerpt: str = ""


@dataclass(frozen=True)
class NotNeeded:
    """The newest state no longer wants this effect: it is superseded, with the reason."""

    reason: str


@dataclass(frozen=True)
class Absent:
    """A look proved that the effect is not there."""


class Deliverer(Protocol):
    """Carries one kind of effect out: render (in a transaction), send or look (without one), settle (in one)."""

    def render(self, session: Session, job: Job) -> Any:
        """What to send, from the newest state; NotNeeded when the state no longer wants it. Raises Fault."""

    def send(self, job: Job, request: Any) -> Done | Waiting:
        """Speak to the far side once. Raises Fault."""

    def look(self, job: Job, request: Any) -> Done | Waiting | Absent:
        """Read the far side back after an unclear outcome. Raises Fault; Ambiguous when a look cannot tell."""

    def settle(self, session: Session, job: Job, request: Any, facts: Any) -> None:
        """Record what the far side has acknowledged of this request."""


@dataclass(frozen=True)
class Duty:
    """Something the sweeper does every so often: once for the whole house, or once for each shop in one of `modes`.

    `run` gets the shop's id (0 for the house), does a bounded piece of the work and returns in how many seconds it is
    to go on, None when it is done until the next time. Raises Fault. `at_start`: also whenever a sweeper starts, since
    a new release may ask more of the other side than the one before.
    """

    name: str
    every_seconds: float
    run: Callable[[int], float | None]
    modes: tuple[str, ...] = ()
    at_start: bool = False


class Registry:
    """Handlers by (source, topic), deliverers by kind, and readers: questions one bridge asks of another by name."""

    def __init__(self) -> None:
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.deliverers: dict[str, Deliverer] = {}
        self.readers: dict[str, Callable[..., Any]] = {}
        self.rethinkers: dict[str, Callable[[Session, int, str], None]] = {}  # by kind: shop, what the effect is about
        self.duties: list[Duty] = []

    def find_handler(self, source: str, topic: str) -> Handler | None:
        """The handler of a topic, or None when we do not know it."""
        return self.handlers.get((source, topic))
