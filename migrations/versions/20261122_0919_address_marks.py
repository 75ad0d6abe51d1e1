"""address marks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0919"
down_revision = "20261122_0918"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("oms_orders", sa.Column("address", _JSON, nullable=True))
    op.add_column("orders", sa.Column("address", _JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "address")
    op.drop_column("oms_orders", "address")
