"""Running Alembic over our own Database object, so that settings are read in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import core.models  # noqa: F401 - fills the metadata
from core.db import Base, Database
from core.isolation import isolate

_FOLDER = Path(__file__).parent.parent / "migrations"


def make_alembic_config(database: Database) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s")
    config.attributes["engine"] = database.engine
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision, and put up the wall between shops (core.isolation) around what is there."""
    command.upgrade(make_alembic_config(database), revision)
    isolate(database)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to a revision."""
    command.downgrade(make_alembic_config(database), revision)


def read_revision(database: Database) -> str | None:
    """The revision the tables are at; None for an empty database."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def find_differences(database: Database) -> list[Any]:
    """What autogenerate would change: empty when tables and models agree."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))
