"""What stands in templates: only elements and attributes that Polaris has, nothing inline, nothing unescaped.

`polaris_elements_1.1.0.json` lists each element's attributes and slots: names taken from Shopify's published manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from core.domain.differences import Kind
from core.domain.effects import KINDS
from core.domain.exchange import State
from core.settings import PartnerSettings, Settings
from shopify_app import labels, words
from shopify_app.forms import SECTIONS, list_fields
from shopify_app.listings import SHOWN_ELSEWHERE
from tests.house.source import ROOT, read_sources

POLARIS = json.loads((Path(__file__).parent / "polaris_elements_1.1.0.json").read_text())
APP_BRIDGE = {"s-app-nav": {"attributes": [], "slots": [""]}}  # Shopify's too, but not in that manifest
EVERYWHERE = {"id", "slot", "class", "tabindex"}
BY_APP_BRIDGE = {"s-link": {"rel"}}  # rel="home" inside s-app-nav
VOID = {"input", "link", "meta", "br", "img", "hr"}
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))
STRICT = [path for path in TEMPLATES if path.name != "api_docs.html"]  # that page is public and has a policy of its own
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}", re.DOTALL)


class _Checker(HTMLParser):
    """Collects faults. Jinja's control is taken out, so both sides of every `if` are seen."""

    def __init__(self, text: str):
        super().__init__()
        self.faults: list[str] = []
        self.elements = 0
        self._open: list[str] = []
        self.feed(re.sub(r"\{\{.*?\}\}", "x", JINJA.sub("", text), flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.faults += [f"{self.getpos()[0]}: {fault}" for fault in self._check(tag, dict(attrs))]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"{self.getpos()[0]}: </{tag}> closes nothing")

    def _check(self, tag: str, attributes: dict[str, str | None]) -> Iterator[str]:
        if tag.startswith("s-"):
            self.elements += 1
            yield from self._check_polaris(tag, attributes)
        if tag == "style" or (tag == "script" and not attributes.get("src")):
            yield f"inline <{tag}>"
        yield from (f"inline {name}" for name in attributes if name == "style" or name.startswith("on"))

    def _check_polaris(self, tag: str, attributes: dict[str, str | None]) -> Iterator[str]:
        known = {**POLARIS, **APP_BRIDGE}.get(tag)
        if known is None:
            yield f"<{tag}> is no element of Polaris"
            return
        allowed = {*known["attributes"], *EVERYWHERE, *BY_APP_BRIDGE.get(tag, set())}
        yield from (f"<{tag} {name}>" for name in attributes if name not in allowed and name[:5] != "data-")
        slot = attributes.get("slot")
        if slot and slot not in {**POLARIS, **APP_BRIDGE}.get(self._open[-1], {"slots": []})["slots"]:
            yield f'<{tag} slot="{slot}"> in <{self._open[-1]}>, which has no such slot'


@pytest.mark.parametrize("path", STRICT, ids=lambda path: path.name)
def test_a_template_holds_only_what_polaris_has_and_nothing_inline(path: Path) -> None:
    assert _Checker(path.read_text()).faults == []


def test_the_templates_are_seen() -> None:
    assert sum(_Checker(path.read_text()).elements for path in STRICT) > 150


@pytest.mark.parametrize(
    "planted",
    [
        "<s-pgae></s-pgae>",
        '<s-button colour="red"></s-button>',
        "<s-text-field{% if x %} oninput='y()'{% endif %}></s-text-field>",
        '<s-page><s-link slot="aside-left"></s-link></s-page>',
        "<script>alert(1)</script>",
        '<p style="color: red">x</p>',
        "<style>p {}</style>",
        "<s-box></s-page>",
    ],
)
def test_a_fault_would_be_found(planted: str) -> None:
    assert _Checker(planted).faults


def test_nothing_is_declared_safe() -> None:
    """Everything that comes from outside is escaped by Jinja, which nobody switches off."""
    for path in TEMPLATES:
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text()), path.name
    for source in read_sources("app.py", "shopify_app"):
        assert "Markup" not in source.text, source.path


def test_every_setting_has_its_label_and_every_choice_its_words() -> None:
    fields = [one for section in SECTIONS.values() for one in section]
    fields += list_fields(PartnerSettings, "partners.0", "partners")
    assert {one.key for one in fields} | {"mode"} == set(labels.LABELS)
    assert set(SECTIONS) == set(labels.SECTIONS) == set(Settings.model_fields) - {"mode", "partners"}
    for one in fields:
        assert (one.kind in ("choice", "flags") or one.key == "qc.reasons") == (one.key in labels.CHOICES), one.key
        assert (one.kind in ("pairs", "secret_pairs")) == (one.key in labels.UNITS), one.key


def test_everything_a_page_names_has_words() -> None:
    assert {*State} == set(words.EXCHANGE_STATES) == set(words.NEXT)
    assert set(KINDS) == set(words.KINDS)
    assert {*Kind} - set(SHOWN_ELSEWHERE) == set(words.FINDINGS)
    page = (ROOT / "docs" / "outcomes.md").read_text()
    for title, table in (("## Events", words.OUTCOMES), ("## Effects", words.EFFECT_STATES)):
        section = page.partition(title)[2].partition("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` ", section, re.MULTILINE)) == set(table) - {"waiting"}
    assert set(words.ADVICE) <= set(re.findall(r"^\| `(\w+)` ", page, re.MULTILINE))


def test_every_choice_of_a_setting_is_offered() -> None:
    for section in Settings.model_fields:
        model = Settings.model_fields[section].annotation
        for name, about in getattr(model, "model_fields", {"": Settings.model_fields[section]}).items():
            key = f"{section}.{name}".rstrip(".")
            offered = set(_list_literals(about.annotation))
            assert section == "partners" or offered == set(labels.CHOICES.get(key, ())), key
    for name, about in PartnerSettings.model_fields.items():
        assert set(_list_literals(about.annotation)) == set(labels.CHOICES.get(f"partners.{name}", ())), name


def _list_literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for one in get_args(annotation):
        yield from _list_literals(one)
