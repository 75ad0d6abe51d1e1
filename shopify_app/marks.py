"""Marks of an address: enough to notice that it changed, and nothing that names a person (law 11)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from core.crypto import Keyring

# as webhooks and the Admin both name them; billing address and e-mail are of no concern to the parcel
_PARTS = ("name", "address1", "address2", "city", "province", "zip", "country", "phone")


def mark_address(
    keyring: Keyring, shop_id: int, order_id: int, address: Any, like: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Part -> mark. None stands for an order without an address; a part that is absent, and not null, is left out.

    `like` are earlier marks to compare with. Marks of two orders, or of two shops, never agree.
    """
    given = dict.fromkeys(_PARTS) if address is None else address if isinstance(address, dict) else {}
    place = ("orders", "address", str(shop_id), str(order_id))
    return {
        part: keyring.mark(_flatten(given[part]), *place, part, like=(like or {}).get(part, ""))
        for part in _PARTS
        if part in given
    }


def _flatten(value: Any) -> str:
    """Letters and digits only, in one case: webhooks and the Admin differ in spaces and punctuation."""
    text = unicodedata.normalize("NFKC", str(value or "")).casefold()
    return "".join(letter for letter in text if letter.isalnum())
