"""orders by their original."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_2249"
down_revision = "20261122_1313"
branch_labels = None
depends_on = None

_NAMED = sa.text("original_order IS NOT NULL")


def upgrade() -> None:
    columns = ["shop_id", "original_order"]
    op.create_index("ix_orders_original", "orders", columns, sqlite_where=_NAMED, postgresql_where=_NAMED)


def downgrade() -> None:
    op.drop_index("ix_orders_original", table_name="orders")
