"""Every route asks who is calling, but for those listed here (DESIGN §5)."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.house.source import on_sqlite

PUBLIC = {
    "/auth/patch-id-token": "the bounce page, on which App Bridge fetches a token; holds nothing of any shop",
    "/healthz": "is the process alive",
    "/metrics": "figures, for callers on this machine or with METRICS_TOKEN (tests/security/test_metrics.py)",
    "/readyz": "can it work",
    "/rms/docs": "the published contract, to read",
    "/rms/openapi.json": "the published contract, for programs",
    "/static/<path:filename>": "files anybody may have",
}
ASKED = {"/auth/patch-id-token": "?shop=any-shop.myshopify.com&shopify-reload=/"}
WRONG = {
    "authUsername": "nobody.myshopify.com",
    "authPassword": "wrong",
    "Authorization": "Bearer wrong",
    "X-Shopify-Hmac-Sha256": "d3Jvbmc=",
    "X-Shopify-Shop-Domain": "nobody.myshopify.com",
    "X-Shopify-Topic": "orders/updated",
}


def _list_guarded(app: Flask) -> list[tuple[str, str]]:
    rules: list[Rule] = [rule for rule in app.url_map.iter_rules() if rule.rule not in PUBLIC]
    return sorted((method, _fill(rule)) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"})


def _fill(rule: Rule) -> str:
    _, path = rule.build(dict.fromkeys(rule.arguments, "1")) or ("", rule.rule)
    return path


@on_sqlite
@pytest.mark.parametrize("headers", [{}, WRONG], ids=["none", "wrong"])
def test_every_other_route_answers_401_without_credentials(built_app: Flask, headers: dict[str, str]) -> None:
    guarded = _list_guarded(built_app)
    assert len(guarded) >= 5
    client = built_app.test_client()
    answers = {place: client.open(place[1], method=place[0], json={}, headers=headers) for place in guarded}
    assert {place: answer.status_code for place, answer in answers.items() if answer.status_code != 401} == {}
    assert all(answer.get_json()["code"] == "UNAUTHORIZED" for answer in answers.values())


@on_sqlite
def test_the_public_ones_exist_and_are_not_guarded(built_app: Flask) -> None:
    rules = {rule.rule for rule in built_app.url_map.iter_rules()}
    assert set(PUBLIC) - {"/static/<path:filename>"} <= rules
    for path in sorted(set(PUBLIC) & rules - {"/static/<path:filename>"}):
        assert built_app.test_client().get(path + ASKED.get(path, "")).status_code == 200


@on_sqlite
def test_an_open_route_would_be_found(built_app: Flask) -> None:
    built_app.add_url_rule("/planted/<int:number>", view_func=lambda number: "", methods=["PUT"])
    assert ("PUT", "/planted/1") in _list_guarded(built_app)
