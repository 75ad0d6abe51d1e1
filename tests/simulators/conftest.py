"""A Shopify stand-in on a real socket, with an app behind it that only records its webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shopify_cases import KEY, SECRET, SHOP, Caller, Receiver

from simulators.serving import serve
from simulators.shopify import ShopifySimulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    app = Receiver()
    with serve(app) as served:
        app.url = served.url
        yield app


@pytest.fixture
def shopify(receiver: Receiver) -> Iterator[ShopifySimulator]:
    sim = ShopifySimulator(KEY, SECRET, receiver.url)
    sim.cancel_delay = 0.15
    sim.start()
    yield sim
    sim.close()


@pytest.fixture
def api(shopify: ShopifySimulator) -> Caller:
    return Caller(shopify.start(), shopify.add_shop(SHOP))


@pytest.fixture
def order(shopify: ShopifySimulator, api: Caller) -> dict[str, Any]:
    lines = [{"sku": "TEE-M", "quantity": 2, "price": "500.00"}, {"sku": "TEE-L", "properties": {"item": "u1,u2"}}]
    return shopify.create_order(SHOP, tags="replacement, Hold", line_items=lines, note_attributes={"rma": "R-1"})
