"""Reports of faults: a real listener stands for Sentry, canaries are where a report might take them from."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import sentry_sdk
from flask import request

from app import create_app
from core.config import Config
from core.errors import Transient
from core.reporting import start_reporting, strip_report
from tests.house.source import ROOT
from tests.integration.bridge import SHOP, sign
from tests.integration.conftest import settings_of_tests
from tests.security.test_transport import HEAD, run_web, speak, statuses

CANARIES = ("canary-of-a-body", "canary-of-a-token", "canary-of-an-argument", "canary-of-a-local", "canary-of-a-query")
BODY, TOKEN, ARGUMENT, LOCAL, QUERY = CANARIES
KEPT = {"event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk"}
SECRET = "test-secret-of-at-least-thirty-two-bytes"
SECONDS = 60


@dataclass
class Listener:
    """Takes reports in: whole envelopes, headers included, as text."""

    port: int = 0
    taken: list[str] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    @property
    def dsn(self) -> str:
        return f"http://abc123@127.0.0.1:{self.port}/7"

    def wait(self) -> str:
        assert self.came.wait(SECONDS), "no report came"
        return "\n".join(self.taken)

    def find(self, words: str) -> dict[str, Any]:
        """The event that holds these words; others of this process may come beside it."""
        for _ in range(SECONDS * 20):
            for one in self.list_events():
                if words in json.dumps(one):
                    return one
            time.sleep(0.05)
        raise AssertionError(f"no report holds {words}: {self.taken}")

    def list_events(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for one in self.taken for line in one.splitlines() if line.startswith("{")]
        return [line for line in lines if "level" in line]


@pytest.fixture
def listener() -> Iterator[Listener]:
    built = Listener()

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            text = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            built.taken.append(f"{self.path}\n{self.headers}\n{text.decode()}")
            built.came.set()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    built.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield built
    server.shutdown()
    server.server_close()


@pytest.fixture
def reporting(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """This process reports, and stops afterwards. However busy the machine is, a report is waited for."""
    monkeypatch.setattr("core.reporting._SEND_SECONDS", float(SECONDS))
    start_reporting(listener.dsn)
    yield listener
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.get_global_scope().set_client(None)


def prove_clean(text: str) -> None:
    assert [one for one in CANARIES if one in text] == []


def break_with(secret: str) -> None:
    inner = f"{secret} {LOCAL}"
    raise ValueError(inner)


def test_a_fault_of_a_door_is_reported_and_nothing_of_the_call(reporting: Listener, config: Config) -> None:
    app = create_app(config)

    def fail() -> None:
        break_with(request.get_data(as_text=True))

    app.add_url_rule("/breaks", view_func=fail, methods=["POST"])
    headers = {"Authorization": f"Bearer {TOKEN}", "authPassword": TOKEN, "Cookie": f"a={TOKEN}"}
    answer = app.test_client().post(f"/breaks?id_token={QUERY}", json={"a": BODY}, headers=headers)
    incident = answer.get_json()["description"]
    event = reporting.find(incident)
    prove_clean(reporting.wait())
    (fault,) = event["exception"]["values"]
    assert fault["type"] == "ValueError"
    assert fault["stacktrace"]["frames"][-1]["function"] == "break_with"
    assert set(event) <= {*KEPT, "exception", "logentry"}


def test_the_canaries_would_be_found(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same fault, reported as the SDK does it by itself, tells them."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    sentry_sdk.init(dsn=listener.dsn, auto_session_tracking=False, auto_enabling_integrations=False)
    try:
        break_with(BODY)
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    text = listener.wait()
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.get_global_scope().set_client(None)
    assert BODY in text
    assert LOCAL in text


def test_what_strangers_log_is_reported_without_its_words(reporting: Listener) -> None:
    import logging

    logging.getLogger("core.relay.thinking").warning("nobody is told of a warning")
    try:
        break_with(BODY)
    except ValueError:
        logging.getLogger("rq.worker").error("job failed: %s", ARGUMENT, exc_info=True, extra={"secret": TOKEN})
    event = reporting.find("rq.worker")
    assert "logentry" not in event
    assert {one["level"] for one in reporting.list_events()} == {"error"}
    prove_clean(reporting.wait())


def test_a_chain_of_faults_keeps_its_kinds_and_no_words(reporting: Listener) -> None:
    import logging

    try:
        try:
            break_with(BODY)
        except ValueError as error:
            error.add_note(ARGUMENT)
            raise Transient(f"no {TOKEN}") from error
    except Transient:
        logging.getLogger("core.relay.delivery").exception("effect %s", 7)
    event = reporting.find("effect 7")
    assert [one["type"] for one in event["exception"]["values"]] == ["ValueError", "Transient"]
    assert event["logentry"] == {"message": "effect 7"}
    prove_clean(reporting.wait())


def test_a_report_is_made_of_what_is_listed() -> None:
    event = {
        **{one: {"a": BODY} for one in ("user", "request", "tags", "extra", "contexts", "breadcrumbs", "modules")},
        **{"server_name": BODY, "message": BODY, "logger": "core.x", "level": "error"},
        "logentry": {"message": "a %s", "formatted": "a 1", "params": [BODY]},
        "exception": {"values": [{"type": "E", "value": BODY, "mechanism": {"data": BODY}, "stacktrace": None}]},
    }
    prove_clean(json.dumps(strip_report(event)))
    assert strip_report({}) == {}


def start(listener: Listener, *words: str, folder: Path, **more: str) -> subprocess.Popen[str]:
    settings = settings_of_tests("sqlite:///" + str(folder / "empty.db"), None, folder)
    variables = {name.upper(): str(value) for name, value in settings.items() if value is not None}
    environment = {**os.environ, **variables, "SENTRY_DSN": listener.dsn, **more}
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


PATIENT = f"import core.reporting as r; r._SEND_SECONDS = r._END_SECONDS = {SECONDS}.0\n"
FLASK = PATIENT + "import sys; from flask.cli import main; sys.argv[:1] = ['flask', '--app', 'app']; main()"


def test_a_sweeper_that_fails_reports_it(listener: Listener, tmp_path: Path) -> None:
    """Its database has no tables. A proxy of the environment, at which nobody is, is not used."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    process = start(listener, "-c", FLASK, "sweep", folder=tmp_path, **proxies)
    try:
        text = listener.wait()
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)
    assert "sweep failed" in text
    assert "OperationalError" in text
    assert "SELECT" not in text


