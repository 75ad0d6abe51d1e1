"""The whole road under a role that row-level security binds: what is scoped to a shop needs nothing of another."""

from __future__ import annotations

from core.config import Config
from core.db import Database
from core.isolation import is_bypassed
from core.migrations import upgrade
from tests.flows.stage import Stage
from tests.house.source import on_sqlite
from tests.security.test_isolation import make_owned_url


@on_sqlite  # the fixture's own database is not used
def test_two_exchanges_go_their_way(config: Config, postgres: str) -> None:
    owned_url = make_owned_url(postgres)
    database = Database(owned_url)
    upgrade(database)
    with database.engine.connect() as connection:
        assert not is_bypassed(connection)
    database.dispose()
    stage = Stage(config.model_copy(update={"database_url": owned_url}))
    try:
        orders = []
        for number, verdict in enumerate(("PASS", "FAIL")):
            code = f"RET-{number}"
            orders.append(stage.new_order([{"sku": f"SKU-I{number}", "quantity": 1, "price": "499.00"}], code))
            stage.push_return({f"I{number}": f"SKU-I{number}"}, code, forward=f"10{number}")
            stage.settle()
            stage.judge({f"I{number}": verdict}, code, forward=f"10{number}")
            stage.settle()
        assert [stage.state(order)[0] for order in orders] == ["released", "cancelled"]
        assert not [one for one in stage.effects() if one.state == "parked"]
    finally:
        stage.close()
