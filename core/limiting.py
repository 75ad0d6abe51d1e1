"""Counting callers who failed to prove who they are, so that a flood of guesses is told to slow down.

A limit never decides who may enter: only a caller whose credential was found wrong is counted, so nobody can lock
out a right one. Counts are shared through Redis; while it is away each process counts for itself. Addresses and user
names fall into a fixed number of buckets, so that a flood of made-up ones takes no more room than that.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from core.clock import monotonic
from core.embedded import EmbeddedServerFault
from core.errors import TooManyFailures, Unauthorized

WINDOW_SECONDS = 60
MOST_BY_ADDRESS, MOST_BY_USERNAME = 120, 30  # failures in a window
REDIS_SECONDS = 0.5  # of patience with one answer
_AWAY_SECONDS = 10.0  # before a server that failed is asked again
_BUCKET_DIGITS = 4  # hexadecimal, for addresses and for names: at most 2 x 65,536 counts are kept

logger = logging.getLogger(__name__)
Count = tuple[int, float]  # failures, and seconds until they are forgotten


class FailureLimit:
    """One process's view of the shared counts. `connect` opens its own short-tempered connection to Redis."""

    def __init__(self, connect: Callable[[], Redis]):
        self._connect = connect
        self._redis: Redis | None = None
        self._away_until = 0.0
        self._here: dict[str, Count] = {}  # bucket -> failures, and the end of their window
        self._lock = threading.Lock()

    def refuse(self, address: str | None, username: str, words: str) -> Unauthorized:
        """Count one failure. Returns what to raise: Unauthorized, or TooManyFailures past the limit."""
        limits = {_name_bucket("address", _name_network(address)): MOST_BY_ADDRESS}
        if username:
            limits[_name_bucket("username", username)] = MOST_BY_USERNAME
        counts = self._count_shared(list(limits)) or self._count_here(list(limits))
        waits = [left for (count, left), most in zip(counts, limits.values(), strict=True) if count > most]
        if any(count == most + 1 for (count, _), most in zip(counts, limits.values(), strict=True)):
            logger.warning("a flood of wrong credentials from %s is slowed down", _name_network(address))
        return TooManyFailures(words, max(1, math.ceil(max(waits)))) if waits else Unauthorized(words)

    def _count_shared(self, buckets: list[str]) -> list[Count]:
        if monotonic() < self._away_until:
            return []
        try:
            self._redis = self._redis or self._connect()
            pipeline = self._redis.pipeline()
            for bucket in buckets:
                pipeline.set(bucket, 0, nx=True, ex=WINDOW_SECONDS)
                pipeline.incr(bucket)
                pipeline.pttl(bucket)
            answers = pipeline.execute()
        except (RedisError, OSError, EmbeddedServerFault) as error:
            self._away_until = monotonic() + _AWAY_SECONDS
            logger.warning("failed callers are counted by each process alone: %s", type(error).__name__)
            return []
        return [(answers[at + 1], answers[at + 2] / 1000) for at in range(0, len(answers), 3)]

    def _count_here(self, buckets: list[str]) -> list[Count]:
        now, counts = monotonic(), []
        with self._lock:
            for bucket in buckets:
                count, end = self._here.get(bucket, (0, 0.0))
                count, end = (count + 1, end) if now < end else (1, now + WINDOW_SECONDS)
                self._here[bucket] = (count, end)
                counts.append((count, end - now))
        return counts


def _name_bucket(kind: str, value: str) -> str:
    mark = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:_BUCKET_DIGITS]
    return f"returnbridge:failed:{kind}:{mark}"


def _name_network(address: str | None) -> str:
    """One caller's address; of IPv6 the /64, which is what one caller has."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    mapped = getattr(parsed, "ipv4_mapped", None)
    if parsed.version == 4 or mapped:
        return str(mapped or parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
