"""Bridge credentials: guesses are slowed down, right callers are not, and a restriction binds."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from core import limiting
from core.crypto import hash_secret
from core.errors import BadInput, TooManyFailures
from core.flows import credentials, tenants
from core.flows.credentials import Caller, Restriction, verify_credential
from core.limiting import MOST_BY_ADDRESS, MOST_BY_USERNAME, WINDOW_SECONDS, FailureLimit
from core.models import BridgeCredential, Shop
from tests.integration.bridge import Bridge

DOORS = [("POST", "/rms/return-orders"), ("PUT", "/oms/seller-cancellations"), ("POST", "/hooks/st/wrong")]


def away() -> Redis:
    raise RedisAway("gone")


def make_shop(bridge: Bridge, domain: str) -> tuple[int, credentials.NewCredential]:
    with bridge.runtime.database.write() as session:
        shop = tenants.add_shop(session, bridge.runtime.keyring, domain, None)
        return shop.id, credentials.make_credential(session, shop, "rms")


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_guesses_are_told_to_slow_down_and_the_right_caller_is_not(bridge: Bridge, method: str, path: str) -> None:
    wrong = bridge.rms_headers(authPassword="wrong")
    answers = [bridge.call(method, path, b"{}", wrong) for _ in range(MOST_BY_ADDRESS + 30)]
    counted = Counter(answer.status for answer in answers)
    assert set(counted) == {401, 429}
    assert counted[401] <= MOST_BY_ADDRESS
    assert counted[429] >= 30
    told = answers[-1]
    assert told.error()["code"] == "TOO_MANY_REQUESTS"
    assert 1 <= int(told.headers["Retry-After"]) <= WINDOW_SECONDS
    right = bridge.push("/rms/return-orders", b"{}")  # the same user name, the same address
    assert right.status == 400
    assert right.error()["code"] == "BAD_DATA"


def test_what_is_refused_is_logged_without_what_was_shown(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    """From where, at which door; a flood only until it is slowed down, and then once."""
    for _ in range(MOST_BY_USERNAME + 20):
        bridge.push("/rms/return-orders", b"{}", authPassword="wrong-canary")
    bridge.call("POST", "/hooks/st/key-canary", b"{}", {})
    bridge.call("POST", "/webhooks/shopify", b"{}", {"X-Shopify-Hmac-Sha256": "hmac-canary"})
    bridge.call("GET", "/settings", b"", {"Authorization": "Bearer token-canary"})
    ours = [record for record in caplog.records if record.name != "uvicorn.access"]  # the product has that one off
    told = Counter(record.getMessage().partition(":")[0] for record in ours if record.levelname == "WARNING")
    assert told == {
        "refused POST /rms/return-orders from 127.0.0.1": MOST_BY_USERNAME,
        "a flood of wrong credentials from 127.0.0.1 is slowed down": 1,
        "refused POST /hooks/st/<key> from 127.0.0.1": 1,
        "refused POST /webhooks/shopify from 127.0.0.1": 1,
        "refused GET /settings from 127.0.0.1": 1,
    }
    assert not [record for record in ours if "canary" in record.getMessage()]


def test_one_name_is_limited_sooner_than_an_address(bridge: Bridge) -> None:
    wrong = bridge.rms_headers(authPassword="wrong")
    statuses = [bridge.call("POST", "/rms/return-orders", b"{}", wrong).status for _ in range(MOST_BY_USERNAME + 1)]
    assert statuses == [401] * MOST_BY_USERNAME + [429]
    assert bridge.push("/rms/return-orders", b"{}", authUsername="somebody-else").status == 401


def test_processes_count_together(valkey: str) -> None:
    first, second = (FailureLimit(lambda: Redis.from_url(valkey)) for _ in range(2))
    for _ in range(MOST_BY_USERNAME // 2):
        assert not isinstance(first.refuse("203.0.113.7", "a", "no"), TooManyFailures)
        assert not isinstance(second.refuse("203.0.113.8", "a", "no"), TooManyFailures)
    assert isinstance(first.refuse("203.0.113.7", "a", "no"), TooManyFailures)
    assert isinstance(second.refuse("203.0.113.8", "a", "no"), TooManyFailures)
    assert not isinstance(second.refuse("203.0.113.8", "b", "no"), TooManyFailures)


def test_without_redis_each_process_counts_for_itself_and_asks_again_later(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked, up = [100.0], [], [False]

    def connect() -> Redis:
        asked.append(now[0])
        return Redis.from_url(valkey) if up[0] else away()

    monkeypatch.setattr(limiting, "monotonic", lambda: now[0])
    limit = FailureLimit(connect)
    for _ in range(MOST_BY_USERNAME):
        assert not isinstance(limit.refuse("203.0.113.7", "c", "no"), TooManyFailures)
    refused = limit.refuse("203.0.113.7", "c", "no")
    assert isinstance(refused, TooManyFailures)
    assert refused.retry_after <= WINDOW_SECONDS
    assert asked == [100.0]
    now[0] += WINDOW_SECONDS + 1
    up[0] = True
    assert not isinstance(limit.refuse("203.0.113.7", "c", "no"), TooManyFailures)
    assert len(asked) == 2


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "alone"])
def test_made_up_names_and_addresses_take_bounded_room(
    valkey: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "_BUCKET_DIGITS", 2)
    limit = FailureLimit(lambda: Redis.from_url(valkey) if shared else away())
    for number in range(3000):
        limit.refuse(f"2001:db8:{number:x}::1", f"name-{number}", "no")
    with Redis.from_url(valkey) as server:
        kept = list(server.scan_iter("returnbridge:failed:*", count=10_000)) if shared else list(limit._here)
        assert 400 < len(kept) <= 2 * 256
        if shared:
            assert all(0 < server.ttl(key) <= WINDOW_SECONDS for key in kept)


def test_a_neighbourhood_of_ipv6_is_one_caller() -> None:
    limit = FailureLimit(away)
    refusals = [limit.refuse(f"2001:db8::{number:x}", "", "no") for number in range(MOST_BY_ADDRESS + 1)]
    assert isinstance(refusals[-1], TooManyFailures)
    assert not isinstance(limit.refuse("2001:db8:0:1::1", "", "no"), TooManyFailures)
    assert not isinstance(limit.refuse("::ffff:203.0.113.9", "", "no"), TooManyFailures)
    for odd in (None, "", "unix:", "not an address"):
        limit.refuse(odd, "", "no")


@pytest.fixture
def restricted(bridge: Bridge) -> tuple[Bridge, credentials.NewCredential]:
    """A shop whose callers must come from one network and name their domain."""
    _, made = make_shop(bridge, "restricted.myshopify.com")
    return bridge, made


def restrict(bridge: Bridge, restriction: Restriction) -> None:
    with bridge.runtime.database.write() as session:
        shop = tenants.ensure_shop(session, "restricted.myshopify.com")
        credentials.restrict_credentials(session, shop, "rms", restriction)


PLACES = [
    (("203.0.113.0/24",), "203.0.113.200", True),
    (("203.0.113.0/24",), "203.0.114.1", False),
    (("203.0.113.0/24",), "::ffff:203.0.113.1", True),
    (("203.0.113.7", "2001:db8::/32"), "2001:db8:5::1", True),
    (("203.0.113.7", "2001:db8::/32"), "2001:db9::1", False),
    (("203.0.113.7",), "203.0.113.7", True),
    (("203.0.113.7",), "", False),
    (("203.0.113.7",), "203.0.113.7, 198.51.100.1", False),
    (("0.0.0.0/0",), "2001:db8::1", False),
    ((), "198.51.100.9", True),
]


@pytest.mark.parametrize(("networks", "address", "enters"), PLACES)
def test_a_caller_must_come_from_an_allowed_network(
    restricted: tuple[Bridge, credentials.NewCredential], networks: tuple[str, ...], address: str, enters: bool
) -> None:
    bridge, made = restricted
    restrict(bridge, Restriction(networks=networks))
    with bridge.runtime.database.read() as session:
        shop = verify_credential(session, ("rms",), Caller(made.username, made.password, None, address))
    assert (shop is not None) is enters


def test_the_domain_is_required_when_configured_and_accepted_when_not(
    restricted: tuple[Bridge, credentials.NewCredential],
) -> None:
    bridge, made = restricted
    headers = {"authUsername": made.username, "authPassword": made.password}
    restrict(bridge, Restriction())
    assert bridge.push("/rms/return-orders", b"{}", **headers, authDomainName="any").status == 400
    restrict(bridge, Restriction(auth_domain="client.increff.com"))
    assert bridge.push("/rms/return-orders", b"{}", **headers).status == 401
    assert bridge.push("/rms/return-orders", b"{}", **headers, authDomainName="Client.increff.com").status == 401
    assert bridge.push("/rms/return-orders", b"{}", **headers, authDomainName="client.increff.com").status == 400


def test_a_restriction_outlives_a_rotation(restricted: tuple[Bridge, credentials.NewCredential]) -> None:
    bridge, old = restricted
    restrict(bridge, Restriction("d", ("203.0.113.0/24",)))
    with bridge.runtime.database.write() as session:
        made = credentials.rotate_credential(session, tenants.ensure_shop(session, "restricted.myshopify.com"), "rms")
    with bridge.runtime.database.read() as session:
        for pair in (old, made):  # both are good during the overlap
            assert verify_credential(session, ("rms",), Caller(pair.username, pair.password, "d", "203.0.113.1"))
            assert not verify_credential(session, ("rms",), Caller(pair.username, pair.password, "d", "198.51.100.1"))


def test_a_restriction_that_cannot_be_read_changes_nothing(
    restricted: tuple[Bridge, credentials.NewCredential],
) -> None:
    bridge, made = restricted
    restrict(bridge, Restriction())
    for wrong in ("203.0.113.0/40", "example.com", "", "203.0.113.7/24", "1.2.3"):
        with pytest.raises(BadInput, match="network"):
            restrict(bridge, Restriction(networks=("203.0.113.0/24", wrong)))
    with bridge.runtime.database.read() as session:
        assert verify_credential(session, ("rms",), Caller(made.username, made.password, None, "198.51.100.1"))


def test_secrets_are_long_random_and_stored_as_hashes_only(bridge: Bridge) -> None:
    shop_id, first = make_shop(bridge, "hashed.myshopify.com")
    made = [first]
    with bridge.runtime.database.write() as session:
        shop = session.get_one(Shop, shop_id)
        made += [credentials.rotate_credential(session, shop, "rms") for _ in range(50)]
        keys = {credentials.rotate_hook_key(session, shop, "st") for _ in range(50)}
        rows = session.query(BridgeCredential).filter_by(shop_id=shop_id).all()
    assert len({one.password for one in made}) == 51
    assert min(len(one.password) for one in made) * 6 >= 256  # base64 letters
    assert len(keys) == 50
    stored = json.dumps([[str(value) for value in vars(row).values()] for row in rows])
    assert not [one for one in made if one.password in stored]
    assert not [key for key in keys if key[10:] in stored]
    assert hash_secret(made[-1].password) in stored


def test_a_stolen_credential_ends_at_once(bridge: Bridge) -> None:
    """Also one that an earlier rotation left good for a day."""
    domain = "robbed.myshopify.com"
    _, first = make_shop(bridge, domain)
    with bridge.runtime.database.write() as session:
        shop = tenants.ensure_shop(session, domain)
        second = credentials.rotate_credential(session, shop, "rms")
    assert [may_enter(bridge, one) for one in (first, second)] == [True, True]
    with bridge.runtime.database.write() as session:
        shop = tenants.ensure_shop(session, domain)
        third = credentials.rotate_credential(session, shop, "rms", overlap_seconds=0)
    assert [may_enter(bridge, one) for one in (first, second, third)] == [False, False, True]


def may_enter(bridge: Bridge, made: credentials.NewCredential) -> bool:
    with bridge.runtime.database.read() as session:
        caller = credentials.Caller(made.username, made.password)
        return credentials.verify_credential(session, ["rms"], caller) is not None
