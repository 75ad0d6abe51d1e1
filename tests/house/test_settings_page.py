"""`.env.example` shows every variable of a process with its default, and nothing else (DESIGN §6)."""

from __future__ import annotations

import base64
import re

from core.config import Config, load_config
from tests.house.source import ROOT

REQUIRED = {
    "SHOPIFY_API_KEY": "key",
    "SHOPIFY_API_SECRET": "a-secret-of-at-least-thirty-two-bytes",
    "ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
}
LINES = (ROOT / ".env.example").read_text().splitlines()
SHOWN = [(number, *line.partition("=")[::2]) for number, line in enumerate(LINES) if line and line[0] != "#"]


def test_every_variable_is_shown_once_and_nothing_else() -> None:
    assert sorted(name for _, name, _ in SHOWN) == sorted(field.upper() for field in Config.model_fields)


def test_no_variable_hides_in_a_comment() -> None:
    assert [line for line in LINES if re.match(r"#\s*\w+\s*=", line)] == []


def test_every_variable_has_a_line_that_says_what_it_means() -> None:
    for number, name, _ in SHOWN:
        above, before = LINES[number - 1], LINES[number - 2] if number > 1 else ""
        assert re.match(r"# \S.{10,}", above), name
        assert not before.startswith("#"), f"{name}: one line"


def test_the_required_ones_are_the_empty_ones_marked_so() -> None:
    required = {field.upper() for field, about in Config.model_fields.items() if about.is_required()}
    assert required == set(REQUIRED)
    assert {name for number, name, value in SHOWN if LINES[number - 1].startswith("# Required:")} == required
    assert not any(value for _, name, value in SHOWN if name in required)


def test_the_values_shown_are_the_defaults() -> None:
    shown = {name: value for _, name, value in SHOWN}
    plain = load_config(REQUIRED)
    assert load_config({**shown, **REQUIRED}) == plain
    for name, value in shown.items():
        if name not in REQUIRED:
            assert value or not getattr(plain, name.lower()), f"{name}: its default is not shown"


def test_a_wrong_default_would_be_found() -> None:
    assert load_config({**REQUIRED, "SETTLE_SECONDS": "31"}) != load_config(REQUIRED)
