"""Makes the README's pictures of the pages, from the pages as they are: `make pictures` writes them to docs/images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.walks import enter, expect_banner, field, press
from tests.flows.stage import Stage

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_settings_after_a_save_with_a_fault(page: Any, stage: Stage) -> None:
    page.set_viewport_size({"width": 1180, "height": 760})
    frame = enter(page, stage, "/settings")
    field(frame, "exchange.hold_tag").fill("increff,hold")
    press(frame, "Save")
    expect_banner(frame, re.compile("Nothing was saved"))
    take(page, "settings")


def test_an_exchange_that_needs_a_decision(page: Any, stage: Stage) -> None:
    order = stage.new_order([{"sku": "SKU-A", "quantity": 1}, {"sku": "SKU-B", "quantity": 1}])
    stage.push_return({"A": "SKU-C", "B": "SKU-D"})
    stage.settle()
    stage.judge({"A": "PASS", "B": "FAIL:STAIN_DAMAGE"})
    stage.settle()
    page.set_viewport_size({"width": 390, "height": 760})
    frame = enter(page, stage, "/activity")
    frame.get_by_role("link", name=order["name"]).click()
    frame.get_by_text("You: decide below.").wait_for()
    take(page, "exchange")


def take(page: Any, name: str) -> None:
    """What is seen in the window."""
    page.screenshot(path=IMAGES / f"{name}.png")
