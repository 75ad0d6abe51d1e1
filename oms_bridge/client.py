"""Speaking to a shop's Increff OMS: where it is, who we are there, what its answers mean (increff.md §6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.errors import AccessRefused, NeedsSettings, Permanent, Throttled
from core.flows.tenants import load_settings_with_secrets
from core.http import Answer, raise_for_answer
from core.masking import mask_answer
from core.relay.budget import LOOK_PRIORITY, Slot, free_slot, take_slot
from core.relay.endpoints import OMS, call_endpoint
from core.runtime import Runtime
from core.settings import OmsSettings, Settings


class OmsClient:
    """Calls OMS with a shop's credentials. Raises the fate of any answer that is not 2xx."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime

    def call(
        self, shop_id: int, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """One call; `path` starts with a slash, below the base URL."""
        with self._runtime.database.read() as session:
            oms = load_settings_with_secrets(session, self._runtime.keyring, shop_id).oms
        with call_endpoint(self._runtime.database, shop_id, OMS, calls_per_minute=oms.calls_per_minute):
            headers = make_headers(oms)
            url = f"{oms.base_url}{path}"
            answer = self._runtime.http.send(method, url, headers=headers, json_body=body, params=params)
            raise_for_answer(mask_answer(answer, body, headers.values()), "OMS")
        return answer


def try_connection(runtime: Runtime, shop_id: int, settings: Settings) -> str:
    """Look for an order that nobody has, with these settings; what OMS said, in a merchant's words. Raises Fault.

    It counts as a call of the shop's budget; how it ends says nothing about the OMS that is in force.
    """
    oms = settings.oms
    try:
        headers = make_headers(oms)
    except AccessRefused as missing:
        raise NeedsSettings(str(missing)) from None  # nobody refused anything
    place = oms.default_location or next(iter(oms.locations.values()), "none")
    params = {"orderCode": "returnbridge-connection-test", "locationCode": place}
    with _hold_slot(runtime, shop_id, oms.calls_per_minute):
        answer = runtime.http.send("GET", f"{oms.base_url}/search/order", headers=headers, params=params)
    answer = mask_answer(answer, None, headers.values())
    understood = answer.status in (400, 404) and isinstance(answer.read_json(), dict)  # it looked: no such order
    if answer.status == 404 and not understood:
        raise Permanent(f"something answered 404, but not as OMS does: check the address. It said: {answer.excerpt()}")
    if not understood:
        raise_for_answer(answer, "OMS")
    return "OMS was reached and took the user name and password."


@contextmanager
def _hold_slot(runtime: Runtime, shop_id: int, limit: int) -> Iterator[None]:
    with runtime.database.write() as session:
        slot = take_slot(session, shop_id, OMS, limit, LOOK_PRIORITY)
    if not isinstance(slot, Slot):
        raise Throttled(f"the {limit} calls a minute that OMS allows are spent: try again in a minute", slot)
    try:
        yield
    finally:
        with runtime.database.write() as session:
            free_slot(session, shop_id, OMS, slot)


def make_headers(oms: OmsSettings) -> dict[str, str]:
    """The credential headers. Raises AccessRefused while the connection is not set up."""
    if not (oms.base_url and oms.auth_username and oms.auth_password):
        raise AccessRefused("OMS is not set up: oms.base_url, oms.auth_username and oms.auth_password are needed")
    headers = {"authUsername": oms.auth_username, "authPassword": oms.auth_password}
    return {**headers, "authDomainName": oms.auth_domain} if oms.auth_domain else headers
