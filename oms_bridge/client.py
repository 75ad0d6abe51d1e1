"""Speaking to a shop's Increff OMS: where it is, who we are there, what its answers mean (increff.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import AccessRefused
from core.flows.tenants import load_settings_with_secrets
from core.http import Answer, raise_for_answer
from core.masking import mask_answer
from core.relay.endpoints import OMS, call_endpoint
from core.runtime import Runtime
from core.settings import OmsSettings


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


def make_headers(oms: OmsSettings) -> dict[str, str]:
    """The credential headers. Raises AccessRefused while the connection is not set up."""
    if not (oms.base_url and oms.auth_username and oms.auth_password):
        raise AccessRefused("OMS is not set up: oms.base_url, oms.auth_username and oms.auth_password are needed")
    headers = {"authUsername": oms.auth_username, "authPassword": oms.auth_password}
    return {**headers, "authDomainName": oms.auth_domain} if oms.auth_domain else headers
