"""What a partner, or whatever stands before it, may do to an answer: each fault takes the honest one and spoils it."""

from __future__ import annotations

import gzip
import socket
import struct
import time
from collections.abc import Callable
from functools import cache

from tests.hostile.servers import Act

Fault = Callable[[bytes], Act]
LATENCY_SECONDS = 6.0
_ENDLESS_SECONDS = 60.0  # of a fault that has no end; a caller is gone long before
_BLOCK = b"x" * 65536
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"


def late(seconds: float) -> Fault:
    """The right answer, after a while."""

    def spoil(honest: bytes) -> Act:
        def act(connection: socket.socket) -> None:
            time.sleep(seconds)
            connection.sendall(honest)

        return act

    return spoil


def drip(piece: Callable[[bytes], list[bytes]], pause: float = 1.0) -> Fault:
    """The answer in pieces, with a pause after each; what is missing at its end never comes."""

    def spoil(honest: bytes) -> Act:
        def act(connection: socket.socket) -> None:
            end = time.monotonic() + _ENDLESS_SECONDS
            for one in piece(honest):
                if time.monotonic() > end:
                    return
                connection.sendall(one)
                time.sleep(pause)
            time.sleep(max(0.0, end - time.monotonic()))

        return act

    return spoil


def flood(head: bytes, block: bytes) -> Fault:
    """More and more, as fast as it is taken."""

    def act(connection: socket.socket) -> None:
        end = time.monotonic() + _ENDLESS_SECONDS
        connection.sendall(head)
        while time.monotonic() < end:
            connection.sendall(block)

    return lambda honest: act


def say_instead(raw: bytes) -> Fault:
    """Other bytes, then the end."""
    return lambda honest: lambda connection: connection.sendall(raw)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_at_once(honest: bytes) -> Act:
    return _reset


def _reset_in_the_middle(honest: bytes) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(honest[:-1])
        time.sleep(0.05)  # what was sent is to arrive before the reset
        _reset(connection)

    return act


def _half_close(honest: bytes) -> Act:
    """It will say nothing more, and keeps the connection all the same."""

    def act(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        time.sleep(_ENDLESS_SECONDS)

    return act


def _truncate(honest: bytes) -> Act:
    return lambda connection: connection.sendall(honest[:-1])


def _lie_about_length(length: bytes) -> Fault:
    def spoil(honest: bytes) -> Act:
        body = honest.partition(b"\r\n\r\n")[2]
        return lambda connection: connection.sendall(_OK + b"Content-Length: " + length + b"\r\n\r\n" + body)

    return spoil


@cache
def make_bomb(megabytes: int = 100) -> bytes:
    """So many megabytes of nothing, packed."""
    return gzip.compress(bytes(megabytes * 1024 * 1024), compresslevel=6)


def pack(first_line: bytes) -> Fault:
    """An answer of this kind whose body is a gzip bomb."""

    def spoil(honest: bytes) -> Act:
        packed = make_bomb()
        head = first_line + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        return lambda connection: connection.sendall(head + packed)

    return spoil


def _redirect_to_itself(honest: bytes) -> Act:
    return lambda connection: connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )


def _cut_bytes(honest: bytes) -> list[bytes]:
    return [honest[at : at + 1] for at in range(len(honest) - 1)]


def _cut_headers(honest: bytes) -> list[bytes]:
    """Its own lines, then headers without end."""
    head = honest.partition(b"\r\n\r\n")[0] + b"\r\n"
    return [*head.splitlines(keepends=True), *[b"X-More: x\r\n"] * 60]


FAULTS: dict[str, Fault] = {
    "latency": late(LATENCY_SECONDS),
    "one byte a second": drip(_cut_bytes),
    "slow headers": drip(_cut_headers),
    "never answers": drip(lambda honest: []),
    "reset": _reset_at_once,
    "reset in mid-body": _reset_in_the_middle,
    "half-close": _half_close,
    "truncated": _truncate,
    "length too long": _lie_about_length(b"1000000"),
    "length too short": _lie_about_length(b"2"),
    "length below nothing": _lie_about_length(b"-1"),
    "bad chunk size": say_instead(_CHUNKED + b"xyz\r\nabc\r\n"),
    "chunk size below nothing": say_instead(_CHUNKED + b"-5\r\nabc\r\n"),
    "gzip bomb": pack(_OK),
    "gzip bomb in a refusal": pack(b"HTTP/1.1 404 Not Found\r\n"),
    "gzip bomb in a redirect": pack(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n"),
    "endless chunks": flood(_CHUNKED, b"10000\r\n" + _BLOCK + b"\r\n"),
    "endless chunk of no size": flood(_CHUNKED + b"-1\r\n", _BLOCK),
    "endless redirect": flood(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n", _BLOCK),
    "redirect to nonsense": say_instead(b"HTTP/1.1 302 Found\r\nLocation: http://[\xff\r\nContent-Length: 0\r\n\r\n"),
    "header flood": flood(_OK, b"X-Flood: y\r\n" * 1000),
    "endless header": flood(_OK + b"X-Flood: ", _BLOCK),
    "redirect loop": _redirect_to_itself,
}
NEVER_ACCEPTS = "never accepts"  # no answer to spoil: the connection itself never comes to be
