"""The headers a partner is called with: its own, our idempotency key, and a signature when it has a secret. Pure.

The signature is Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks, spec): `v1,` and the base64
HMAC-SHA256 of `id.timestamp.body` under the decoded secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from core.errors import NeedsSettings
from core.settings import PartnerSettings

SECRET, INBOUND_KEY = "webhook-secret", "webhook-key"  # entries in `headers` that are never sent
_PREFIX = "whsec_"
_KEPT_BACK = frozenset({SECRET, INBOUND_KEY})
_NOT_THEIRS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})


def make_headers(partner: PartnerSettings, key: str, at: datetime, body: bytes) -> dict[str, str]:
    """Everything to send with a body. Raises NeedsSettings for a secret that is none."""
    own = {name: value for name, value in partner.headers.items() if name.lower() not in _KEPT_BACK | _NOT_THEIRS}
    sent = {"Content-Type": "application/json", "Idempotency-Key": key}
    secret = find_entry(partner, SECRET)
    if secret is not None:
        sent |= sign(read_secret(secret, partner.name), key, at, body)
    taken = {name.lower() for name in sent}
    return {name: value for name, value in own.items() if name.lower() not in taken} | sent


def find_entry(partner: PartnerSettings, name: str) -> str | None:
    """The value of one of the partner's headers, in whatever case it is written."""
    return next((value for given, value in partner.headers.items() if given.lower() == name), None)


def read_secret(text: str, partner: str) -> bytes:
    """The key bytes of `whsec_BASE64`."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        key = b""
    if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise NeedsSettings(f"partner {partner}: {SECRET} must be {_PREFIX} and the base64 of 24 to 64 bytes")
    return key


def sign(secret: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; the time is that of this send."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
