"""Signatures over raw bytes (shopify.md §2.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable


def verify_hmac(body: bytes, given: str | None, secrets: Iterable[str]) -> bool:
    """True when `given` is the base64 HMAC-SHA256 of `body` under one of the secrets.

    Never raises: a header that is absent, not ASCII or not base64 is simply no signature.
    """
    if not given:
        return False
    try:
        signature = base64.b64decode(given.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return False
    # every secret is tried, so that the time taken does not tell which one matched
    results = [hmac.compare_digest(hmac.digest(secret.encode(), body, hashlib.sha256), signature) for secret in secrets]
    return any(results)
