"""ID tokens: what Shopify issues is taken, whatever differs from it is not."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Config
from core.errors import Unauthorized
from shopify_app.auth import read_shop, verify_id_token

KEY, SECRET, PREVIOUS = "test-key", "a-secret-of-at-least-thirty-two-bytes", "the-secret-before-it-of-thirty-two-bytes"
SHOP = "demo.myshopify.com"
CONFIG = Config(
    shopify_api_key=KEY,
    shopify_api_secret=SECRET,
    shopify_api_secret_previous=PREVIOUS,
    encryption_keys="k1:" + base64.b64encode(bytes(32)).decode(),
)
Claims = dict[str, Any]


def make_claims(**changes: Any) -> Claims:
    """What Shopify issues; a claim changed to None is left out."""
    now = int(time.time())
    claims = {
        "iss": f"https://{SHOP}/admin",
        "dest": f"https://{SHOP}",
        "aud": KEY,
        "sub": "42",
        "exp": now + 60,
        "nbf": now,
        "iat": now,
        "jti": "f8912129-1af6-4cad-9ca3-76b0f7621087",
        "sid": "aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685",
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def make_token(claims: Claims | None = None, secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims or make_claims(), secret, algorithm)


def sign_anything(head: bytes, body: bytes) -> str:
    """Any bytes at all, rightly signed."""
    parts = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, body))
    mark = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(parts, SECRET.encode())
    return (parts + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


HEAD = b'{"alg":"HS256","typ":"JWT"}'


def prove_refused(token: str | None) -> None:
    with pytest.raises(Unauthorized):
        verify_id_token(CONFIG, token)


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_what_shopify_issues_is_taken(secret: str) -> None:
    token = make_token(secret=secret)
    visitor = verify_id_token(CONFIG, token)
    assert (visitor.domain, visitor.user, visitor.id_token) == (SHOP, "42", token)
    assert token not in repr(visitor)


def test_the_previous_secret_counts_only_while_it_is_named() -> None:
    alone = CONFIG.model_copy(update={"shopify_api_secret_previous": None})
    with pytest.raises(Unauthorized):
        verify_id_token(alone, make_token(secret=PREVIOUS))


NOW = int(time.time())
WRONG: dict[str, Callable[[], Claims]] = {
    "exp is missing": lambda: make_claims(exp=None),
    "nbf is missing": lambda: make_claims(nbf=None),
    "expired": lambda: make_claims(exp=int(time.time()) - 30),
    "not yet": lambda: make_claims(nbf=int(time.time()) + 60, exp=int(time.time()) + 120),
    "issued later": lambda: make_claims(iat=int(time.time()) + 3600),
    "exp is infinite": lambda: make_claims(exp=float("inf")),
    "exp is text": lambda: make_claims(exp=str(NOW + 60)),
    "exp is true": lambda: make_claims(exp=True),
    "of another app": lambda: make_claims(aud="another-key"),
    "of several apps": lambda: make_claims(aud=[KEY, "another-key"]),
    "aud is missing": lambda: make_claims(aud=None),
    "iss of another shop": lambda: make_claims(iss="https://other.myshopify.com/admin"),
    "iss looks alike": lambda: make_claims(iss=f"https://{SHOP}.evil.example/admin"),
    "iss without a shop": lambda: make_claims(iss="https://evil.example/admin"),
    "iss is missing": lambda: make_claims(iss=None),
    "dest of another shop": lambda: make_claims(dest="https://other.myshopify.com"),
    "dest is missing": lambda: make_claims(dest=None),
    "dest has a user": lambda: make_claims(dest=f"https://evil@{SHOP}", iss=f"https://evil@{SHOP}/admin"),
    "dest has a port": lambda: make_claims(dest=f"https://{SHOP}:444", iss=f"https://{SHOP}:444/admin"),
    "dest is http": lambda: make_claims(dest=f"http://{SHOP}", iss=f"http://{SHOP}/admin"),
    "dest is nowhere": lambda: make_claims(dest="https://evil.example", iss="https://evil.example/admin"),
    "dest is a number": lambda: make_claims(dest=7),
    "dest is a list": lambda: make_claims(dest=[f"https://{SHOP}"]),
    "sub is missing": lambda: make_claims(sub=None),
    "sub is a number": lambda: make_claims(sub=42),
    "sub is no user": lambda: make_claims(sub="42; DROP TABLE shops"),
    "jti is missing": lambda: make_claims(jti=None),
    "sid is missing": lambda: make_claims(sid=None),
}


@pytest.mark.parametrize("fault", WRONG)
def test_claims_that_differ(fault: str) -> None:
    prove_refused(make_token(WRONG[fault]()))


def test_a_clock_that_is_a_little_off_is_forgiven() -> None:
    now = int(time.time())
    assert verify_id_token(CONFIG, make_token(make_claims(nbf=now + 8, iat=now, exp=now + 68)))
    assert verify_id_token(CONFIG, make_token(make_claims(exp=now - 5)))


# the last of 43 characters has two spare bits: the next character may mean the same bytes
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SPELT_ALIKE = {one: ALPHABET[ALPHABET.index(one) + 1] for one in ALPHABET[::4]}


def test_signatures_that_are_none() -> None:
    good = make_token()
    head, body, mark = good.split(".")
    none = jwt.encode(make_claims(), "", "none")
    for token in (
        make_token(secret="another-secret-of-at-least-thirty-two-bytes"),
        make_token(secret=SECRET * 2, algorithm="HS512"),
        make_token(algorithm="HS512"),
        none,
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{make_token(make_claims(dest='https://other.myshopify.com')).split('.')[1]}.{mark}",
        good + "=",
        good + "!",
        f"{head}.{body}.{mark[:10]}\n{mark[10:]}",
        f"{head}.{body}.{mark[:-1]}{SPELT_ALIKE[mark[-1]]}",
        good[:-2],
    ):
        prove_refused(token)


@pytest.mark.parametrize("token", [None, "", ".", "..", "a.b.c", "\xe9" * 50, "x" * 100_000, " " + "y" * 10])
def test_what_is_no_token(token: str | None) -> None:
    prove_refused(token)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"{", b"[" * 2500, b'{"exp": 1e999}', b'{"dest": {"a": 1}}'],
)
def test_rightly_signed_nonsense(body: bytes) -> None:
    prove_refused(sign_anything(HEAD, body))


@pytest.mark.parametrize("head", [b"", b"null", b"[" * 2500, b'{"alg": 7}', b'{"alg":"HS256","crit":["x"]}', b"\xff"])
def test_odd_heads(head: bytes) -> None:
    prove_refused(sign_anything(head, json.dumps(make_claims()).encode()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(claim=st.sampled_from(["iss", "dest", "aud", "sub", "exp", "nbf", "jti", "sid"]), value=JSON)
def test_one_claim_of_any_value_never_breaks_and_never_names_another_shop(claim: str, value: Any) -> None:
    body = json.dumps({**make_claims(), claim: value}).encode()
    try:
        assert verify_id_token(CONFIG, sign_anything(HEAD, body)).domain == SHOP
    except Unauthorized:
        assert claim != "jti" or not isinstance(value, str)


@pytest.mark.parametrize(
    ("named", "domain"),
    [
        ("demo.myshopify.com", SHOP),
        ("DEMO.myshopify.com", SHOP),
        ("https://demo.myshopify.com/admin", SHOP),
        ("demo", SHOP),
        (None, None),
        ("", None),
        ("evil.example", None),
        ("demo.myshopify.com.evil.example", None),
        ("evil.example?.myshopify.com", None),
        ("demo.myshopify.com:444", None),
        ("evil@demo.myshopify.com", None),
        ("demo.myshopify.com; script-src *", None),
        ("demo.myshopify.com\r\nSet-Cookie: a=b", None),
        ("d\xe9mo.myshopify.com", None),
    ],
)
def test_a_shop_by_name(named: str | None, domain: str | None) -> None:
    assert read_shop(named) == domain
