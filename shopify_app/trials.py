"""Testing a connection from the settings page: a real call through the door out, and what came of it in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import AccessRefused, Ambiguous, BadInput, Fault, Transient
from core.runtime import Runtime
from core.settings import Settings
from shopify_app import queries
from shopify_app.client import AdminClient

TRY_OMS, TRY_PARTNER = "oms.try_connection", "partner.try_connection"


@dataclass(frozen=True)
class Trial:
    """What came of a test."""

    good: bool
    words: str


def try_connection(runtime: Runtime, shop_id: int, settings: Settings, system: str) -> Trial:
    """Test `shopify`, `oms`, or a partner by its place in the document (`partner:0`)."""
    try:
        return Trial(True, _call(runtime, shop_id, settings, system))
    except AccessRefused as refusal:
        return Trial(False, f"The user name, password or a header is not right. {refusal}")
    except (Transient, Ambiguous) as failure:
        return Trial(False, f"No usable answer: {failure}. Check the address, or try again later.")
    except Fault as fault:
        return Trial(False, str(fault))


def _call(runtime: Runtime, shop_id: int, settings: Settings, system: str) -> str:
    name, _, number = system.partition(":")
    if name == "shopify":
        scopes = AdminClient(runtime).query(shop_id, queries.READ_APP)["currentAppInstallation"]["accessScopes"]
        return f"Shopify was reached. The app may: {', '.join(sorted(one['handle'] for one in scopes))}."
    if name == "oms":
        return str(runtime.registry.readers[TRY_OMS](shop_id, settings))
    if name != "partner" or not number.isdecimal() or int(number) >= len(settings.partners):
        raise BadInput(["type the partner's name and address first"])
    return str(runtime.registry.readers[TRY_PARTNER](settings.partners[int(number)]))
