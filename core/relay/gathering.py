"""Storing what arrives at a busy door: many deliveries in one commit, each answered after its commit (DESIGN §10).

While one commit is under way, what arrives meanwhile gathers and makes the next one. A commit costs the disk the same
for one row and for a hundred, so the door grows faster the more is asked of it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core.db import Database
from core.errors import Transient

logger = logging.getLogger(__name__)
T = TypeVar("T")
_MOST = 200  # of one commit: so that one bad row sends few others the slow way


class Gatherer(Generic[T]):
    """Hands items to `store`, which writes them all in the session it is given.

    A thread lives only as long as something waits; none is there at a fork.
    """

    def __init__(self, database: Database, store: Callable[[Session, Sequence[T]], None]):
        self._database, self._store = database, store
        self._waiting: deque[tuple[T, Future[None]]] = deque()
        self._lock = threading.Lock()
        self._at_work = False

    def record(self, item: T) -> Future[None]:
        """A future that ends when the item is committed, or carries Transient."""
        future: Future[None] = Future()
        with self._lock:
            while self._waiting and self._waiting[0][1].cancelled():  # its caller has gone, and will send it again
                self._waiting.popleft()
            self._at_work = taken = self._at_work or self._begin_work()
            if taken:
                self._waiting.append((item, future))
        if not taken:
            future.set_exception(Transient("no thread to be had now: send it again"))
        return future

    def _begin_work(self) -> bool:
        """False when the system has no thread for us; the next item asks again."""
        try:
            threading.Thread(target=self._work, name="gatherer", daemon=True).start()
        except RuntimeError:
            logger.exception("a delivery could not be taken")
            return False
        return True

    def _work(self) -> None:
        try:
            while batch := self._take():
                self._commit(batch)
        except Exception:  # the thread's last line: the next delivery begins anew
            logger.exception("deliveries could not be stored")
            self._at_work = False

    def _take(self) -> list[tuple[T, Future[None]]]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            self._at_work = bool(batch)
        return batch

    def _commit(self, batch: list[tuple[T, Future[None]]]) -> None:
        error = self._try_to_commit([item for item, _ in batch])
        if isinstance(error, DataError | IntegrityError) and len(batch) > 1:
            for one in batch:  # one of them cannot be stored: it must not take the others with it
                self._commit([one])
            return
        if error:
            logger.error("%s deliveries could not be stored: %s", len(batch), type(error).__name__, exc_info=error)
        for _, future in batch:
            if not future.set_running_or_notify_cancel():
                continue  # the caller has gone
            if error:
                future.set_exception(Transient("it could not be stored: send it again"))
            else:
                future.set_result(None)

    def _try_to_commit(self, items: list[T]) -> Exception | None:
        try:
            with self._database.write("record") as session:
                self._store(session, items)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers wait for an answer
            return error
        return None
