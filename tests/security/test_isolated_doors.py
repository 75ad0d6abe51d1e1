"""No shop reaches another's rows through a route or a command, also with the queries' own conditions taken away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from core.config import Config
from core.db import Database
from core.migrations import upgrade
from tests.integration.conftest import settings_of_tests
from tests.security.test_isolation import blunt, make_owned_url
from tests.security.two_shops import CANARY, ONE, TWO, fill, list_rows
from tests.unit.test_id_tokens import make_claims, make_token


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "postgresql, first wall taken away"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Flask]:
    """The app over two shops."""
    folder: Path = tmp_path_factory.mktemp("served")
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder}/served.db" if on_sqlite else make_owned_url(request.getfixturevalue("postgres"))
    settings = {
        **settings_of_tests(url, valkey, folder),
        "shopify_api_secret": "a-secret-of-at-least-thirty-two-bytes",
        "shopify_admin_url": "http://127.0.0.1:1/{shop}",
    }
    built = create_app(Config(**settings))
    database: Database = built.extensions["returnbridge"].database
    upgrade(database)
    fill(database)
    built.extensions["onlooker"] = Database(url)  # sees everything, whatever is done to the app's own
    undo = blunt(database) if "taken away" in request.param else lambda: None
    yield built
    undo()
    database.dispose()
    built.extensions["onlooker"].dispose()


def prove_untouched(app: Flask, before: Any, said: str, what: str) -> None:
    assert CANARY[TWO] not in said, what
    assert TWO not in said, what
    after = list_rows(app.extensions["onlooker"], TWO)
    assert after == before, what


KINDS, SYSTEMS = ("exchanges", "events", "effects"), ("rms", "oms")
ACTS = ("save", "test:oms", "retry", "drop", "release", "cancel", "hold", "link")


def list_paths(app: Flask, numbers: list[int]) -> Iterator[tuple[str, str]]:
    """Every route, by method, with these ids wherever one may stand."""
    for rule in app.url_map.iter_rules():
        for number, kind, system in itertools.product(numbers, KINDS, SYSTEMS):
            words = {"kind": kind, "system": system}
            _, path = rule.build({one: words.get(one, str(number)) for one in rule.arguments}) or ("", rule.rule)
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}):
                yield method, path


def visit(app: Flask, numbers: list[int], asked: dict[str, Any]) -> Iterator[tuple[str, TestResponse]]:
    """Every route as the first shop's staff, with every act and as JSON, naming these ids and this in the query."""
    claims = make_claims(iss=f"https://{ONE}/admin", dest=f"https://{ONE}")
    headers = {"Authorization": f"Bearer {make_token(claims)}", "Accept": "application/json"}
    client = app.test_client()
    for method, path in dict.fromkeys(list_paths(app, numbers)):
        acts = [{"action": act, "expected": "review", "code": "R1", **asked} for act in ACTS]
        sent = [{}] if method == "GET" else [{"json": asked}, *({"data": act} for act in acts)]
        for one in sent:
            answer = client.open(path, method=method, headers=headers, query_string=asked, **one)
            yield f"{method} {path} {one}", answer


def list_ids(rows: dict[str, list[dict[str, Any]]]) -> list[int]:
    return sorted({row["id"] for listed in rows.values() for row in listed if "id" in row})


def test_no_route_shows_or_changes_another_shops_rows(served: Flask) -> None:
    before = list_rows(served.extensions["onlooker"], TWO)
    mine = set(list_ids(list_rows(served.extensions["onlooker"], ONE)))
    theirs = [number for number in list_ids(before) if number not in mine]
    answers = {}
    for number in theirs:
        asked = {"id": number, "shop": TWO, "shop_id": before["shops"][0]["id"], "exchange_id": number}
        for what, answer in visit(served, [number], asked):
            prove_untouched(served, before, answer.text, what)
            answers[what] = answer.status_code
    answered = {one.partition("/")[2].partition(" ")[0] for one, status in answers.items() if status == 200}
    assert {"activity", "activity/events", "settings"} <= answered
    assert all(status < 500 for status in answers.values()), answers


def test_the_same_visits_show_and_change_the_shops_own_rows(served: Flask) -> None:
    """What the test above rests on: these visitors are let in, and these acts are acts."""
    mine = list_rows(served.extensions["onlooker"], ONE)
    numbers = {kind: mine[kind][0]["id"] for kind in KINDS}
    shown = {what: answer for number in set(numbers.values()) for what, answer in visit(served, [number], {})}
    for kind, number in numbers.items():
        assert shown[f"GET /activity/{kind}/{number} {{}}"].status_code == 200
    assert CANARY[ONE] in shown["GET /settings {}"].text
    after = list_rows(served.extensions["onlooker"], ONE)
    acts = {row["action"] for row in after["audit_log"]}
    assert {"event.replayed", "credential.made", "settings.saved"} <= acts
    assert acts & {"effect.retried", "effect.dropped"}
    assert any(
        "the order is cancelled in Shopify" in answer.text for answer in shown.values()
    )  # a decision was taken in


def list_commands(app: Flask) -> Iterator[list[str]]:
    """Every command that names a shop, naming the first one."""

    def walk(command: click.Command, words: list[str]) -> Iterator[list[str]]:
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from walk(inner, [*words, name])
            return
        names = {one.name for one in command.params}
        if "domain" in names:
            yield [*words, ONE]
        elif "shop" in names:
            yield [*words, "--shop", ONE]

    for name, command in app.cli.commands.items():
        yield from walk(command, [name])


MORE = {
    "rotate": ["rms"],
    "restrict": ["rms"],
    "reconcile": ["--since", "2026-01-01"],
    "configure": ["--file", __file__],
}


def test_no_command_for_one_shop_shows_or_changes_another(served: Flask) -> None:
    before = list_rows(served.extensions["onlooker"], TWO)
    found = list(list_commands(served))
    assert len(found) >= 10
    for words in found:
        said = served.test_cli_runner().invoke(args=[*words, *MORE.get(words[-2], [])]).output
        prove_untouched(served, before, said, " ".join(words))


BY_ROW = {
    "effects": ["retry", "cancel"],
    "events": ["show", "replay", "replay --dry-run"],
    "exchanges": ["show", "decide {} hold", "link {} R1"],
}


def test_a_command_for_one_row_shows_and_changes_its_shop_only(served: Flask) -> None:
    """A row's id is the whole installation's: what such a command finds is the shop of the row, and stays in it."""
    onlooker = served.extensions["onlooker"]
    before, mine = list_rows(onlooker, TWO), list_rows(onlooker, ONE)
    for group, commands in BY_ROW.items():
        for command in commands:
            number = str(mine[group][0]["id"])
            filled = command.format(number) if "{}" in command else f"{command} {number}"
            said = served.test_cli_runner().invoke(args=[group, *filled.split()]).output
            assert "no such" not in said
            assert f"no {group[:-1]}" not in said
            prove_untouched(served, before, said, f"{group} {filled}")


def test_every_command_that_names_no_shop_is_known(served: Flask) -> None:
    """It is one for a row, tested above, or is about the whole installation and prints what an operator may see."""
    by_row = {
        (name, one)
        for name, group in served.cli.commands.items()
        if isinstance(group, click.Group)
        for one, command in group.commands.items()
        if {parameter.name for parameter in command.params} & {"effect_id", "event_id", "exchange_id"}
    }
    assert by_row == {(group, one.split()[0]) for group, commands in BY_ROW.items() for one in commands}
