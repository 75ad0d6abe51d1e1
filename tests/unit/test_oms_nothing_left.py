"""An order that was cancelled in Shopify while its creation in OMS was on its way."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from core.domain.orders import Address, ForwardOrder
from core.errors import Transient
from core.registry import Job
from oms_bridge.deliveries import READ_FORWARD_ORDER, CreateOrder

NOWHERE = Address(name="", line1="", line2="", city="", state="", zip="", country="", email="", phone="")


def test_oms_is_not_told_of_an_order_of_which_nothing_is_left() -> None:
    order = ForwardOrder(datetime(2026, 11, 1, tzinfo=UTC), False, None, NOWHERE, NOWHERE, ())
    registry = SimpleNamespace(readers={READ_FORWARD_ORDER: lambda *_: order})
    client: Any = None  # it is not spoken to
    deliverer = CreateOrder(SimpleNamespace(registry=registry), client)  # type: ignore[arg-type] # all that it needs
    with pytest.raises(Transient, match="nothing is left"):
        deliverer.send(Job(1, 1, "oms.create_order", "1", "key", {}, {}, {}, 0), {})
