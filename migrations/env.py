"""Alembic's entry: the engine comes from core.migrations."""

from alembic import context

import core.models  # noqa: F401 - fills the metadata
from core.db import Base

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
