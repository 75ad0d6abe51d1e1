"""The published contract against the running app: what it calls valid is taken, what it calls invalid is not.

Schemathesis makes the bodies. Time is bounded: a fixed number of examples per endpoint, the same ones each run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import pytest
import schemathesis
from flask import Flask, request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.config import SchemathesisConfig

from app import create_app
from core.clock import render_time
from core.config import Config
from core.flows import credentials, tenants
from core.migrations import upgrade
from core.relay.jobs import work
from core.runtime import Runtime
from tests.integration.conftest import settings_of_tests

EXAMPLES, FEWER = 12, 3  # per endpoint and mode; fewer where another endpoint has the same schema
SHOP = "contract-test.myshopify.com"
Headers = dict[str, str]
ENDPOINTS = (
    ("POST", "/rms/return-orders"),
    ("POST", "/rms/notifications"),
    ("POST", "/rms/returns-processing-updates"),
    ("PUT", "/rms/returns-processing-updates"),
    ("POST", "/oms/return-acknowledgements"),
    ("PUT", "/oms/return-acknowledgements"),
    ("PUT", "/oms/seller-cancellations"),
    ("POST", "/hooks/clickpost/{key}"),
    ("POST", "/hooks/st/{key}"),
)
TWINS = {("PUT", "/rms/returns-processing-updates"), *(one for one in ENDPOINTS if "acknowledge" in one[1])}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The rules that the document says in words: a body it calls valid may break these and no others.
IN_WORDS = re.compile(
    r"""
      (awbNumber|transporter):\ (required|must\ not\ be\ empty)     # this shop's rms.awb_source is partner
    | .*:\ (not\ a\ time|a\ time\ needs\ its\ offset.*)             # Times
    | orderItems\[\d+\]\.itemCode:\ the\ same\ as\ .*
    | orderDetails\.codValue:\ must\ be\ more\ than\ 0\ when\ isCod\ is\ true
    | (items|lineItems)\[\d+\]\.sku:\ (required|must\ not\ be\ empty)
    | items:\ (more\ than\ .*\ pieces|.*\ pieces\ would\ go\ by\ the\ code\ .*|a\ piece's\ code\ would\ be\ longer\ .*)
    | orderItems\[\d+\]\.\w+:\ contradicts\ .*
    | orderItems:\ the\ same\ orderItemCode\ is\ given\ twice
    | .*:\ must\ be\ a\ whole\ number                             # 1.0, which JSON Schema counts as one
    | .*:\ number\ too\ large                                       # a whole number of hundreds of digits
    """,
    re.VERBOSE | re.DOTALL,
)
at_every_endpoint = pytest.mark.parametrize(("method", "path"), ENDPOINTS)
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
schemathesis.openapi.format("increff-time", st.datetimes(timezones=st.just(UTC)).map(render_time))


@dataclass
class Live:
    """The app, its document as Schemathesis reads it, and what opens its doors."""

    app: Flask
    schema: Any
    headers: dict[str, Headers]  # by the first word of the path
    keys: dict[str, str]  # hook keys, by path
    answers: Counter[int] = field(default_factory=Counter)

    def make_cases(self, method: str, path: str, mode: GenerationMode, headers: Headers | None = None) -> Any:
        """Cases with the right credentials, or with these headers and a key of nobody's."""
        right = headers is None
        given_headers = self.headers.get(path.split("/")[1], {}) if headers is None else headers
        key = {"path_parameters": {"key": self.keys[path] if right else "nobody"}} if path in self.keys else {}
        return self.schema[path][method].as_strategy(generation_mode=mode, headers=given_headers, **key)

    def send(self, case: Any) -> Any:
        """Send a case and prove that the answer is in the document."""
        answer = case.call()
        self.answers[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        return answer


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Live]:
    """One app on SQLite. A seller cancellation is worked on at once: its answer waits for the end."""
    folder = tmp_path_factory.mktemp("contract")
    app = create_app(Config(**settings_of_tests(f"sqlite:///{folder}/contract.db", valkey, folder)))
    runtime: Runtime = app.extensions["returnbridge"]
    upgrade(runtime.database)
    with runtime.database.write() as session:
        shop = tenants.add_shop(session, runtime.keyring, SHOP, None)
        made = {system: credentials.make_credential(session, shop, system) for system in ("rms", "oms")}
        keys = {
            f"/hooks/{name}/{{key}}": credentials.rotate_hook_key(session, shop, name) for name in ("clickpost", "st")
        }
    headers = {name: {"authUsername": one.username, "authPassword": one.password} for name, one in made.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            runtime.bell, "ring_soon", lambda: request.path == "/oms/seller-cancellations" and work(runtime, 5)
        )
        yield Live(app, _read_schema(app), headers, keys)
    runtime.database.dispose()


def _read_schema(app: Flask) -> Any:
    config = SchemathesisConfig.from_dict({"generation": {"allow-x00": False}})
    schema = schemathesis.openapi.from_wsgi("/rms/openapi.json", app, config=config)
    # times are any text to a validator, but valid ones are made
    schema.raw_schema["components"]["schemas"]["Time"]["anyOf"][0]["format"] = "increff-time"
    return schema


def _try_cases(live: Live, cases: Any, prove: Callable[[Any, Any], None], count: int) -> None:
    live.answers.clear()

    @settings(bounded, max_examples=count)
    @given(case=cases)
    def run(case: Any) -> None:
        prove(case, live.send(case))

    run()


def _count(method: str, path: str) -> int:
    return FEWER if (method, path) in TWINS else EXAMPLES


def _name_courier(case: Any) -> Any:
    """As this shop's rms.awb_source wants it, in most cases: else hardly a return order would be taken."""
    if len(case.body["returnOrderCode"]) % 4:
        case.body |= {"awbNumber": "HYN402", "transporter": "Delhivery"}
    return case


def test_every_endpoint_of_the_document_is_tried(live: Live) -> None:
    listed = {(one.ok().method.upper(), one.ok().path) for one in live.schema.get_all_operations()}
    assert listed == set(ENDPOINTS)


@at_every_endpoint
def test_a_valid_body_is_taken_or_breaks_a_rule_said_in_words(live: Live, method: str, path: str) -> None:
    def prove(case: Any, answer: Any) -> None:
        if answer.status_code == 200:
            return
        assert answer.status_code == 400, (answer.status_code, answer.text)
        faults = answer.json()["description"].split("; ")
        unexplained = [fault for fault in faults if not IN_WORDS.fullmatch(fault)]
        assert not unexplained, (unexplained, case.body)

    cases = live.make_cases(method, path, GenerationMode.POSITIVE)
    _try_cases(live, cases.map(_name_courier) if path == "/rms/return-orders" else cases, prove, _count(method, path))
    assert live.answers[200] >= 1, live.answers


@pytest.mark.parametrize(("method", "path"), [one for one in ENDPOINTS if "/hooks/" not in one[1]])
def test_an_invalid_body_is_refused(live: Live, method: str, path: str) -> None:
    def prove(case: Any, answer: Any) -> None:
        assert answer.status_code in (400, 415), (answer.status_code, case.body, answer.text)

    _try_cases(live, live.make_cases(method, path, GenerationMode.NEGATIVE), prove, _count(method, path))
    assert live.answers[400] >= 2, live.answers


@at_every_endpoint
def test_the_examples_of_the_document_are_taken(live: Live, method: str, path: str) -> None:
    document = live.app.test_client().get("/rms/openapi.json").get_json()
    content = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
    for name, example in content["examples"].items():
        place = path.format(key=live.keys.get(path, ""))
        headers = live.headers.get(path.split("/")[1])
        answer = live.app.test_client().open(place, method=method, json=example["value"], headers=headers)
        assert answer.status_code == 200, (name, answer.text)


NOBODY = {"authUsername": "nobody", "authPassword": "wrong", "webhook_key": "wrong", "x-api-key": "wrong"}


@at_every_endpoint
def test_without_credentials_always_401(live: Live, method: str, path: str) -> None:
    def prove(case: Any, answer: Any) -> None:
        assert answer.status_code == 401

    for headers in {}, NOBODY:
        _try_cases(live, live.make_cases(method, path, GenerationMode.POSITIVE, headers), prove, FEWER)
