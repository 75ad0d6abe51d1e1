"""Mutated signatures and ID tokens: none is accepted, none breaks the check."""

from __future__ import annotations

import base64
import random

import pytest

from core.errors import Unauthorized
from core.signing import verify_hmac
from shopify_app.auth import verify_id_token
from tests.integration.bridge import sign
from tests.unit.test_id_tokens import CONFIG, SECRET, make_token

ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_. \t\r\n\0é\ud800{}":,'
EACH = 55_000  # mutations of each kind


def mutate(luck: random.Random, text: str) -> str:
    """The text with one to four places changed, dropped, doubled or swapped; or cut, or joined with itself."""
    letters = list(text)
    for _ in range(luck.randint(1, 4)):
        at = luck.randrange(len(letters) + 1)
        match luck.randrange(7):
            case 0:
                letters[at : at + 1] = [luck.choice(ALPHABET)]
            case 1:
                letters[at:at] = [luck.choice(ALPHABET)] * luck.randint(1, 3)
            case 2:
                del letters[at : at + luck.randint(1, 5)]
            case 3 if letters and at < len(letters):
                letters[at] = letters[at].swapcase()
            case 4:
                letters = letters[:at]
            case 5:
                other = luck.randrange(len(letters) + 1)
                letters[at : at + 1], letters[other : other + 1] = letters[other : other + 1], letters[at : at + 1]
            case _:
                letters += letters[at:]
        letters = letters or ["A"]
    return "".join(letters)


def test_no_mutated_signature_is_accepted() -> None:
    luck, body = random.Random(1), b'{"id": 1}'
    good = sign(body, SECRET)
    assert verify_hmac(body, good, [SECRET])
    tried = 0
    while tried < EACH:
        changed = mutate(luck, good)
        if changed == good:
            continue
        tried += 1
        assert not verify_hmac(body, changed, [SECRET, "the-secret-before-it"]), repr(changed)


def test_no_mutated_body_is_accepted() -> None:
    luck, text = random.Random(2), '{"id": 1, "tags": "increff_hold"}'
    good = sign(text.encode(), SECRET)
    for _ in range(5000):
        changed = mutate(luck, text)
        assert changed == text or not verify_hmac(changed.encode("utf-8", "surrogatepass"), good, [SECRET])


def test_no_mutated_id_token_is_accepted() -> None:
    luck, good = random.Random(3), make_token()
    assert verify_id_token(CONFIG, good).domain
    tried = 0
    while tried < EACH:
        changed = mutate(luck, good)
        if changed == good:
            continue
        tried += 1
        with pytest.raises(Unauthorized):
            verify_id_token(CONFIG, changed)


def test_no_token_with_another_claim_under_the_same_signature_is_accepted() -> None:
    luck, good = random.Random(4), make_token()
    head, claims, signature = good.split(".")
    clear = base64.urlsafe_b64decode(claims + "==").decode()
    for _ in range(5000):
        changed = mutate(luck, clear)
        spelt = base64.urlsafe_b64encode(changed.encode("utf-8", "surrogatepass")).decode().rstrip("=")
        if changed != clear:
            with pytest.raises(Unauthorized):
                verify_id_token(CONFIG, f"{head}.{spelt}.{signature}")
