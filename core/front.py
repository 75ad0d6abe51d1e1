"""In front of the WSGI app: takes a request's body in before a thread is spent on it, and lets fast doors answer.

A WSGI thread that waits for a slow caller's bytes is a thread that no other caller has. Here waiting costs nothing: a
caller may send a byte a second, and is cut off after `BODY_SECONDS`.

It also knows whether the caller still waits (ADR 18): who gave up sends again, and may have corrected itself since.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from core.clock import monotonic
from core.errors import Transient
from core.logs import log_incident

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
FastDoor = Callable[[Mapping[str, str], bytes], Awaitable[bool]]
"""Headers (names in lower case) and body to True when the request was taken; False leaves it to the app."""

BODY_SECONDS = 30.0
STORE_SECONDS = 30.0  # from a call's last byte until it is stored; Increff waits 45 s for its answer
_HELD_BYTES = 256 * 1024 * 1024  # of bodies being taken in at a time; past it only small ones are
_SMALL_BYTES = 256 * 1024
_DRAINED_BYTES = 64 * 1024 * 1024
_TOO_SLOW = (408, "REQUEST_TIMEOUT", "The body did not come in time")
_UNAVAILABLE = (503, "SERVICE_UNAVAILABLE", "It cannot be taken now")
_TOO_BUSY = "too much is being taken in at once: send it again"

logger = logging.getLogger(__name__)


@dataclass
class _Waiting:
    """The caller of a request that is being answered."""

    since: float = field(default_factory=monotonic)
    gone: bool = False


_waiting: ContextVar[_Waiting | None] = ContextVar("waiting", default=None)  # None: the server does not tell


def refuse_if_left() -> None:
    """To be called right before a call is stored. Raises Transient when its caller has hung up, or may have.

    A process that was frozen, or a database that was away, would else store what the caller has sent again since, after
    what the caller has said since.
    """
    waiting = _waiting.get()
    if waiting is None:
        return
    waited = monotonic() - waiting.since
    if waiting.gone or waited > STORE_SECONDS:
        how = "its caller has hung up" if waiting.gone else "nobody may wait for the answer any more"
        logger.warning("not stored after %.1f s: %s", waited, how)
        raise Transient(f"it could not be stored in time, and {how}: send it again")


@dataclass
class _Taken:
    """What came of one request so far."""

    messages: list[Message] = field(default_factory=list)
    size: int = 0
    ended: bool = False

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self.size += len(message.get("body", b""))
        self.ended = not message.get("more_body", False)  # a caller that is gone has ended too

    @property
    def gone(self) -> bool:
        return bool(self.messages[-1]["type"] == "http.disconnect")

    def join(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    def replay(self, receive: Receive) -> Receive:
        """The same messages once more, then what comes."""
        waiting = iter(self.messages)

        async def receive_again() -> Message:
            message = next(waiting, None)
            return await receive() if message is None else message

        return receive_again


class Front:
    """An ASGI app over another one. `doors` maps a path to what may answer a POST there by itself."""

    def __init__(self, app: AsgiApp, doors: Mapping[str, FastDoor], limit: int):
        """`limit`: the largest body taken, in bytes."""
        self._app, self._doors, self._limit = app, doors, limit
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = _Taken()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self._take_in(taken, receive)
                await self._drain(taken, receive)
        except TimeoutError:
            await _refuse(send, *_TOO_SLOW)
        except Transient as error:
            await _refuse(send, *_UNAVAILABLE, str(error))
        else:
            await self._answer(scope, taken, receive, send)
        finally:
            self._held -= taken.size

    async def _take_in(self, taken: _Taken, receive: Receive) -> None:
        """The messages of the body up to its end or beyond the limit. Raises Transient when there is no room."""
        while not taken.ended and taken.size <= self._limit:
            message = await receive()
            taken.add(message)
            self._held += len(message.get("body", b""))
            if self._held > _HELD_BYTES and taken.size > _SMALL_BYTES:
                raise Transient(_TOO_BUSY)

    async def _drain(self, taken: _Taken, receive: Receive) -> None:
        """Throw the rest of a body that is too large away, so that its caller comes to read the app's refusal."""
        left = _DRAINED_BYTES
        while not taken.ended and left > 0:
            message = await receive()
            taken.ended = not message.get("more_body", False)
            left -= len(message.get("body", b""))
        taken.messages[-1] = {**taken.messages[-1], "more_body": False}

    async def _answer(self, scope: Scope, taken: _Taken, receive: Receive, send: Send) -> None:
        if taken.gone:
            return
        door = self._doors.get(scope["path"]) if scope["method"] == "POST" else None
        try:
            if door and taken.size <= self._limit and await door(read_headers(scope), taken.join()):
                await _send(send, 200, b"")
                return
        except Transient as error:
            await _refuse(send, *_UNAVAILABLE, str(error))
            return
        except Exception:  # noqa: BLE001 - a fault of ours; the caller gets no traceback
            incident = log_incident(logger, f"POST {scope['path']}")
            await _refuse(send, 500, "INTERNAL_ERROR", "A fault of ours", f"incident {incident}")
            return
        await self._serve(scope, taken, receive, send)

    async def _serve(self, scope: Scope, taken: _Taken, receive: Receive, send: Send) -> None:
        """By the app, whose thread takes this context along."""
        waiting = _Waiting()
        _waiting.set(waiting)
        watch = asyncio.ensure_future(_watch(waiting, receive))
        try:
            await self._app(scope, taken.replay(receive), send)
        finally:
            watch.cancel()


async def _watch(waiting: _Waiting, receive: Receive) -> None:
    """After the body a server has nothing more to tell than that the caller is gone."""
    waiting.gone = (await receive())["type"] == "http.disconnect"


def read_headers(scope: Scope) -> dict[str, str]:
    """Headers by name in lower case; one that came twice is joined by a comma, as WSGI servers do."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _refuse(send: Send, status: int, code: str, message: str, description: str = "") -> None:
    """An error in the shape of DESIGN §5. The connection ends: what is left of the body is not read."""
    told = json.dumps({"code": code, "message": message, "description": description}).encode()
    extra = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await _send(send, status, told, extra)


async def _send(send: Send, status: int, body: bytes, extra: Sequence[tuple[bytes, bytes]] = ()) -> None:
    headers = [(b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
