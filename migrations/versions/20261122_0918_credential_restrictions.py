"""credential restrictions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0918"
down_revision = "20261122_0714"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bridge_credentials", sa.Column("auth_domain", sa.String(length=255), nullable=True))
    op.add_column("bridge_credentials", sa.Column("networks", _JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("bridge_credentials", "networks")
    op.drop_column("bridge_credentials", "auth_domain")
