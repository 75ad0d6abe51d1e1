"""A headless Chromium for the pages inside the stand-in admin."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from core.config import Config
from tests.flows.stage import Stage


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; without one these tests are skipped, and say so."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None and os.environ.get("BROWSER_REQUIRED"):
        pytest.fail("no Chromium, and BROWSER_REQUIRED says that the tests of the pages must run")
    if path is None:
        pytest.skip("NO CHROMIUM: the tests of the pages did NOT run; install the package chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def stage(config: Config) -> Iterator[Stage]:
    """The bridge, the simulators and one live shop."""
    built = Stage(config)
    yield built
    built.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own. `page.complaints` is what the browser's console had to say against it."""
    context = browser.new_context()
    opened: Any = context.new_page()
    opened.complaints = []
    opened.on(
        "console",
        lambda line: opened.complaints.append(f"{line.text} {line.location}") if line.type == "error" else None,
    )
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    context.close()
