"""`doctor`, `effects cancel` and `shops remove`."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from core.domain.effects import OMS_UNHOLD_ORDER
from core.flows import tenants
from core.models import Effect, Shop
from core.relay.outbox import Wanted, want
from simulators.sandbox import OMS_PASSWORD, OMS_USERNAME
from tests.flows.stage import Stage


def run(stage: Stage, *words: str) -> tuple[int, str]:
    done = stage.app.test_cli_runner().invoke(args=list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_sound_installation(stage: Stage) -> None:
    status, said = run(stage, "doctor")
    assert status == 0, said
    for line in ("database: reached", "clock: agrees", f"{stage.shop} Shopify: reached", f"{stage.shop} OMS: reached"):
        assert f"ok     {line}" in said, said
    assert f"look   {stage.shop} webhooks: none in 48 h" in said


def test_what_is_wrong_is_named_with_what_to_do(stage: Stage) -> None:
    stage.configure({"oms": {"auth_password": "wrong"}})
    with stage.runtime.database.write() as session:
        session.execute(update(Shop).values(access_token=b"k9:" + bytes(40)))
    status, said = run(stage, "doctor")
    assert status != 0
    assert f"FAULT  {stage.shop} OMS: OMS answered 401" in said
    assert "FAULT  keys: ENCRYPTION_KEYS lacks k9 (1 values): put the key back" in said
    assert f"FAULT  {stage.shop} Shopify: " in said
    assert "wrong" not in said.replace("went wrong", "")


def test_a_page_where_oms_should_be_is_a_fault(stage: Stage) -> None:
    stage.sandbox.oms.faults.add({"match": "/search/order", "status": 404, "body": "<html>No such page</html>"})
    status, said = run(stage, "doctor")
    assert status != 0
    assert f"FAULT  {stage.shop} OMS: something answered 404, but not as OMS does: check the address" in said


def make_effect(stage: Stage, **values: Any) -> int:
    with stage.runtime.database.write() as session:
        made = want(session, stage.shop_id, Wanted(OMS_UNHOLD_ORDER, str(values), "1", "l", {"on": True}))
        session.execute(update(Effect).where(Effect.id == made).values(**values))
        return int(made or 0)


@pytest.mark.parametrize(
    "values", [{"state": "parked", "started": True, "reason": "no"}, {"state": "pending"}], ids=str
)
def test_an_effect_that_waits_is_dropped(stage: Stage, values: dict[str, Any]) -> None:
    effect_id = make_effect(stage, **values)
    assert run(stage, "effects", "cancel", str(effect_id))[0] == 0
    with stage.runtime.database.read() as session:
        effect = session.get_one(Effect, effect_id)
    assert (effect.state, effect.request) == ("dropped", None)
    assert run(stage, "effects", "cancel", str(effect_id))[0] != 0


def test_an_effect_that_may_have_been_done_is_not_dropped(stage: Stage) -> None:
    for values in ({"state": "pending", "started": True}, {"state": "sending"}, {"state": "done"}):
        status, said = run(stage, "effects", "cancel", str(make_effect(stage, **values)))
        assert status != 0
        assert "cannot be dropped now" in said


def test_a_shop_that_was_removed_is_nobodys(stage: Stage) -> None:
    assert run(stage, "shops", "remove", stage.shop)[0] == 0
    assert stage.sandbox.rms.push_return("RET-1", "108", [{"itemCode": "I", "sku": "S", "reason": "x"}])[0] == 401
    with stage.runtime.database.read() as session:
        shop = session.scalars(select(Shop)).one()
    assert (shop.access_token, shop.refresh_token) == (None, None)
    assert shop.removed_at is not None
    assert run(stage, "shops", "remove", "nobody.myshopify.com")[0] != 0
    assert run(stage, "shops", "add", stage.shop)[0] == 0


def test_shops_of_one_oms_client_are_told_to_divide_its_calls(stage: Stage) -> None:
    assert "oms budget" not in run(stage, "doctor")[1]
    with stage.runtime.database.write() as session:
        shop = tenants.add_shop(session, stage.runtime.keyring, "another.myshopify.com", None)
        first = session.get_one(Shop, stage.shop_id)
        for one, calls in ((first, 150), (shop, 51)):
            document = {"mode": "live", "oms": {**oms_of(stage), "calls_per_minute": calls}}
            tenants.save_settings(session, stage.runtime.keyring, one, document, "test", stage.runtime.http.guard)
    said = run(stage, "doctor")[1]
    assert f"look   oms budget: {stage.shop}, another.myshopify.com use one OMS user" in said


def oms_of(stage: Stage) -> dict[str, Any]:
    return {"base_url": stage.sandbox.oms_url, "auth_username": OMS_USERNAME, "auth_password": OMS_PASSWORD}
