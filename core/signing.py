"""Signatures over raw bytes (shopify.md §2.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def verify_hmac(body: bytes, given: str | None, secrets: Iterable[str]) -> bool:
    """True when `given` is the base64 HMAC-SHA256 of `body` under one of the secrets, spelt as Shopify spells it.

    Never raises. The text is compared, not what it decodes to: base64 has several spellings of the same bytes.
    """
    if not given or not given.isascii():
        return False
    # every secret is tried, so that the time taken does not tell which one matched
    results = [hmac.compare_digest(_sign(body, secret), given.encode()) for secret in secrets]
    return any(results)


def _sign(body: bytes, secret: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
