"""Who may import whom, and which few files may touch the outside (DESIGN §4)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.house.source import AROUND, OWN, PRODUCT, ROOT, Source, read_sources, within

HTTP_CLIENTS = ("requests", "urllib3", "urllib.request", "http.client", "httpx", "aiohttp", "websockets")
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv")
CLOCKS = (
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "gmtime", "ctime")),
    *("time.localtime", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.date.today", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
)
Find = Callable[[Source], Iterable[tuple[int, str]]]


def find_http(source: Source) -> list[tuple[int, str]]:
    """HTTP clients imported."""
    return [(line, name) for line, name in source.imports if within(name, *HTTP_CLIENTS)]


def find_shopify_api(source: Source) -> list[tuple[int, str]]:
    """Imports of ShopifyAPI."""
    return [(line, name) for line, name in source.imports if within(name, "shopify")]


def find_reports(source: Source) -> list[tuple[int, str]]:
    """Imports of Sentry's SDK, which sends past the door, and costs memory where nobody wants reports."""
    return [(line, name) for line, name in source.imports if within(name, "sentry_sdk")]


def find_environment(source: Source) -> list[tuple[int, str]]:
    """Uses of the environment."""
    return [(line, name) for line, name in [*source.names, *source.imports] if within(name, *ENVIRONMENT)]


def find_clocks(source: Source) -> list[tuple[int, str]]:
    """Uses of the wall clock or the monotonic one; sleeping is none."""
    return [(line, name) for line, name in [*source.names, *source.imports] if within(name, *CLOCKS)]


def find_strangers(source: Source) -> list[tuple[int, str]]:
    """Imports of the simulators or the tests."""
    return [(line, name) for line, name in source.imports if within(name, "simulators", "tests")]


def find_relative(source: Source) -> list[tuple[int, str]]:
    """Relative imports: the other finders read full names only."""
    return [(line, name) for line, name in source.imports if name.startswith(".")]


def find_imports_by_text(source: Source) -> list[tuple[int, str]]:
    """Our own modules imported by their name as text, which no import contract can see."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and node.args]
    given = [(one.lineno, one.args[0]) for one in calls if _is_import(one.func)]
    texts = [(line, str(first.value)) for line, first in given if isinstance(first, ast.Constant)]
    return [(line, text) for line, text in texts if within(text, *OWN, "simulators", "tests")]


def _is_import(called: ast.expr) -> bool:
    return ast.unparse(called).rpartition(".")[2] in ("import_module", "__import__", "import_string")


RULES: dict[str, tuple[Find, tuple[str, ...], str]] = {
    "http": (find_http, ("core/http.py",), "import requests"),
    "shopify_api": (find_shopify_api, ("shopify_app/",), "from shopify.utils import shop_url"),
    "reports": (find_reports, ("core/reporting.py",), "def late():\n    import sentry_sdk"),
    "environment": (find_environment, ("core/config.py",), "from os import environ as e\ne['A']"),
    "clock": (find_clocks, ("core/clock.py",), "import datetime as d\nd.datetime.now()"),
    "strangers": (find_strangers, (), "def late():\n    from simulators import sandbox"),
    "relative": (find_relative, (), "from . import client"),
    "imports_by_text": (find_imports_by_text, (), "from importlib import import_module\nimport_module('app')"),
}


@pytest.mark.parametrize("rule", RULES)
def test_only_the_named_files_touch_it(rule: str) -> None:
    find, allowed, _ = RULES[rule]
    sources = [one for one in read_sources(*PRODUCT, *AROUND) if not one.path.startswith(allowed or ("-",))]
    assert len(sources) > 50
    found = [f"{one.path}:{line} {name}" for one in sources for line, name in find(one)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_can_be_broken_and_is_in_use(rule: str) -> None:
    find, allowed, planted = RULES[rule]
    assert list(find(Source("planted.py", planted)))
    for place in allowed:
        assert any(list(find(one)) for one in read_sources(place)), f"{place} does not need to be allowed any more"


@pytest.mark.parametrize("planted", ["import time\ntime.time()", "from datetime import datetime\ndatetime.now()"])
def test_the_clock_is_found_under_each_name(planted: str) -> None:
    assert find_clocks(Source("planted.py", planted))
    assert not find_clocks(Source("planted.py", "import time\ntime.sleep(1)\nfrom datetime import datetime, UTC"))


def test_the_domain_uses_the_standard_library_only() -> None:
    strange = [
        f"{one.path}:{line} {name}"
        for one in read_sources("core/domain")
        for line, name in one.imports
        if name.partition(".")[0] not in sys.stdlib_module_names and not within(name, "core.domain")
    ]
    assert not strange, "\n".join(strange)


def test_the_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    told = subprocess.run([lint, "--no-cache", "--no-logo"], check=False, cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.search(r"Contracts: \d{2} kept, 0 broken", told.stdout), told.stdout
