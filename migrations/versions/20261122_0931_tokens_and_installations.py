"""tokens and installations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0931"
down_revision = "20261122_0919"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("triggered_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("installed_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("uninstalled_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("access_expires_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("refresh_token", sa.LargeBinary(), nullable=True))
    op.add_column("shops", sa.Column("refresh_expires_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("scopes", sa.Text(), nullable=True))
    op.add_column("shops", sa.Column("renewing_until", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("refused_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "refused_at")
    op.drop_column("shops", "renewing_until")
    op.drop_column("shops", "scopes")
    op.drop_column("shops", "refresh_expires_at")
    op.drop_column("shops", "refresh_token")
    op.drop_column("shops", "access_expires_at")
    op.drop_column("shops", "uninstalled_at")
    op.drop_column("shops", "installed_at")
    op.drop_column("events", "triggered_at")
