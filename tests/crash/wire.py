"""HTTP/1.1 by hand, for the receivers and senders of a crash run: small, fast, and able to lose an answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PHRASES = {429: "Too Many Requests", 200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Request:
    """One request as it was read."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> Any:
        return json.loads(self.body or b"null")


Answer = tuple[int, Any] | None  # None: the connection is cut, and nobody hears how it went
Respond = Callable[[Request], Awaitable[Answer]]


async def serve(respond: Respond, port: int) -> asyncio.Server:
    """Listen on loopback."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await _answer_one(respond, reader, writer):
                pass
        writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 20, backlog=1024)


async def _answer_one(respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    answer = await respond(Request(method, target, headers, body))
    if answer is None:
        writer.transport.abort()
        return False
    status, said = answer
    content = json.dumps(said).encode()
    words = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}\r\nContent-Type: application/json\r\n"
    writer.write(f"{words}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    return True


async def call(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes, seconds: float
) -> tuple[int, bytes] | None:
    """Call the product once. None when there was no whole answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bridge", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                return _read_answer(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


def _read_answer(raw: bytes) -> tuple[int, bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
