"""The code table of docs/partners.md is the one in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.statuses import Status
from rms_bridge.partners.clickpost import CODES, EVENTS
from rms_bridge.partners.shiprocket import ORDER_STATUSES, REFUSED_IN_ADDRESS, SHIPMENT_STATUSES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "partners.md").read_text()


@pytest.mark.parametrize("status", [*Status, None])
def test_the_page_lists_each_code(status: Status | None) -> None:
    tables = (CODES, EVENTS, ORDER_STATUSES, SHIPMENT_STATUSES)
    numbers = [", ".join(str(one) for one, means in table.items() if means == status) or "–" for table in tables]
    head = f"| `{status}` |" if status else "| none: kept as text |"
    assert f"{head} {' | '.join(numbers)} |" in PAGE.splitlines()


def test_the_page_names_what_an_address_may_not_contain() -> None:
    assert all(f"`{word}`" in PAGE for word in REFUSED_IN_ADDRESS)
