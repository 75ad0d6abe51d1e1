"""first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "20261122_0709"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shops",
        sa.Column("id", _ID, nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("live_since", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("access_token", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shops")),
        sa.UniqueConstraint("domain", name=op.f("uq_shops_domain")),
    )
    op.create_table(
        "bridge_credentials",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("system", sa.String(length=8), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_bridge_credentials_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_credentials")),
        sa.UniqueConstraint("username", name=op.f("uq_bridge_credentials_username")),
    )
    op.create_index("ix_bridge_credentials_shop", "bridge_credentials", ["shop_id", "system"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.String(length=255), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_events_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("source", "shop_id", "delivery_id", name=op.f("uq_events_source_shop_id_delivery_id")),
    )
    op.create_index("ix_events_shop", "events", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_events_waiting",
        "events",
        ["priority", "id"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "oms_orders",
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("location_code", sa.String(length=255), nullable=False),
        sa.Column("on_hold", sa.Boolean(), nullable=False),
        sa.Column("ordered", _JSON, nullable=False),
        sa.Column("cancelled", _JSON, nullable=False),
        sa.Column("announced", _JSON, nullable=False),
        sa.Column("members", _JSON, nullable=False),
        sa.Column("skus", _JSON, nullable=False),
        sa.Column("dispatch_by", sa.BigInteger(), nullable=False),
        sa.Column("start_processing", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_oms_orders_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "order_id", name=op.f("pk_oms_orders")),
    )
    op.create_table(
        "orders",
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("fulfillment", sa.String(length=16), nullable=False),
        sa.Column("lines", _JSON, nullable=False),
        sa.Column("return_codes", _JSON, nullable=False),
        sa.Column("link_rule", sa.String(length=16), nullable=False),
        sa.Column("original_order", sa.String(length=255), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("in_order", sa.Boolean(), nullable=False),
        sa.Column("fulfillment_orders", _JSON, nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_orders_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "order_id", name=op.f("pk_orders")),
    )
    op.create_index("ix_orders_name", "orders", ["shop_id", "name"], unique=False)
    op.create_table(
        "settings_versions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_settings_versions_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings_versions")),
        sa.UniqueConstraint("shop_id", "version", name=op.f("uq_settings_versions_shop_id_version")),
    )
    op.create_table(
        "effects",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("aspect", sa.String(length=400), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("lane", sa.String(length=400), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("passes_parked", sa.Boolean(), nullable=False),
        sa.Column("wanted", _JSON, nullable=False),
        sa.Column("params", _JSON, nullable=False),
        sa.Column("progress", _JSON, nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("event_id", _ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("unclear_since", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_effects_event_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_effects_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effects")),
        sa.UniqueConstraint("key", name=op.f("uq_effects_key")),
        sa.UniqueConstraint("shop_id", "aspect", "number", name=op.f("uq_effects_shop_id_aspect_number")),
    )
    op.create_index("ix_effects_lane", "effects", ["shop_id", "lane", "id"], unique=False)
    op.create_index(
        "ix_effects_open",
        "effects",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'sending')"),
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.create_index("ix_effects_shop", "effects", ["shop_id", "id"], unique=False)
    op.create_table(
        "exchanges",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=True),
        sa.Column("hold_decided", sa.Boolean(), nullable=False),
        sa.Column("seen_held", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "order_id"],
            ["orders.shop_id", "orders.order_id"],
            name=op.f("fk_exchanges_shop_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_exchanges_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchanges")),
        sa.UniqueConstraint("shop_id", "order_id", name=op.f("uq_exchanges_shop_id_order_id")),
    )
    op.create_index("ix_exchanges_state", "exchanges", ["shop_id", "state"], unique=False)
    op.create_table(
        "return_orders",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("forward_code", sa.String(length=255), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("location_code", sa.String(length=255), nullable=True),
        sa.Column("awb", sa.String(length=255), nullable=True),
        sa.Column("transporter", sa.String(length=255), nullable=True),
        sa.Column("ordered_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=True),
        sa.Column("status_text", sa.Text(), nullable=True),
        sa.Column("status_at", sa.BigInteger(), nullable=True),
        sa.Column("full_event_id", _ID, nullable=True),
        sa.Column("full_digest", sa.String(length=64), nullable=True),
        sa.Column("expected_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["full_event_id"], ["events.id"], name=op.f("fk_return_orders_full_event_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_return_orders_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_orders")),
        sa.UniqueConstraint("shop_id", "code", name=op.f("uq_return_orders_shop_id_code")),
    )
    op.create_index("ix_return_orders_awb", "return_orders", ["shop_id", "awb"], unique=False)
    op.create_index("ix_return_orders_forward", "return_orders", ["shop_id", "forward_code"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("effect_id", _ID, nullable=False),
        sa.Column("act", sa.String(length=8), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("excerpt", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["effect_id"], ["effects.id"], name=op.f("fk_attempts_effect_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_effect_id"), "attempts", ["effect_id"], unique=False)
    op.create_table(
        "exchange_history",
        sa.Column("id", _ID, nullable=False),
        sa.Column("exchange_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=True),
        sa.Column("event_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_exchange_history_event_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["exchange_id"], ["exchanges.id"], name=op.f("fk_exchange_history_exchange_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_history")),
    )
    op.create_index(op.f("ix_exchange_history_exchange_id"), "exchange_history", ["exchange_id"], unique=False)
    op.create_table(
        "exchange_links",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shop_id", _ID, nullable=False),
        sa.Column("exchange_id", _ID, nullable=False),
        sa.Column("return_code", sa.String(length=255), nullable=False),
        sa.Column("match", sa.String(length=16), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange_id"], ["exchanges.id"], name=op.f("fk_exchange_links_exchange_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_exchange_links_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_links")),
        sa.UniqueConstraint("exchange_id", "return_code", name=op.f("uq_exchange_links_exchange_id_return_code")),
    )
    op.create_index("ix_exchange_links_return", "exchange_links", ["shop_id", "return_code"], unique=False)
    op.create_table(
        "return_units",
        sa.Column("id", _ID, nullable=False),
        sa.Column("return_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item_code", sa.String(length=255), nullable=False),
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["return_id"], ["return_orders.id"], name=op.f("fk_return_units_return_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_units")),
        sa.UniqueConstraint("return_id", "item_code", name=op.f("uq_return_units_return_id_item_code")),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("return_id", _ID, nullable=False),
        sa.Column("item_code", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("image_urls", _JSON, nullable=False),
        sa.Column("event_id", _ID, nullable=True),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_verdicts_event_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["return_id"], ["return_orders.id"], name=op.f("fk_verdicts_return_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index("ix_verdicts_return", "verdicts", ["return_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_verdicts_return", table_name="verdicts")
    op.drop_table("verdicts")
    op.drop_table("return_units")
    op.drop_index("ix_exchange_links_return", table_name="exchange_links")
    op.drop_table("exchange_links")
    op.drop_index(op.f("ix_exchange_history_exchange_id"), table_name="exchange_history")
    op.drop_table("exchange_history")
    op.drop_index(op.f("ix_attempts_effect_id"), table_name="attempts")
    op.drop_table("attempts")
    op.drop_index("ix_return_orders_forward", table_name="return_orders")
    op.drop_index("ix_return_orders_awb", table_name="return_orders")
    op.drop_table("return_orders")
    op.drop_index("ix_exchanges_state", table_name="exchanges")
    op.drop_table("exchanges")
    op.drop_index("ix_effects_shop", table_name="effects")
    op.drop_index(
        "ix_effects_open",
        table_name="effects",
        sqlite_where=sa.text("state IN ('pending', 'sending')"),
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.drop_index("ix_effects_lane", table_name="effects")
    op.drop_table("effects")
    op.drop_table("settings_versions")
    op.drop_index("ix_orders_name", table_name="orders")
    op.drop_table("orders")
    op.drop_table("oms_orders")
    op.drop_index(
        "ix_events_waiting",
        table_name="events",
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.drop_index("ix_events_shop", table_name="events")
    op.drop_table("events")
    op.drop_index("ix_bridge_credentials_shop", table_name="bridge_credentials")
    op.drop_table("bridge_credentials")
    op.drop_table("shops")
