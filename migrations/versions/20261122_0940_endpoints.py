"""Endpoints and their budgets; indexes of only those rows that wait."""

import sqlalchemy as sa
from alembic import op

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0940"
down_revision = "20261122_0931"
branch_labels = None
depends_on = None

_OPEN = "state IN ('pending', 'sending')"
_WAITING = "outcome IS NULL"
_INDEXES = (
    ("ix_effects_waiting", "effects", ["shop_id", "endpoint", "priority", "due_at", "id"], "state = 'pending'"),
    ("ix_effects_under_way", "effects", ["shop_id", "endpoint", "lease_until"], "state = 'sending'"),
    ("ix_effects_in_lane", "effects", ["shop_id", "lane", "id"], "state IN ('pending', 'sending', 'parked')"),
    ("ix_effects_stray", "effects", ["id"], f"endpoint = '' AND {_OPEN}"),
    ("ix_events_due", "events", ["shop_id", "priority", "due_at", "id"], _WAITING),
    ("ix_events_leased", "events", ["shop_id", "lease_until"], f"{_WAITING} AND lease_until IS NOT NULL"),
    ("ix_events_about", "events", ["shop_id", "about", "triggered_at"], f"{_WAITING} AND about IS NOT NULL"),
)
_REPLACED = (
    ("ix_effects_open", "effects", ["due_at"], _OPEN),
    ("ix_events_waiting", "events", ["priority", "id"], _WAITING),
)


def _create(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    """An effect that the previous release wants has an empty endpoint, which the next claim fills in."""
    op.create_table(
        "call_slots",
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_call_slots_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "endpoint", "number", name=op.f("pk_call_slots")),
    )
    op.create_table(
        "endpoints",
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("rests_until", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("pauses", sa.Integer(), nullable=False),
        sa.Column("calls_per_minute", sa.Integer(), nullable=True),
        sa.Column("points", sa.Float(), nullable=True),
        sa.Column("most_points", sa.Float(), nullable=True),
        sa.Column("points_per_second", sa.Float(), nullable=True),
        sa.Column("points_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_endpoints_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_endpoints")),
    )
    op.add_column("effects", sa.Column("endpoint", sa.String(length=64), server_default="", nullable=False))
    op.add_column("events", sa.Column("about", sa.String(length=64), nullable=True))
    for index in _INDEXES:
        _create(*index)
    for name, table, _, _ in _REPLACED:
        op.drop_index(name, table_name=table)


def downgrade() -> None:
    for index in _REPLACED:
        _create(*index)
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_column("events", "about")
    op.drop_column("effects", "endpoint")
    op.drop_table("endpoints")
    op.drop_table("call_slots")
