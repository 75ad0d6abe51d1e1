"""Runs the product as an operator would: its own commands, its own processes, nothing imported from it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_FLASK = [sys.executable, "-m", "flask", "--app", "app"]
PROCESSES = {"web": [], "worker": ["worker"], "sweep": ["sweep"]}


def find_port(wanted: int) -> int:
    """The wanted port when it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")


class Product:
    """Web server, worker and sweeper over one fresh folder, with an embedded Valkey and SQLite."""

    def __init__(self, folder: Path, port: int, admin_url: str, api_key: str, api_secret: str) -> None:
        self.folder, self.port, self.url = folder, port, f"http://127.0.0.1:{port}"
        shutil.rmtree(folder, ignore_errors=True)  # the stand-ins forget everything too: both start empty
        folder.mkdir(parents=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")},
            "INSTANCE_DIR": str(folder),
            "APP_URL": self.url,
            "SHOPIFY_API_KEY": api_key,
            "SHOPIFY_API_SECRET": api_secret,
            "SHOPIFY_ADMIN_URL": admin_url + "/{shop}",
            "SHOPIFY_CDN_URL": admin_url,
            "ENCRYPTION_KEYS": "sandbox:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
            "SETTLE_SECONDS": "2",
            "CANCEL_SETTLE_SECONDS": "5",
            "LOG_FORMAT": "text",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, *words: str) -> str:
        """One command of the product's command line; its standard output."""
        done = subprocess.run(
            [*_FLASK, *words], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"flask --app app {' '.join(words)} failed:\n{done.stderr}")
        return done.stdout

    def list(self, what: str) -> list[Json]:
        """`events`, `effects` or `exchanges` as the command line lists them."""
        listed: list[Json] = json.loads(self.command(what, "list", "--json"))
        return listed

    def configure(self, shop: str, settings: Json) -> None:
        """Save a settings document."""
        path = self.folder / "settings.json"
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
        self.command("shops", "configure", shop, "--file", str(path))

    def start(self) -> None:
        """Start the three processes and wait until the web server is ready."""
        for name, words in PROCESSES.items():
            arguments = words or ["web", "--bind", f"127.0.0.1:{self.port}"]
            log = (self.folder / f"{name}.log").open("ab")
            self.processes[name] = subprocess.Popen([*_FLASK, *arguments], env=self.environment, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not self._is_ready():
            if time.monotonic() > end or self.find_dead():
                raise RuntimeError(f"the app did not start; see the logs in {self.folder}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def find_dead(self) -> list[str]:
        """The processes that have ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def stop(self) -> None:
        """End what was started, politely first."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