def ask_to_forget(port: int) -> int:
    """A signed webhook whose body names a canary."""
    body = json.dumps({"customer": {"id": 7, "email": BODY}, "orders_to_redact": [1]}).encode()
    told = {"Topic": "customers/redact", "Shop-Domain": SHOP, "Hmac-Sha256": sign(body, SECRET), "Webhook-Id": "1"}
    request = Request(f"http://127.0.0.1:{port}/webhooks/shopify?token={QUERY}", data=body, method="POST")
    for name, value in told.items():
        request.add_header(f"X-Shopify-{name}", value)
    with urlopen(request, timeout=SECONDS) as answer:
        return int(answer.status)


def test_a_worker_that_meets_a_fault_reports_it_and_nothing_of_the_message(listener: Listener, tmp_path: Path) -> None:
    """Web takes a message in; then a table is gone, and the worker cannot think about it. So web cannot either."""
    with run_web(tmp_path, SENTRY_DSN=listener.dsn) as (port, _):
        assert ask_to_forget(port) == 200
        with sqlite3.connect(tmp_path / "web.db") as database:
            database.execute("DROP TABLE orders")
            database.execute("DROP TABLE bridge_credentials")
        used = {"DATABASE_URL": f"sqlite:///{tmp_path}/web.db"}
        start(listener, "-c", FLASK, "worker", "--burst", folder=tmp_path, **used).communicate(timeout=SECONDS)
        text = listener.wait()
        assert "event 1 shopify customers/redact" in text
        listener.came.clear()
        call = HEAD + f"authUsername: {TOKEN}\r\nauthPassword: {TOKEN}\r\nContent-Length: 20\r\n\r\n".encode()
        for _ in range(10):  # web gives a report up after 5 s, and does not send it again
            assert statuses(speak(port, call + b'{"a": "' + BODY.encode()[:11] + b'"}')) == [503]
            if listener.came.wait(5):
                break
        text = listener.wait()
    assert "POST /rms/notifications" in text
    prove_clean(text)


def test_what_ends_a_process_is_reported_before_it_ends(listener: Listener, tmp_path: Path) -> None:
    program = f"{PATIENT}from app import create_app; create_app(); raise RuntimeError({BODY!r})"
    process = start(listener, "-c", program, folder=tmp_path)
    _, errors = process.communicate(timeout=SECONDS)
    assert BODY in errors  # the operator's own terminal
    prove_clean(listener.wait())
    assert listener.find("RuntimeError")["exception"]["values"][0]["type"] == "RuntimeError"


WITHOUT = """
import sys, threading
from app import create_app
create_app()
loaded = [one for one in sys.modules if one.partition(".")[0] == "sentry_sdk"]
print(len(loaded), [one.name for one in threading.enumerate()])
"""


def test_without_an_address_nothing_is_loaded_and_no_thread_runs(listener: Listener, tmp_path: Path) -> None:
    process = start(listener, "-c", WITHOUT, folder=tmp_path, SENTRY_DSN="")
    told, errors = process.communicate(timeout=SECONDS)
    assert told.strip() == "0 ['MainThread']", errors


def test_a_service_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    """The listener's port takes connections and says nothing: the process ends all the same, and soon."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = "import logging\nfrom app import create_app\ncreate_app()\n"
        program += "for n in range(200): logging.getLogger('core').error('fault %s', n)\nprint('through')"
        process = start(Listener(silent.getsockname()[1]), "-c", program, folder=tmp_path)
        told, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, told.strip()) == (0, "through")
