"""verdicts said again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_1313"
down_revision = "20261122_1248"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verdicts", sa.Column("repeated_by", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("verdicts", "repeated_by")
