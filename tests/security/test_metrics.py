"""`/metrics`: figures for the operator, and for nobody else."""

from __future__ import annotations

import pytest
from flask import Flask

from core.metrics import may_read
from tests.security.two_shops import fill

TOKEN = "a-token-of-the-operator"

CALLERS = [
    ({}, "127.0.0.1", None, True),
    ({}, "::1", None, True),
    ({}, "127.0.0.1", TOKEN, False),  # a proxy on this machine that adds no X-Forwarded-For looks like this
    ({"Authorization": f"Bearer {TOKEN}"}, "127.0.0.1", TOKEN, True),
    ({"X-Forwarded-For": "203.0.113.7"}, "127.0.0.1", None, False),
    ({}, "203.0.113.7", None, False),
    ({}, "10.0.0.1", TOKEN, False),
    ({}, None, TOKEN, False),
    ({}, "unix:", TOKEN, False),
    ({"X-Forwarded-For": "203.0.113.7"}, "127.0.0.1", TOKEN, False),
    ({"Forwarded": "for=127.0.0.1"}, "127.0.0.1", TOKEN, False),
    ({"Authorization": f"Bearer {TOKEN}"}, "203.0.113.7", TOKEN, True),
    ({"Authorization": "Bearer wrong"}, "203.0.113.7", TOKEN, False),
    ({"Authorization": "Bearer "}, "203.0.113.7", None, False),
    ({"Authorization": "Bearer é"}, "203.0.113.7", TOKEN, False),
]


@pytest.mark.parametrize(("headers", "address", "token", "may"), CALLERS)
def test_who_may_read(headers: dict[str, str], address: str | None, token: str | None, may: bool) -> None:
    assert may_read(headers, address, token) is may


def test_others_are_refused_at_the_door(built_app: Flask) -> None:
    answer = built_app.test_client().get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.7"})
    assert answer.status_code == 401
    assert answer.get_json()["code"] == "UNAUTHORIZED"


def test_an_empty_installation_has_figures_too(built_app: Flask) -> None:
    answer = built_app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert "returnbridge_oldest_event_seconds 0.0" in answer.text


def test_the_figures_name_no_shop_and_nothing_of_it(built_app: Flask) -> None:
    fill(built_app.extensions["returnbridge"].database)
    text = built_app.test_client().get("/metrics").text
    assert 'returnbridge_shops{mode="observe"} 2.0' in text
    assert "myshopify" not in text
    assert "returnbridge_exchanges{" in text
