"""Where healthy shops and hostile ones live beside each other: the product's real processes, and everybody around."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from app import create_app
from core.commands.processes import MODESTY
from core.config import Config
from core.db import Database
from core.flows import credentials, tenants
from core.migrations import upgrade
from core.models import Effect, Shop
from tests.crash.servers import Postgres, Valkey, free_ports

ROOT = Path(__file__).parent.parent.parent
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
HEALTHY_SHOPS, SHOPS_A_ROUND = 2, 4
HOSTILE_OMS = "never answers"
_FLASK = [sys.executable, "-m", "flask", "--app", "app"]
# a worker steps behind whatever else its machine does; here that is its far sides, which it is to be measured against
_AS_USUAL = ["nice", "-n", str(-MODESTY)]  # who is not root is told so, and goes on with less
_START_SECONDS = 40.0


@dataclass
class Tenant:
    """A shop with its caller's credential."""

    shop_id: int
    headers: dict[str, str]


class Street:
    """Everything that runs. The guests of a round, friendly or hostile, are paused until they are let in."""

    def __init__(self, rounds: int):
        self.folder = Path(tempfile.mkdtemp(prefix="rb-hostile-", dir=MEMORY))
        os.chmod(self.folder, 0o755)
        self.postgres = Postgres(self.folder / "pg")
        self.web_port, valkey_port, self.receivers_port = free_ports(3)
        self.valkey = Valkey(valkey_port)
        self.journal = self.folder / "proxies.jsonl"
        self.environment = self._make_environment()
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        self._codes = itertools.count(1)
        try:
            self._spawn("receivers", "tests.hostile.receivers", str(self.receivers_port))
            proxies = self._spawn("proxies", "tests.hostile.proxies", str(self.journal))
            self.ports: dict[str, int] = json.loads(proxies.stdout.readline())  # type: ignore[union-attr] # a pipe
            opened = Database(self.postgres.url)
            upgrade(opened)
            opened.dispose()
            values = {name.lower(): value for name, value in self.environment.items()}
            self.runtime = create_app(Config.model_validate(values)).extensions["returnbridge"]
            self.healthy = [self._add_shop(f"well-{number}", [], {}) for number in range(HEALTHY_SHOPS)]
            self.friendly = [self._add_round(number, friendly=True) for number in range(rounds)]
            self.hostile = [self._add_round(number, friendly=False) for number in range(rounds)]
        except BaseException:
            self.close()
            raise

    def _make_environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "SHOPIFY_API_KEY": "hostile-key",
            "SHOPIFY_API_SECRET": "hostile-secret-of-at-least-thirty-two-bytes",
            "SHOPIFY_ADMIN_URL": "http://127.0.0.1:9/{shop}",
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
            "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
            "LOG_FORMAT": "text",
            "INSTANCE_DIR": str(self.folder / "instance"),
        }

    def _spawn(self, role: str, module: str, *arguments: str) -> subprocess.Popen[Any]:
        command = [sys.executable, "-m", module, *arguments]
        log = (self.folder / f"{role}.log").open("ab")
        self.processes[role] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
        return self.processes[role]

    def _add_round(self, number: int, *, friendly: bool) -> list[Tenant]:
        """Hostile shops that share all faults among them, one of them with an OMS that never answers; or shops with as
        many partners, and all is well.
        """
        faults, word = sorted(self.ports), "friendly" if friendly else "hostile"
        ports = dict.fromkeys(faults, self.receivers_port) if friendly else self.ports
        return [
            self._add_shop(f"{word}-{number}-{place}", faults[place::SHOPS_A_ROUND], ports, odd_oms=place == 0)
            for place in range(SHOPS_A_ROUND)
        ]

    def _add_shop(self, name: str, faults: list[str], ports: dict[str, int], *, odd_oms: bool = False) -> Tenant:
        well = f"http://127.0.0.1:{self.receivers_port}"
        oms = f"http://127.0.0.1:{ports[HOSTILE_OMS]}" if odd_oms else well
        partners = {"well": f"{well}/{name}"}
        partners |= {slug(fault): f"http://127.0.0.1:{ports[fault]}/{name}/{slug(fault)}" for fault in faults}
        document = {
            "mode": "live",
            "oms": {"base_url": f"{oms}/oms", "auth_username": "u", "auth_password": "p", "calls_per_minute": 100_000},
            "partners": [
                {"name": partner, "kind": "generic", "url": url, "events": ["return"]}
                for partner, url in partners.items()
            ],
        }
        keyring, guard = self.runtime.keyring, self.runtime.http.guard
        with self.runtime.database.write() as session:
            shop = tenants.add_shop(session, keyring, f"{name}.myshopify.com", None)
            made = credentials.make_credential(session, shop, "rms")
            tenants.save_settings(session, keyring, shop, document, "test", guard)
            shop.mode = "paused" if faults else "live"
            headers = {"authUsername": made.username, "authPassword": made.password}
            return Tenant(shop.id, {**headers, "Content-Type": "application/json"})

    def start(self) -> None:
        """One web server, one worker, the sweeper: the product's own commands."""
        environment = {**os.environ, **self.environment}
        for role, words in {
            "web": ["web", "--bind", f"127.0.0.1:{self.web_port}"],
            "worker": ["worker"],
            "sweeper": ["sweep"],
        }.items():
            log = (self.folder / f"{role}.log").open("ab")
            command = [*(_AS_USUAL if role == "worker" else ()), *_FLASK, *words]
            self.processes[role] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        until = time.monotonic() + _START_SECONDS
        while not self._is_open():
            assert time.monotonic() < until, (self.folder / "web.log").read_text()
            time.sleep(0.1)

    def _is_open(self) -> bool:
        try:
            return self.ask(self.web_port, "/healthz") is not None
        except OSError:
            return False

    def ask(self, port: int, path: str) -> bytes:
        """A GET on loopback."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def make_push(self) -> bytes:
        """A return that RMS tells of for the first time."""
        number = next(self._codes)
        item = {"itemCode": f"U{number}", "reason": "Size", "channelSkuCode": f"SKU-{number}"}
        codes = {"forwardOrderCode": f"F{number}", "returnOrderCode": f"R{number}", "locationCode": "Wid234"}
        return json.dumps(
            {**codes, "orderItems": [item], "awbNumber": f"AWB{number}", "transporter": "courier"}
        ).encode()

    def let_in(self, tenants_in: list[Tenant], mode: str) -> None:
        """Let shops work, or pause them; a pause has begun when nothing of theirs is under way any more."""
        ids = [one.shop_id for one in tenants_in]
        with self.runtime.database.write() as session:
            session.execute(update(Shop).where(Shop.id.in_(ids)).values(mode=mode))
        until = time.monotonic() + 15
        while mode == "paused" and time.monotonic() < until and self._has_under_way(ids):
            time.sleep(0.2)

    def _has_under_way(self, ids: list[int]) -> bool:
        with self.runtime.database.read() as session:
            query = select(Effect.id).where(Effect.shop_id.in_(ids), Effect.state == "sending")
            return session.scalars(query.limit(1)).first() is not None

    def close(self, *, keep: bool = False) -> None:
        """End everything that was started."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        if hasattr(self, "runtime"):
            self.runtime.database.dispose()
        self.valkey.kill()
        self.postgres.stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def slug(fault: str) -> str:
    """A fault as a partner's name in the settings."""
    return re.sub(r"[^a-z0-9]+", "-", fault)
