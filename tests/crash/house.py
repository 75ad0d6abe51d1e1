"""The product under test: two web servers, three workers and the sweeper as real processes, and the world around."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.crash.compress import CANCEL_SETTLE_SECONDS, SETTLE_SECONDS
from tests.crash.previous import unpack
from tests.crash.servers import Postgres, Valkey, free_ports

SECRET = "crash-secret-of-at-least-thirty-two-bytes"
ROOT = Path(__file__).parent.parent.parent
# no disk is waited for: processes are killed and the database crashes, the machine does not
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SKEWS = (7200, -7200, 0)  # seconds by which the processes' wall clocks are wrong, where the run asks for it
STOPPED_SECONDS = 30.0  # a process that does not start within this time is a fault of the run


@dataclass(frozen=True)
class Scale:
    """What a run is made of."""

    seed: int = 1
    database: str = "postgresql"
    events: int = 2000
    rate: float = 3.0  # stories a second; each is about eight accepted events
    shops: int = 3
    workers: int = 3
    webs: int = 2
    plant: str = ""
    sql: str = ""  # run once the tables are there
    cancels: int = 0
    real_times: bool = False  # leases, time-outs and waits as operators have them
    skew: bool = False  # the processes' clocks are two hours fast, two hours slow, and right
    previous: str = ""  # commit of the release that everything begins with; faults renew it, role by role
    settle_seconds: float = SETTLE_SECONDS
    cooling_off_seconds: float = 0.6
    outside: dict[str, Any] = field(default_factory=dict)  # the outside plan's own keys


class Launcher:
    """Orders processes from `tests.crash.launch`, of the release whose sources are at `root`."""

    def __init__(self, folder: Path, environment: dict[str, str], root: Path = ROOT):
        path = folder / f"launch-{root.name}.sock"
        self._lock = threading.Lock()
        everything = {**os.environ, **environment, "PYTHONPATH": str(root)}
        with (folder / "launch.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.launch", str(path)], cwd=root, env=everything, stderr=log
            )
        self._socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + STOPPED_SECONDS
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < until, (folder / "launch.log").read_text()
                time.sleep(0.05)
        self._answers = self._socket.makefile("r")

    def start(self, arguments: list[str], log: Path, output: Path | None = None, **environment: str) -> int:
        """A new process of the product: its id."""
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        with self._lock:
            self._socket.sendall(json.dumps({**order, "output": str(output) if output else None}).encode() + b"\n")
            return int(self._answers.readline())

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


class House:
    """Everything that runs. `roles`: role -> process id; `world`: the module that plays everybody else."""

    world = "tests.crash.outside"

    def __init__(self, scale: Scale):
        self.scale = scale
        self.folder = Path(tempfile.mkdtemp(prefix="rb-crash-", dir=MEMORY))
        self.hooks = self.folder / "hooks"
        self.hooks.mkdir()
        os.chmod(self.folder, 0o755)
        self.postgres = Postgres(self.folder / "pg") if scale.database == "postgresql" else None
        ports = free_ports(2 + scale.webs)
        self.outside_port, self.webs = ports[0], ports[2:]
        self.valkey = Valkey(ports[1])
        self.url = self.postgres.url if self.postgres else f"sqlite:///{self.folder}/crash.db"
        self.launcher = Launcher(self.folder, self._make_environment())
        older = unpack(ROOT, scale.previous, self.folder) if scale.previous else None
        self.previous = Launcher(self.folder, self._make_environment(), older) if older else None
        self.renewed: set[str] = set()  # roles that are of this release, where the run began with the previous one
        self.roles: dict[str, int] = {}
        self.orphans: list[int] = []
        self.shops = self._prepare_shops()
        self._outside = self._start_outside()

    def _make_environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "REDIS_URL": self.valkey.url,
            "SHOPIFY_API_KEY": "crash-key",
            "SHOPIFY_API_SECRET": SECRET,
            "SHOPIFY_ADMIN_URL": f"http://127.0.0.1:{self.outside_port}/{{shop}}",
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
            "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
            "SETTLE_SECONDS": str(self.scale.settle_seconds),
            "CANCEL_SETTLE_SECONDS": str(self.scale.settle_seconds + CANCEL_SETTLE_SECONDS - SETTLE_SECONDS),
            "LOG_FORMAT": "text",
            "INSTANCE_DIR": str(self.folder / "instance"),
            "CRASH_FOLDER": str(self.hooks),
            "CRASH_POSTGRES": self.postgres.address if self.postgres else "",
        }

    def migrate(self) -> None:
        """Bring the tables to this release, whatever runs beside."""
        self._run_command(self.launcher, "db", "upgrade")

    def command(self, *arguments: str) -> str:
        """Run a command of the product, as it is at the beginning, to its end: what it printed."""
        return self._run_command(self.previous or self.launcher, *arguments)

    def _run_command(self, launcher: Launcher, *arguments: str) -> str:
        output, code = self.folder / "output", self.folder / "output.code"
        code.unlink(missing_ok=True)
        launcher.start(list(arguments), self.folder / "commands.log", output)
        until = time.monotonic() + STOPPED_SECONDS
        while not (code.exists() and code.read_text()):
            assert time.monotonic() < until, f"{arguments} did not end"
            time.sleep(0.02)
        assert code.read_text() == "0", (self.folder / "commands.log").read_text()
        return output.read_text()

    def _prepare_shops(self) -> list[dict[str, str]]:
        self.command("db", "upgrade")
        if self.scale.sql and self.postgres:
            self.postgres.execute(self.scale.sql)
        shops = []
        for number in range(self.scale.shops):
            domain = f"crash-{number}.myshopify.com"
            added = json.loads(self.command("shops", "add", domain, "--access-token", "token"))
            self.configure(domain, self._write_settings(number))
            credential = added["rms"]
            shops.append(
                {"domain": domain, "username": credential["authUsername"], "password": credential["authPassword"]}
            )
        return shops

    def configure(self, domain: str, settings: dict[str, Any]) -> None:
        """Give a shop other settings."""
        document = self.folder / "settings.json"
        document.write_text(json.dumps(settings))
        self.command("shops", "configure", domain, "--file", str(document))

    def _write_settings(self, number: int) -> dict[str, Any]:
        """Of the shop of this number."""
        base = f"http://127.0.0.1:{self.outside_port}"
        oms = {"base_url": f"{base}/oms", "auth_username": "u", "auth_password": "p", "default_location": "Wid234"}
        partner = {"name": "partner", "kind": "generic", "url": f"{base}/partner/all"}
        return {
            "mode": "live",
            "oms": {**oms, "calls_per_minute": 1_000_000},
            "cancel": {"refund": "original", "cooling_off_minutes": self.scale.cooling_off_seconds / 60},
            "partners": [{**partner, "events": ["qc", "return", "tracking"]}],
        }

    def _start_outside(self) -> subprocess.Popen[bytes]:
        plan = {
            "seed": self.scale.seed,
            "port": self.outside_port,
            "webs": self.webs,
            "secret": SECRET,
            "shops": self.shops,
            "rate": self.scale.rate,
            "events": self.scale.events,
            "cancels": self.scale.cancels,
            "journal": str(self.folder / "journal.jsonl"),
            **self.scale.outside,
        }
        path = self.folder / "plan.json"
        path.write_text(json.dumps(plan))
        with (self.folder / "outside.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", self.world, str(path)], cwd=ROOT, stderr=log, stdout=log)

    def ask(self, what: str) -> Any:
        """Ask the outside world: progress, calm, dump."""
        until = time.monotonic() + STOPPED_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.outside_port}/{what}", timeout=30) as answer:
                    return json.load(answer)
            except OSError:
                assert time.monotonic() < until, (self.folder / "outside.log").read_text()
                time.sleep(0.05)

    @property
    def names(self) -> list[str]:
        """Every role."""
        webs = [f"web{number}" for number in range(self.scale.webs)]
        return [*webs, *(f"worker{number}" for number in range(self.scale.workers)), "sweeper"]

    def start(self, role: str, *more: str) -> None:
        """Start a role's process, or start it anew."""
        arguments = {"web": ["web", "--bind"], "wor": ["worker"], "swe": ["sweep"]}[role[:3]]
        if role.startswith("web"):
            arguments = [*arguments, f"127.0.0.1:{self.webs[int(role[3:])]}"]
        wrong = SKEWS[self.names.index(role) % len(SKEWS)] if self.scale.skew else 0
        environment = {"CRASH_PLANT": self.scale.plant, "CRASH_SKEW": str(wrong or "")}
        environment["CRASH_REAL_TIMES"] = "1" if self.scale.real_times else ""
        log = self.folder / f"{role}.log"
        launcher = self.launcher if self.previous is None or role in self.renewed else self.previous
        self.roles[role] = launcher.start([*arguments, *more], log, None, **environment)

    def start_all(self) -> None:
        for role in self.names:
            self.start(role)

    def is_alive(self, pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def send(self, pid: int, number: signal.Signals) -> None:
        """A signal to a process that we started, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def _find_processes(self) -> list[int]:
        """All of the product's processes of this run: children of a worker that was killed are in no list."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("CRASH_FOLDER") == str(self.hooks):
                    found.append(process.pid)
        return found

    def close(self, *, keep: bool = False) -> None:
        """End everything that was started."""
        for launcher in filter(None, (self.launcher, self.previous)):
            launcher.close()
        for pid in self._find_processes():
            self.send(pid, signal.SIGKILL)
        self._outside.kill()
        self._outside.wait()
        self.valkey.kill()
        if self.postgres:
            self.postgres.stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
