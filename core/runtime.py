"""What a running process holds: settings, database, keys, the door out, the doorbell and the registry."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from core.clock import monotonic
from core.config import Config
from core.crypto import Keyring
from core.db import Database
from core.embedded import EmbeddedServerFault
from core.failpoints import hit
from core.http import HttpDoor
from core.limiting import REDIS_SECONDS, FailureLimit
from core.registry import Registry

QUEUE_NAME = "returnbridge"
DRAIN_JOB = "core.relay.jobs.drain"
_RUNG, _RINGS = "returnbridge:rung", "returnbridge:rings"
REDIS_PATIENCE = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
_NOBODY_HEARS = (RedisError, OSError, EmbeddedServerFault)  # what was stored stays stored: the sweeper finds it
_DEAF_SECONDS = 2.0  # so long a listener leaves a server alone that did not answer: work goes on meanwhile
_RUNG_MILLISECONDS = 2000  # a doorbell whose worker died is rung again after this

logger = logging.getLogger(__name__)


class Doorbell:
    """Tells workers "something is due", over RQ. It carries nothing else, so losing it costs only time (law 2)."""

    def __init__(self, find_url: Callable[[], str]):
        self._find_url = find_url
        self._lock = threading.Lock()
        self._wanted = self._ringing = False
        self._deaf_until = 0.0

    @cached_property
    def redis(self) -> Redis:
        """The connection; made, and an embedded server started, when somebody first rings or listens."""
        return self.connect(socket_timeout=10, socket_connect_timeout=2)

    def connect(self, **options: float) -> Redis:
        """Another connection to the same server, with time-outs of its own."""
        return Redis.from_url(self._url, **options)

    @cached_property
    def _url(self) -> str:
        return self._find_url()

    @cached_property
    def queue(self) -> Queue:
        """The one queue of doorbells."""
        return Queue(QUEUE_NAME, connection=self.redis, serializer="json")

    def ring(self) -> bool:
        """Ring once; rings that come while one still waits for a worker fold into it. False when nobody can hear."""
        hit("ring.before")
        try:
            if self._mark():
                hit("ring.marked")
                self.queue.enqueue(DRAIN_JOB, result_ttl=0, failure_ttl=0, job_timeout=300)
        except _NOBODY_HEARS as error:
            logger.warning("doorbell not rung, the sweeper will find the work: %s", type(error).__name__)
            return False
        hit("ring.after")
        return True

    def _mark(self) -> bool:
        """Count the ring. False when one rung before still waits for a worker."""
        with self.redis.pipeline(transaction=False) as both:
            both.incr(_RINGS)
            both.set(_RUNG, 1, nx=True, px=_RUNG_MILLISECONDS)
            return bool(both.execute()[1])

    def count_rings(self) -> int | None:
        """How often it was rung, for one who is awake and listens for more; None while nobody can hear."""
        if monotonic() < self._deaf_until:
            return None
        try:
            return int(self._ear.get(_RINGS) or 0)
        except _NOBODY_HEARS:
            self._deaf_until = monotonic() + _DEAF_SECONDS
            return None

    @cached_property
    def _ear(self) -> Redis:
        """A listener has other things to do than to wait for a server that hangs."""
        return self.connect(**REDIS_PATIENCE)

    def ring_soon(self) -> None:
        """Ring without the caller waiting for it, even while Redis hangs."""
        with self._lock:
            self._wanted = True
            starts, self._ringing = not self._ringing, True
        if starts:
            self._start_ringing()

    def _start_ringing(self) -> None:
        try:
            threading.Thread(target=self._ring_while_wanted, name="doorbell", daemon=True).start()
        except RuntimeError as error:  # no thread to be had: what was stored stays stored
            logger.warning("doorbell not rung, the sweeper will find the work: %s", error)
            self._ringing = False

    def _ring_while_wanted(self) -> None:
        try:
            while self._take_wish():
                self.ring()
        except Exception:  # the thread's last line: the next who rings begins anew
            logger.exception("doorbell not rung, the sweeper will find the work")
            self._ringing = False

    def _take_wish(self) -> bool:
        with self._lock:
            self._ringing, self._wanted = self._wanted, False
            return self._ringing

    def answer(self) -> None:
        """A worker heard the bell: whatever is rung from now on is new."""
        hit("answer.before")
        try:
            self.redis.delete(_RUNG)
            hit("answer.after")
        except _NOBODY_HEARS as error:
            logger.warning("doorbell not answered: %s", type(error).__name__)


@dataclass
class Runtime:
    """Everything a process needs; made once by the composition root."""

    config: Config
    database: Database
    keyring: Keyring
    http: HttpDoor
    bell: Doorbell
    registry: Registry = field(default_factory=Registry)
    failures: FailureLimit = field(init=False)

    def __post_init__(self) -> None:
        """Callers' failures are counted on the doorbell's server."""
        self.failures = FailureLimit(lambda: self.bell.connect(**REDIS_PATIENCE))


_current: list[Runtime] = []


def set_current(runtime: Runtime) -> None:
    """Name this process's runtime, for RQ jobs, which are called by name and without arguments."""
    _current[:] = [runtime]


def get_current() -> Runtime:
    """This process's runtime."""
    return _current[0]
