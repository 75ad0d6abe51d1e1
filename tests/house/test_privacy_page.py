"""docs/privacy.md tells of every table, and of every column that is sealed or holds somebody's words."""

from __future__ import annotations

import re

from core.db import Base
from core.flows.rekeying import SEALED
from tests.house.source import ROOT

PAGE = (ROOT / "docs" / "privacy.md").read_text()
INVENTORY = PAGE[PAGE.index("## Inventory") : PAGE.index("## Who receives what")]
ROWS = {row.split("|")[1]: row for row in INVENTORY.splitlines() if row.startswith("| `")}


def test_every_table_has_a_row_and_the_reverse() -> None:
    told = {name for cell in ROWS for name in re.findall(r"`(\w+)`", cell)}
    assert told == set(Base.metadata.tables)


def test_every_sealed_column_of_a_message_is_named() -> None:
    for sealed in SEALED:
        table, _, column = sealed.name.partition(".")
        row = next(row for cell, row in ROWS.items() if f"`{table}`" in cell)
        assert f"`{column}`" in row or table == "shops", sealed.name


def test_what_is_named_exists() -> None:
    for cell, row in ROWS.items():
        tables = re.findall(r"`(\w+)`", cell)
        columns = {column.name for table in tables for column in Base.metadata.tables[table].c}
        named = re.findall(r"`(\w+)`", row.split("|")[2]) + re.findall(r"`\w+\.(\w+)`", row.split("|")[2])
        assert set(named) <= columns | {"reasons"}, cell
