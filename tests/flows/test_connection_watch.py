"""The daily look at a shop's connection: scopes, version, and tokens that nobody used."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.models import Finding
from core.relay.duties import bring_forward, run_due_duties
from tests.flows.stage import SCOPES, Stage
from tests.flows.token_stage import OTHER, Asked, end_soon, load, visit
from tests.flows.watch_stage import kinds, on_sqlite, run_duty


@on_sqlite
def test_scopes_that_are_missing_are_named_until_they_are_granted(stage: Stage, asked: Asked) -> None:
    stage.sandbox.shopify.change_scopes(OTHER, ["write_orders", "read_locations"])
    visit(stage)
    with stage.runtime.database.read() as session:
        (found,) = session.scalars(select(Finding).where(Finding.kind == "scopes_missing"))
    assert "read_returns, write_merchant_managed_fulfillment_orders, write_order_edits" in found.detail
    stage.sandbox.shopify.change_scopes(OTHER, SCOPES)
    stage.shop_id = load(stage).id
    run_duty(stage, "connection")
    assert kinds(stage) == []


@on_sqlite
def test_a_version_that_ran_out_is_found_and_cleared(
    stage: Stage, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(stage)
    stage.shop_id = load(stage).id
    with monkeypatch.context() as fallen:
        fallen.setattr("simulators.shopify.server.API_VERSION", "2027-10")
        run_duty(stage, "connection")
        assert kinds(stage) == ["api_version"]
    run_duty(stage, "connection")
    assert kinds(stage) == []


@on_sqlite
def test_the_daily_look_renews_what_nobody_used(stage: Stage, asked: Asked) -> None:
    visit(stage)
    end_soon(stage)
    stage.shop_id = load(stage).id
    run_duty(stage, "connection")
    assert asked.grants == ["token-exchange", "refresh_token"]


@on_sqlite
def test_a_call_beyond_the_granted_scopes_is_refused_and_waits(stage: Stage) -> None:
    """The stand-in refuses by field as Shopify does; what was wanted goes on once the merchant has agreed."""
    stage.sandbox.shopify.topics |= {"app/scopes_update"}
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}])
    stage.push_return({"I-1": "SHIRT-M"})
    stage.settle()
    stage.sandbox.shopify.change_scopes(stage.shop, [one for one in SCOPES if one != "write_orders"] + ["read_orders"])
    stage.wait_for(lambda: kinds(stage) == ["scopes_missing"])
    stage.judge({"I-1": "PASS"})
    stage.wait_for(lambda: any(one.reason for one in stage.effects("shopify.tag_order")))
    (tag,) = stage.effects("shopify.tag_order")
    assert (tag.state, tag.attempts) == ("pending", 0)
    assert "`write_orders`" in (tag.reason or "")
    stage.sandbox.shopify.change_scopes(stage.shop, SCOPES)
    stage.wait_for(lambda: stage.exists(order, "released"))
    assert kinds(stage) == []


@on_sqlite
def test_a_sweeper_that_starts_looks_at_the_scopes(stage: Stage, asked: Asked) -> None:
    """A release that asks more of Shopify than the one before says so when it starts, not a day later."""
    visit(stage)
    stage.shop_id = load(stage).id
    run_due_duties(stage.runtime)
    stage.sandbox.shopify.change_scopes(OTHER, ["write_orders", "read_locations"])
    run_due_duties(stage.runtime)
    assert kinds(stage) == [], "its next turn is tomorrow"
    bring_forward(stage.runtime)
    run_due_duties(stage.runtime)
    assert kinds(stage) == ["scopes_missing"]
