"""Secrets at rest: AES-256-GCM, with the place a value belongs to as associated data.

A ciphertext copied to another table, column, shop or row does not open. Form: `KID` `:` nonce(12) ciphertext+tag.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Permanent

_NONCE_BYTES = 12


class Keyring:
    """The encryption keys by id; the first one seals, every one opens."""

    def __init__(self, keys: Mapping[str, bytes]):
        self._keys = {kid: AESGCM(key) for kid, key in keys.items()}
        self._marking = {kid: hmac.digest(key, b"returnbridge mark", "sha256") for kid, key in keys.items()}
        self._writer = next(iter(keys))

    @property
    def writer(self) -> str:
        """The id of the key that seals."""
        return self._writer

    @property
    def writing_mark(self) -> bytes:
        """How a value begins that the writing key sealed."""
        return self._writer.encode() + b":"

    def seal(self, clear: bytes, *place: str) -> bytes:
        """Encrypt for one place: `(table, column, shop, row)`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[self._writer].encrypt(nonce, clear, _associate(place))
        return self.writing_mark + nonce + sealed

    def open(self, sealed: bytes, *place: str) -> bytes:
        """Decrypt a value of that place. Raises Permanent when the key is unknown or the value is not of this place."""
        kid, _, rest = sealed.partition(b":")
        key = self._keys.get(kid.decode("ascii", "replace"))
        if key is None:
            raise Permanent("a stored secret was written with a key that ENCRYPTION_KEYS no longer holds")
        try:
            return key.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _associate(place))
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            raise Permanent("a stored secret does not belong where it was found, or was altered") from None

    def mark(self, clear: str, *place: str, like: str = "") -> str:
        """A fingerprint of a value of one place, `KID:hex`: it tells a change, and nobody without the key can guess it.

        Made with the key of `like`, an earlier mark to compare with, while that key is held.
        """
        kid = like.partition(":")[0]
        kid = kid if kid in self._marking else self._writer
        return f"{kid}:{hmac.digest(self._marking[kid], _associate((*place, clear)), 'sha256').hex()[:32]}"


def _associate(place: tuple[str, ...]) -> bytes:
    # lengths first, so that ("ab", "c") and ("a", "bc") differ
    return b"".join(f"{len(part.encode())}:".encode() + part.encode() for part in place)


def new_secret() -> str:
    """A random secret of 256 bits, safe in a header."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is stored of a secret we made ourselves. It is random, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches_hash(secret: str, stored: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored)
