"""The one door out (law 12): time-outs, no redirects, private addresses refused at connect time, answers capped.

The address is looked up once and the connection goes to exactly the address that was checked, so a name that answers
differently the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from core.addresses import AddressGuard, set_limits, watch_deadline
from core.clock import monotonic
from core.errors import AccessRefused, Ambiguous, Gone, OutOfTime, Permanent, Throttled, Transient
from core.failpoints import hit

CONNECT_SECONDS = 3.05
DEADLINE_SECONDS = 10.0  # a whole call, well inside the send deadline's share of a lease
MAX_ANSWER_BYTES = 5 * 1024 * 1024
ENOUGH_BYTES = 64 * 1024  # where only the status counts, and some words for a person
_HEAD_BYTES = 256 * 1024  # what may come on the wire besides: the head of an answer, and the heads of its chunks
_EXCERPT_CHARACTERS = 500
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_RETRY_STATUSES = frozenset({408, 425, 500, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What the far side said. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read_json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return None

    def excerpt(self) -> str:
        """The first characters of the body, printable, for a person to read."""
        text = self.body[: _EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")
        return "".join(one if one.isprintable() else " " for one in text)[:_EXCERPT_CHARACTERS].strip()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _guarded_pools(guard: AddressGuard) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3 connection pools whose connections pass the guard."""

    def open_socket(connection: HTTPConnection) -> socket.socket:
        plain = not isinstance(connection, HTTPSConnection)
        try:
            return guard.connect(connection.host.strip("[]"), connection.port, CONNECT_SECONDS, plain=plain)
        except OSError as error:
            raise NewConnectionError(connection, str(error)) from error

    plain = type("GuardedConnection", (HTTPConnection,), {"_new_conn": open_socket})
    secure = type("GuardedSecureConnection", (HTTPSConnection,), {"_new_conn": open_socket})
    return {
        "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedSecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: AddressGuard):
        self._guard = guard
        super().__init__(pool_connections=32, pool_maxsize=16, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        options["ssl_context"] = watch_deadline(create_urllib3_context())
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._guard)


_speaking = threading.local()  # `until`: when this thread's lease of what it speaks about runs out


@contextlib.contextmanager
def speak_until(moment: float) -> Iterator[None]:
    """Inside, no call begins that might outlast this moment on the monotonic clock: by then another worker may look."""
    _speaking.until = moment
    try:
        yield
    finally:
        del _speaking.until


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: `requests` prepares even a redirect that is not followed, and reads its whole body into memory."""
        return None


class HttpDoor:
    """Sends one request and returns the answer; holds no cookies, follows no redirect, uses no proxy."""

    def __init__(self, allowed_networks: tuple[str, ...] = ()):
        self.guard = AddressGuard(allowed_networks)
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(_NoCookies())
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _GuardedAdapter(self.guard))

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        enough_bytes: int | None = None,
    ) -> Answer:
        """Call once. Raises Transient when nothing can have been done, Ambiguous when it may have been.

        Of an answer longer than `enough_bytes` the rest is not read: megabytes of it would cost the calls beside it
        their turns, and once a far side has said that it is done, no length of what follows makes that unsaid.
        """
        fault = self.guard.find_fault(url)
        if fault:
            raise Permanent(f"the address cannot be called: {fault}")
        content = _render_json(json_body) if json_body is not None else body
        sent_headers = {"User-Agent": "Returnbridge/1", "Accept": "application/json", **(headers or {})}
        if json_body is not None:
            sent_headers["Content-Type"] = "application/json"
        _check_headers(sent_headers)
        hit("call.before")
        end = monotonic() + deadline_seconds
        if end > getattr(_speaking, "until", math.inf):
            raise OutOfTime("too little of the lease was left for another call")
        set_limits(end, (enough_bytes or MAX_ANSWER_BYTES) + _HEAD_BYTES)
        try:
            with self._session.request(
                method, url, params=params, data=content, headers=sent_headers, stream=True,
                allow_redirects=False, timeout=(CONNECT_SECONDS, deadline_seconds),
            ) as response:  # fmt: skip
                answer = Answer(response.status_code, response.headers, _read_capped(response, end, enough_bytes))
            hit("call.after")
            return answer
        except requests.exceptions.ConnectionError as error:
            raise _classify_broken(error) from None
        except (requests.exceptions.RequestException, HTTPError, ValueError) as error:
            # ValueError: what the layers below make of an answer no server should give, e.g. a chunk of -5 bytes
            raise Ambiguous(f"no answer: {type(error).__name__}") from None


def _render_json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise Permanent(f"the body cannot be written as JSON: {type(error).__name__}") from None


def _check_headers(headers: Mapping[str, str]) -> None:
    """Names are tokens, values printable Latin-1 in one line: a setting must not start a header of its own."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise Permanent(f"the header {name[:40]!a} cannot be sent: check the settings")


class _NoCookies(DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


def _read_capped(response: requests.Response, end: float, enough_bytes: int | None) -> bytes:
    """Read at most MAX_ANSWER_BYTES, until the deadline: an endless or dripping answer ends the call."""
    content = bytearray()
    for chunk in response.iter_content(16 * 1024):
        content += chunk
        if enough_bytes is not None and len(content) >= enough_bytes:
            break
        if len(content) > MAX_ANSWER_BYTES:
            raise Ambiguous("the answer is larger than 5 MiB")
        if monotonic() > end:
            raise Ambiguous("the answer took too long")
    return bytes(content)


def _classify_broken(error: requests.exceptions.ConnectionError) -> Exception:
    """A connection that never stood did nothing; one that broke later may have."""
    cause: BaseException | None = error
    while cause is not None:
        reason = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if isinstance(cause, NewConnectionError) or isinstance(reason, NewConnectionError):
            return Transient("could not connect")
        cause = reason if isinstance(reason, BaseException) else cause.__cause__
    return Ambiguous("the connection broke before an answer came")


def read_retry_after(answer: Answer) -> float | None:
    """`Retry-After` in seconds; fractions as Shopify sends them are read, dates and nonsense are not."""
    with contextlib.suppress(TypeError, ValueError):
        seconds = float(answer.headers.get("Retry-After", ""))
        return None if math.isnan(seconds) else max(0.0, min(seconds, 24 * 3600))
    return None


def raise_for_answer(answer: Answer, system: str) -> None:
    """Raise the fate of an answer that is not 2xx (DESIGN §9). The message holds the far side's own words."""
    status = answer.status
    if 200 <= status < 300:
        return
    words = f"{system} answered {status}: {answer.excerpt()}".rstrip(": ")
    if status in (401, 403):
        raise AccessRefused(words)
    if status == 410:
        raise Gone(words)
    if status == 429:
        raise Throttled(words, read_retry_after(answer))
    if status == 425:
        raise Transient(words, read_retry_after(answer))
    if status in _RETRY_STATUSES:
        raise Ambiguous(words, read_retry_after(answer))  # it, or a gateway before it, may have done the work
    if 300 <= status < 400:
        raise Permanent(f"{system} answered {status}: redirects are not followed")
    if status > 500:
        raise Ambiguous(words)
    raise Permanent(words)
