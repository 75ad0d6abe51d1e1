"""Secrets at rest belong to one place; signatures never raise."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import Keyring, hash_secret, matches_hash
from core.errors import Permanent
from core.signing import verify_hmac

OLD, NEW = bytes(32), bytes(range(32))
RING = Keyring({"new": NEW, "old": OLD})
PLACES = st.lists(st.text(max_size=5), max_size=4)


@given(st.binary(max_size=100), PLACES, PLACES)
def test_a_secret_opens_only_in_its_place(clear: bytes, place: list[str], other: list[str]) -> None:
    sealed = RING.seal(clear, *place)
    assert RING.open(sealed, *place) == clear
    if other != place:
        with pytest.raises(Permanent):
            RING.open(sealed, *other)


@given(st.binary(max_size=60))
def test_anything_else_is_a_fault_with_a_fate(sealed: bytes) -> None:
    for raw in (sealed, b"new:" + sealed, b":" + sealed):
        with pytest.raises(Permanent):
            RING.open(raw, "a")


def test_an_old_key_still_opens_and_the_first_one_writes() -> None:
    assert RING.open(Keyring({"old": OLD}).seal(b"x", "p"), "p") == b"x"
    assert RING.seal(b"x", "p").startswith(b"new:")
    with pytest.raises(Permanent, match="ENCRYPTION_KEYS"):
        Keyring({"old": OLD}).open(RING.seal(b"x", "p"), "p")


def test_an_altered_secret_does_not_open() -> None:
    sealed = RING.seal(b"secret", "p")
    for number in range(len(sealed)):
        with pytest.raises(Permanent):
            RING.open(sealed[:number] + bytes([sealed[number] ^ 1]) + sealed[number + 1 :], "p")


@given(st.text(), st.text())
def test_hashes_match_only_their_secret(one: str, other: str) -> None:
    assert matches_hash(one, hash_secret(other)) == (one == other)


@given(st.binary(), st.text() | st.none(), st.lists(st.text(), max_size=2))
def test_no_signature_is_a_reason_to_raise(body: bytes, given_: str | None, secrets: list[str]) -> None:
    assert verify_hmac(body, given_, secrets) is False


@given(st.binary(), st.text(min_size=1), st.text(min_size=1))
def test_any_of_the_secrets_signs(body: bytes, one: str, other: str) -> None:
    signature = base64.b64encode(hmac.digest(one.encode(), body, hashlib.sha256)).decode()
    assert verify_hmac(body, signature, [other, one])
    assert verify_hmac(body, signature, [other]) == (one == other)
