"""Indexes of only what waits for a person: parked effects, events parked or not understood."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_1036"
down_revision = "20261122_0946"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_effects_parked", "effects", "state = 'parked'"),
    ("ix_events_unsettled", "events", "outcome IN ('parked', 'unknown')"),
)


def upgrade() -> None:
    for name, table, where in _INDEXES:
        condition = sa.text(where)
        op.create_index(name, table, ["shop_id", "id"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name, table, _ in _INDEXES:
        op.drop_index(name, table_name=table)
