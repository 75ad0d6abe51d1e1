"""The whole set together: the control port, its page, and the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from increff_cases import HEADERS, outward

from simulators.sandbox import Sandbox
from simulators.serving import Served, serve

ROOT = Path(__file__).parents[2]


class App:
    """Stands where Returnbridge stands; keeps the paths it was called on."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, str | None]] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        raw = environ["wsgi.input"].read()
        self.calls.append((environ["PATH_INFO"], json.loads(raw), environ.get("HTTP_AUTHUSERNAME")))
        start_response("200 OK", [])
        return []

    def bodies(self, path: str) -> list[Any]:
        return [body for called, body, _ in self.calls if called == path]


@pytest.fixture
def bridge() -> App:
    return App()


@pytest.fixture
def served_app(bridge: App) -> Iterator[Served]:
    with serve(bridge) as served:
        yield served


@pytest.fixture
def sandbox(served_app: Served) -> Iterator[Sandbox]:
    with Sandbox(served_app.url, "key", "secret") as running:
        yield running


def post(sandbox: Sandbox, path: str, **arguments: Any) -> requests.Response:
    return requests.post(sandbox.control_url + path, json=arguments, timeout=10)


def test_pressing_buttons_shows_consequences(sandbox: Sandbox, bridge: App) -> None:
    sandbox.connect_bridge("shop", "secret")
    page = post(sandbox, "/press/new-exchange").text
    for shown in ("RET-1", "increff_hold", "no verdict", "QC pass", "QC fail", "New exchange"):
        assert shown in page
    (pushed,) = bridge.bodies("/rms/return-orders")
    state = requests.get(sandbox.control_url + "/state").json()
    assert pushed["forwardOrderCode"] == str(state["shopify"]["orders"][0]["id"])
    assert state["shopify"]["orders"][1]["tags"] == ["increff_exchange", "increff_hold"]
    for button, status in (("qc-fail", "FAIL"), ("qc-pass", "PASS")):
        requests.post(f"{sandbox.control_url}/press/{button}", data={"code": "RET-1"})
        assert bridge.bodies("/rms/returns-processing-updates")[-1]["orderItems"][0]["qcStatus"] == status
    assert post(sandbox, "/press/self-destruct").status_code == 404


def test_allowed_methods_can_be_called(sandbox: Sandbox, bridge: App) -> None:
    post(sandbox, "/rms/connect", authUsername="shop", authPassword="secret")
    items = [{"itemCode": "I1", "sku": "S1", "reason": "Size"}]
    pushed = post(sandbox, "/rms/push_return", returnOrderCode="R", forwardOrderCode="1", items=items)
    assert (pushed.status_code, pushed.json(), bridge.calls[-1][2]) == (200, [200, None], "shop")
    assert post(sandbox, "/oms/effects").json() == {}
    requests.post(sandbox.oms_url + "/orders/outward", json=outward(), headers=sandbox_credential())
    assert post(sandbox, "/oms/order", code="1001").json()["on_hold"] is True
    order = post(sandbox, "/shopify/create_order", tags=["a"]).json()
    post(sandbox, "/shopify/edit_tags", order_id=order["id"], add=["b"], remove=["a"])
    assert post(sandbox, "/shopify/order", order_id=order["id"]).json()["tags"] == ["b"]
    requests.post(sandbox.partner_url + "/qc", json={})
    assert [entry["path"] for entry in post(sandbox, "/partner/received").json()] == ["/qc"]


def sandbox_credential() -> dict[str, str]:
    return {name: f"sandbox-oms{'-password' if name == 'authPassword' else ''}" for name in HEADERS}


def test_reset_forgets_data_and_keeps_the_shop(sandbox: Sandbox) -> None:
    post(sandbox, "/press/new-exchange")
    assert post(sandbox, "/reset").status_code == 200
    state = requests.get(sandbox.control_url + "/state").json()
    assert (state["shopify"]["orders"], state["rms"]["returns"]) == ([], {})
    assert sandbox.access_token in sandbox.shopify.tokens


@pytest.mark.parametrize(
    ("path", "arguments", "status"),
    [
        ("/oms/__init__", {}, 404),
        ("/rms/send_raw", {}, 404),
        ("/nobody/reset", {}, 404),
        ("/oms/order", {"nonsense": 1}, 400),
        ("/oms/pick_and_invoice", {"order_code": "9"}, 409),
        ("/rms/let_go", {"order": "sideways"}, 400),
        ("/rms/connect", {"username": "only"}, 400),
        ("/rms/faults", {}, 404),
    ],
)
def test_bad_control_calls_say_why(sandbox: Sandbox, path: str, arguments: dict[str, Any], status: int) -> None:
    answer = post(sandbox, path, **arguments)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")


def test_faults_are_set_and_cleared_over_http(sandbox: Sandbox) -> None:
    post(sandbox, "/oms/faults", match="/orders", kind="status", status=500)
    assert requests.post(sandbox.oms_url + "/orders/outward").status_code == 500
    assert requests.get(sandbox.control_url + "/state").json()["faults"]["oms"][0]["hits"] == 1
    assert requests.delete(sandbox.control_url + "/oms/faults").json() == []
    assert requests.post(sandbox.oms_url + "/orders/outward").status_code == 401
    assert post(sandbox, "/oms/faults", kind="explode").status_code == 400


def test_what_others_wrote_is_shown_as_text(sandbox: Sandbox) -> None:
    requests.post(sandbox.partner_url + "/qc", data="<script>alert(1)</script>")
    assert "<script>alert(1)" not in requests.get(sandbox.control_url).text


def test_the_command_line_starts_and_stops_cleanly(served_app: Served) -> None:
    base = free_ports()
    given = ["--app-url", served_app.url, "--api-key", "k", "--api-secret", "s", "--port-base", str(base)]
    command = [sys.executable, "-m", "simulators", *given]
    started = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True
    )
    with started:
        assert started.stdout is not None
        told = json.loads(started.stdout.readline())
        assert told["control"] == f"http://127.0.0.1:{base}"
        assert told["partner"] == f"http://127.0.0.1:{base + 4}"
        assert requests.get(told["control"] + "/state").json()["shop"] == "exchange-demo.myshopify.com"
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=10) == 0


def free_ports() -> int:
    """A base with five free ports, below the range the system hands out itself."""
    while True:
        base = random.randrange(20_000, 30_000)
        with ExitStack() as stack:
            try:
                for offset in range(5):
                    stack.enter_context(socket.create_server(("127.0.0.1", base + offset)))
            except OSError:
                continue
            return base
