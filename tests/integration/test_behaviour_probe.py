"""The probe of odd deliveries, row by row: what is answered, and how often it is handled."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from tests.integration.bridge import SHOP, Bridge, head, sign

ORDER = json.dumps(
    {
        "id": 5_600_000_000_017,
        "name": "#1001",
        "tags": "",
        "created_at": "2026-11-22T10:00:00+05:30",
        "updated_at": "2026-11-22T10:00:00+05:30",
        "line_items": [],
    }
).encode()


@dataclass(frozen=True)
class Probe:
    """One odd delivery. `signature` None: the right one. `ends`: the outcomes of the events that come of it."""

    body: bytes
    answers: tuple[int, ...]
    ends: tuple[str, ...]
    signature: str | None = None
    names: str = "X-Shopify-"
    extra: dict[str, str] = field(default_factory=dict)


PROBES = {
    "the same delivery twice": Probe(ORDER, (200, 200), ("ignored",)),
    "a bad signature": Probe(ORDER, (401,), (), signature="d3Jvbmc="),
    "a signature that is not ASCII": Probe(ORDER, (401,), (), signature="\xe9\xff" * 22),
    "signed, not UTF-8": Probe(b'{"id": "\xff\xfe"}', (200,), ("unknown",)),
    "signed, not JSON": Probe(b"<order>1</order>", (200,), ("unknown",)),
    "3 MB": Probe(ORDER[:-1] + b', "note": "' + b"n" * 3 * 1024 * 1024 + b'"}', (200,), ("ignored",)),
    "the new shopify-* headers": Probe(ORDER, (200, 200), ("ignored",), names="shopify-"),
    "the new headers beside the old ones": Probe(ORDER, (200,), ("ignored",), extra={"shopify-trace-id": "t-1"}),
}


@pytest.mark.parametrize("name", PROBES)
def test_odd_deliveries(bridge: Bridge, name: str) -> None:
    probe, delivery = PROBES[name], uuid4().hex
    signature = probe.signature or sign(probe.body, bridge.config.shopify_api_secret)
    told = {"Topic": "orders/updated", "Shop-Domain": SHOP, "Hmac-Sha256": signature, "Webhook-Id": delivery}
    headers = {probe.names + key: value for key, value in told.items()}
    headers |= {"Content-Length": str(len(probe.body)), "Content-Type": "application/json", **probe.extra}
    request = head("POST", "/webhooks/shopify", headers) + probe.body
    answers = [bridge.send_raw(request) for _ in probe.answers]
    assert tuple(answer.status for answer in answers) == probe.answers
    assert all(answer.body == b"" for answer in answers if answer.status == 200)
    bridge.work()
    assert tuple(event.outcome for event in bridge.find_events(delivery)) == probe.ends
