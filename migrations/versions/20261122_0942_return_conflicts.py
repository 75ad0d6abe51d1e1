"""return conflicts."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_0942"
down_revision = "20261122_0940"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("return_orders", sa.Column("conflict_event_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("return_orders", "conflict_event_id")
