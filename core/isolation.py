"""The second wall between shops: on PostgreSQL the database itself shows a scoped transaction one shop's rows only.

The first wall is that every query names its shop. Whatever works for one shop (a page, a handler, a delivery, a duty,
a command that names a shop) also says so to the database, with `core.db.only_shop` or `keep_to_shop`; then a query that
forgot, or named another shop's row, finds nothing and writes nothing. Unscoped are the claims, which look for work over
all shops, the webhook door, which stores for many at once, and the operator's lists.

The policies follow from the tables, so that a new table has one without anybody thinking of it: `db upgrade` sees to
it. FORCE, because the app's role owns the tables; a superuser is held back by no policy, which `doctor` tells.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, text

from core.db import SCOPE_SETTING, Base, Database

POLICY = "one_shop"
_SCOPE = f"NULLIF(current_setting('{SCOPE_SETTING}', true), '')"


def render_policies() -> dict[str, str]:
    """Table -> the condition of its rows, for every table that holds rows of shops."""
    found = {name: _render(table) for name, table in Base.metadata.tables.items()}
    return {name: f"{_SCOPE} IS NULL OR {own}" for name, own in found.items() if own}


def _render(table: Table) -> str | None:
    """By the table's own shop; a table without one goes by the rows it belongs to, which have their own policy."""
    if table.name == "shops":
        return f"id = {_SCOPE}::bigint"
    if "shop_id" in table.columns:
        return f"shop_id = {_SCOPE}::bigint"
    owner = next((column for column in table.columns if _owner(column) is not None), None)
    if owner is None:
        return None
    parent = _owner(owner)
    return f"EXISTS (SELECT 1 FROM {parent} owner WHERE owner.id = {table.name}.{owner.name})"  # noqa: S608 - our own names


def _owner(column: Column[object]) -> str | None:
    """The table whose row a row goes with when it is deleted."""
    keys = [key for key in column.foreign_keys if key.ondelete == "CASCADE"]
    return keys[0].column.table.name if keys else None


def isolate(database: Database) -> list[str]:
    """Put the policies up where they are missing or differ; returns those tables. Nothing to do on SQLite."""
    if database.is_sqlite:
        return []
    with database.engine.begin() as connection:
        standing = read_policies(connection)
        there = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")))
        wanted = {name: rule for name, rule in render_policies().items() if name in there}
        stale = [name for name, rule in wanted.items() if standing.get(name) != _mark(rule)]
        for name in stale:
            _put_up(connection, name, wanted[name])
    return stale


def read_policies(connection: Connection) -> dict[str, str]:
    """Table -> the mark of its policy, for tables whose policy binds their owner too."""
    query = """
        SELECT c.relname, obj_description(p.oid, 'pg_policy') FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE p.polname = :policy AND c.relrowsecurity AND c.relforcerowsecurity
        AND c.relnamespace = current_schema()::regnamespace
    """
    return {str(name): str(mark) for name, mark in connection.execute(text(query), {"policy": POLICY})}


def is_bypassed(connection: Connection) -> bool:
    """True when this role is held back by no policy."""
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return bool(connection.scalar(text(query)))


def _put_up(connection: Connection, table: str, rule: str) -> None:
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS {POLICY} ON {table}",
        f"CREATE POLICY {POLICY} ON {table} USING ({rule}) WITH CHECK ({rule})",
        f"COMMENT ON POLICY {POLICY} ON {table} IS '{_mark(rule)}'",
    ):
        connection.exec_driver_sql(statement.replace("%", "%%"))


def _mark(rule: str) -> str:
    """The rule as a comment may hold it, to see whether it changed: PostgreSQL gives its own spelling back."""
    return rule.replace("'", "")
