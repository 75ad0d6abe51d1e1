"""Installation and tokens, over real sockets: acquired on a visit, renewed by one, refused, brought again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.db import db_now
from core.errors import AccessRefused, Fault, NeedsSettings, Transient
from core.flows import installations
from core.models import Endpoint, Shop
from tests.flows.stage import SCOPES, Stage
from tests.flows.token_stage import OTHER, Asked, call, change, end_soon, load, remove_silently, revoke, visit
from tests.flows.watch_stage import kinds, on_sqlite


def test_the_first_visit_brings_a_pair_that_ends(stage: Stage, asked: Asked) -> None:
    assert visit(stage) == 200
    assert visit(stage) == 200
    assert asked.grants == ["token-exchange"]
    shop = load(stage)
    assert (shop.mode, shop.removed_at, shop.refused_at, shop.renewing_until) == ("observe", None, None, None)
    assert set((shop.scopes or "").split(",")) == set(SCOPES)
    hour, months = (datetime.now(UTC) + timedelta(seconds=one) for one in (3600, 90 * 86_400))
    assert shop.access_expires_at is not None
    assert shop.refresh_expires_at is not None
    assert abs(shop.access_expires_at - hour) < timedelta(minutes=1)
    assert abs(shop.refresh_expires_at - months) < timedelta(minutes=1)
    assert call(stage)["currentAppInstallation"]


def test_tokens_are_stored_sealed_and_bound_to_their_place(stage: Stage, asked: Asked) -> None:
    visit(stage)
    shop = load(stage)
    stored = bytes(shop.access_token or b"") + bytes(shop.refresh_token or b"")
    with stage.runtime.database.read() as session:
        grant = installations.load_grant(session, stage.runtime.keyring, shop.id)
    assert grant.refresh_token is not None
    assert not any(one.encode() in stored for one in (grant.token, grant.refresh_token))
    assert grant.token not in repr(grant)
    change(stage, access_token=shop.refresh_token)
    with pytest.raises(Exception, match="does not belong where it was found"):
        call(stage)


def test_each_shop_has_its_own(stage: Stage, asked: Asked) -> None:
    third = "third-shop.myshopify.com"
    stage.sandbox.shopify.open_shop(third, ["read_locations"])
    visit(stage)
    visit(stage, third)
    granted = [
        {scope["handle"] for scope in call(stage, one)["currentAppInstallation"]["accessScopes"]}
        for one in (OTHER, third)
    ]
    assert granted[0] >= set(SCOPES)
    assert granted[1] == {"read_locations"}


def test_a_token_that_is_over_is_renewed_before_the_call(stage: Stage, asked: Asked) -> None:
    visit(stage)
    before = load(stage)
    end_soon(stage)
    call(stage)
    call(stage)
    assert asked.grants == ["token-exchange", "refresh_token"]
    after = load(stage)
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert after.installed_at == before.installed_at


def test_many_at_once_renew_it_once(stage: Stage, asked: Asked) -> None:
    visit(stage)
    end_soon(stage)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: call(stage), range(16)))
    assert asked.grants.count("refresh_token") == 1


def test_many_at_once_after_a_401_renew_it_once(stage: Stage, asked: Asked) -> None:
    visit(stage)
    revoke(stage)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: call(stage), range(16)))
    assert asked.grants.count("refresh_token") == 1


@pytest.mark.usefixtures("asked")
def test_a_first_visit_of_many_requests_ends_with_a_pair_that_works(stage: Stage) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: visit(stage), range(8))) == {200}
    end_soon(stage)
    assert call(stage)


@on_sqlite
def test_with_the_endpoint_away_a_token_is_used_to_its_end(stage: Stage, asked: Asked) -> None:
    visit(stage)
    end_soon(stage, 60)
    stage.sandbox.shopify.faults.add({"kind": "status", "status": 503, "match": "access_token", "times": 10})
    assert call(stage)
    end_soon(stage)
    with pytest.raises(Transient):
        call(stage)
    assert load(stage).refused_at is None


def die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_process_that_dies_with_the_new_pair_loses_nothing(
    stage: Stage, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(stage)
    end_soon(stage)
    with monkeypatch.context() as patch:
        patch.setattr(installations, "keep_pair", die)
        with pytest.raises(KeyboardInterrupt):
            call(stage)
    assert load(stage).renewing_until is not None  # its lease stands, and others wait for it
    change(stage, renewing_until=db_now(-1))
    assert call(stage)
    assert asked.grants.count("refresh_token") == 2


def test_a_process_frozen_past_its_lease_overwrites_nothing(stage: Stage, asked: Asked) -> None:
    visit(stage)
    shop = load(stage)
    with stage.runtime.database.write() as session:
        lease = installations.lease_tokens(session, shop.id)
        assert lease is not None
        assert installations.lease_tokens(session, shop.id) is None
    change(stage, renewing_until=db_now(-1))
    end_soon(stage)
    call(stage)
    newest = load(stage).access_token
    with stage.runtime.database.write() as session:
        old = installations.Pair("old", "read_locations", 3600, "old-refresh", 3600)
        assert not installations.keep_pair(session, stage.runtime.keyring, shop.id, lease, old, SCOPES)
    assert load(stage).access_token == newest
    assert call(stage)


def test_a_401_is_answered_by_one_renewal(stage: Stage, asked: Asked) -> None:
    visit(stage)
    revoke(stage)
    assert call(stage)
    assert asked.grants == ["token-exchange", "refresh_token"]
    assert load(stage).refused_at is None


def test_a_removed_app_waits_for_somebody_to_open_it(stage: Stage, asked: Asked) -> None:
    visit(stage)
    remove_silently(stage)
    with pytest.raises(NeedsSettings):
        call(stage)
    assert kinds(stage) == ["needs_reauth"]
    asked.grants.clear()
    with pytest.raises(Fault, match="open the app"):
        call(stage)
    assert asked.grants == []  # neither Shopify's Admin nor its token endpoint is asked again for a while
    first = load(stage)
    stage.sandbox.shopify.open_shop(OTHER)
    assert visit(stage) == 200
    after = load(stage)
    assert kinds(stage) == []
    assert call(stage)
    assert after.uninstalled_at == first.refused_at
    assert after.installed_at is not None
    assert after.uninstalled_at is not None
    assert after.installed_at >= after.uninstalled_at


def test_effects_wait_for_the_token_and_go_on_with_the_new_one(stage: Stage, asked: Asked) -> None:
    """A token given by hand cannot be renewed: the merchant's next visit brings one that can."""
    order = stage.new_order([{"sku": "SHIRT-L", "quantity": 1}])
    stage.push_return({"I-1": "SHIRT-M"})
    stage.settle()
    revoke(stage, stage.shop)
    stage.judge({"I-1": "PASS"})
    stage.wait_for(lambda: kinds(stage) == ["needs_reauth"])
    (tag,) = stage.effects("shopify.tag_order")
    assert (tag.state, tag.attempts) == ("pending", 0)
    assert "open the app" in (tag.reason or "")
    assert visit(stage, stage.shop) == 200
    stage.settle()
    assert stage.state(order)[0] == "released"
    assert kinds(stage) == []
    assert load(stage, stage.shop).mode == "live"


