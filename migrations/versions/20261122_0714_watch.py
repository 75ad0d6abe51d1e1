"""watch."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0714"
down_revision = "20261122_0709"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duty_turns",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("shop_id", _ID, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_duty_turns_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_duty_turns")),
    )
    op.create_index("ix_duty_turns_due", "duty_turns", ["due_at"], unique=False)
    op.create_index("ix_duty_turns_shop", "duty_turns", ["shop_id"], unique=False)
    op.create_table(
        "findings",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("repairable", sa.Boolean(), nullable=False),
        sa.Column("repairs", sa.Integer(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_findings_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_shop", "findings", ["shop_id", "id"], unique=False)
    op.create_index(
        "uq_findings_open",
        "findings",
        ["shop_id", "kind", "about"],
        unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "watch_places",
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("seen_until", sa.BigInteger(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("drift_after", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_watch_places_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_watch_places")),
    )


def downgrade() -> None:
    op.drop_table("watch_places")
    op.drop_index(
        "uq_findings_open",
        table_name="findings",
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.drop_index("ix_findings_shop", table_name="findings")
    op.drop_table("findings")
    op.drop_index("ix_duty_turns_shop", table_name="duty_turns")
    op.drop_index("ix_duty_turns_due", table_name="duty_turns")
    op.drop_table("duty_turns")
