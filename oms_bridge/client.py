"""Speaking to a shop's Increff OMS: where it is, who we are there, what its answers mean (increff.md §6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.errors import AccessRefused, NeedsSettings, Permanent, Throttled, Transient
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
        self,
        shop_id: int,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        *,
        looking: bool = False,
    ) -> Answer:
        """One call; `path` starts with a slash, below the base URL. To `looking`, "no such thing" is an answer."""
        with self._runtime.database.read() as session:
            oms = load_settings_with_secrets(session, self._runtime.keyring, shop_id).oms
        with call_endpoint(self._runtime.database, shop_id, OMS, calls_per_minute=oms.calls_per_minute):
            headers = make_headers(oms)
            url = f"{oms.base_url}{path}"
            answer = self._runtime.http.send(method, url, headers=headers, json_body=body, params=params)
            masked = mask_answer(answer, body, headers.values())
            if looking and says_absent(masked):
                return masked
            raise_for_answer(masked, "OMS")
        return answer

    def look(
        self, shop_id: int, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """What OMS shows, None when it says that there is no such thing. Raises Fault when its answer proves neither:
        behind one that was taken for absence the same order would be created twice."""
        try:
            answer = self.call(shop_id, method, path, body, params, looking=True)
        except Permanent as refusal:
            raise Transient(f"OMS's answer to the look proves nothing: {refusal}") from None
        if says_absent(answer):
            return None
        if answer.status != 200 or not _holds_object(answer):
            raise Transient(f"OMS's answer to the look proves nothing: it answered {answer.status} without what it has")
        return dict(answer.read_json())


def says_absent(answer: Answer) -> bool:
    """OMS itself says that it has no such thing: a refusal in the shape of its errors, not a page of whoever is before
    it."""
    return answer.status in (400, 404) and _holds_object(answer)


def _holds_object(answer: Answer) -> bool:
    return isinstance(answer.read_json(), dict)


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
    if answer.status in (200, 404) and not _holds_object(answer):
        words = f"something answered {answer.status}, but not as OMS does: check the address"
        raise Permanent(f"{words}. It said: {answer.excerpt()}")
    if not says_absent(answer):
        raise_for_answer(answer, "OMS")
    return "OMS was reached and took the user name and password."


def check_connection(runtime: Runtime, shop_id: int) -> str:
    """For `doctor`: the same with the settings that are in force. Raises Fault."""
    with runtime.database.read() as session:
        settings = load_settings_with_secrets(session, runtime.keyring, shop_id)
    try_connection(runtime, shop_id, settings)
    return "reached, credentials taken"


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