def test_a_refused_token_is_tried_again_after_a_while(stage: Stage, asked: Asked) -> None:
    revoke(stage, stage.shop)
    with pytest.raises(AccessRefused):
        call(stage, stage.shop)
    stage.sandbox.shopify.add_shop(stage.shop, stage.sandbox.access_token)
    with pytest.raises(Fault):
        call(stage, stage.shop)
    change(stage, stage.shop, refused_at=db_now(-installations.REFUSED_SECONDS - 1))
    with stage.runtime.database.write() as session:
        session.execute(update(Endpoint).values(rests_until=db_now(-1)))
    assert call(stage, stage.shop)


@on_sqlite
@pytest.mark.parametrize(("error", "status"), [("invalid_subject_token", 401), ("invalid_client", 200)])
def test_what_shopify_says_to_an_exchange(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: str, status: int
) -> None:
    """A stale ID token is asked for anew; wrong settings are no fault of the visitor's, whose page is shown."""
    stage.sandbox.shopify.open_shop(OTHER, SCOPES)
    monkeypatch.setattr(stage.sandbox.shopify.oauth, "answer", lambda *_: (400, {"error": error}))
    assert visit(stage) == status
    assert (load(stage).access_token, load(stage).renewing_until) == (None, None)


@on_sqlite
def test_with_shopify_away_the_page_is_shown(stage: Stage, asked: Asked) -> None:
    stage.sandbox.shopify.faults.add({"kind": "status", "status": 503, "match": "access_token", "times": 1})
    assert visit(stage) == 200
    assert load(stage).access_token is None
    assert load(stage).renewing_until is None
    assert visit(stage) == 200
    assert call(stage)


def uninstall_while_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Shopify gives tokens out, and the app is removed before they are stored."""
    answer = stage.sandbox.shopify.oauth.answer

    def remove(domain: str, asked: dict[str, Any]) -> Any:
        given = answer(domain, asked)
        if asked["grant_type"].endswith("token-exchange"):
            stage.sandbox.shopify.uninstall(domain)
            then()
        return given

    monkeypatch.setattr(stage.sandbox.shopify.oauth, "answer", remove)


@pytest.mark.usefixtures("asked")
def test_a_removal_between_the_tokens_and_their_storing_is_no_old_news(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its webhook is thought about only afterwards."""
    stage.sandbox.shopify.topics |= {"app/uninstalled"}
    stage.sandbox.shopify.delivery.hold_back()
    uninstall_while_asked(stage, monkeypatch, lambda: None)
    assert visit(stage) == 200
    assert load(stage).access_token is not None
    stage.sandbox.shopify.delivery.let_go()
    stage.wait_for(lambda: load(stage).removed_at is not None)
    assert (load(stage).access_token, load(stage).refresh_token) == (None, None)
    stage.sandbox.shopify.delivery.settle()
    assert [one.outcome for one in stage.events("app/uninstalled")] == ["handled"]


@pytest.mark.usefixtures("asked")
def test_a_removal_that_is_known_before_the_tokens_are_stored_shuts_the_visitor_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        with stage.runtime.database.write() as session:
            installations.end_installation(session, session.get_one(Shop, load(stage).id))

    uninstall_while_asked(stage, monkeypatch, end)
    assert visit(stage) == 401
    shop = load(stage)
    assert (shop.access_token, shop.refresh_token, shop.renewing_until) == (None, None, None)
    assert shop.removed_at is not None


def test_a_visitor_of_a_removed_app_is_shut_out_while_another_visit_asks(stage: Stage, asked: Asked) -> None:
    """The other one holds the lease, and Shopify has not yet told it that the ID token is worth nothing."""
    assert visit(stage) == 200
    stage.sandbox.shopify.uninstall(OTHER)
    with stage.runtime.database.write() as session:
        shop = session.get_one(Shop, load(stage).id)
        installations.end_installation(session, shop)
        assert installations.lease_tokens(session, shop.id) is not None
    asked.grants.clear()
    assert visit(stage) == 401
    assert asked.grants == []
