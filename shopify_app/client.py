"""Speaking GraphQL to a shop's Admin, through the one door, with that shop's token and no other.

ShopifyAPI's own session and GraphQL classes share headers between shops and have no time-out, so they are not used.
"""

from __future__ import annotations

from typing import Any

from core.errors import AccessRefused, Ambiguous, Fault, NeedsSettings, Permanent, Throttled, Transient
from core.flows.tenants import open_access_token
from core.http import Answer, raise_for_answer
from core.models import Shop
from core.runtime import Runtime
from shopify_app.topics import API_VERSION

_SLOWEST_REFILL = 1.0  # points a second, when an answer names no restore rate


class AdminClient:
    """Runs one document at a time. Raises the fate of any fault; a `userErrors` list is returned, not raised."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime

    def query(self, shop_id: int, document: str, **variables: Any) -> dict[str, Any]:
        """A read: nothing is changed, so an unclear answer is merely tried again later."""
        try:
            return self._execute(shop_id, document, variables)
        except Ambiguous as error:
            raise Transient(str(error)) from None

    def mutate(self, shop_id: int, document: str, **variables: Any) -> dict[str, Any]:
        """A change. Raises Ambiguous when it may have been made."""
        return self._execute(shop_id, document, variables)

    def _execute(self, shop_id: int, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        with self._runtime.database.read() as session:
            shop = session.get_one(Shop, shop_id)
            token = open_access_token(self._runtime.keyring, shop)
            base = self._runtime.config.shopify_admin_url.format(shop=shop.domain)
        answer = self._runtime.http.send(
            "POST",
            f"{base}/admin/api/{API_VERSION}/graphql.json",
            headers={"X-Shopify-Access-Token": token},
            json_body={"query": document, "variables": variables},
        )
        raise_for_answer(answer, "Shopify")
        return _read_data(answer)


def _read_data(answer: Answer) -> dict[str, Any]:
    parsed = answer.read_json()
    if not isinstance(parsed, dict):
        raise Ambiguous(f"Shopify's answer is not JSON: {answer.excerpt()[:100]}")
    if parsed.get("errors"):
        raise _classify(parsed)
    data = parsed.get("data")
    if not isinstance(data, dict):
        raise Ambiguous("Shopify answered without data")
    return data


def _classify(parsed: dict[str, Any]) -> Fault:
    """The fate of a 200 with `errors`."""
    listed = parsed["errors"] if isinstance(parsed["errors"], list) else [{"message": str(parsed["errors"])}]
    errors: list[dict[str, Any]] = [one for one in listed if isinstance(one, dict)]
    codes = {(one.get("extensions") or {}).get("code") for one in errors}
    words = "Shopify: " + "; ".join(str(one.get("message")) for one in errors)[:500]
    if "THROTTLED" in codes:
        return Throttled(words, _read_refill_seconds(parsed))
    if "ACCESS_DENIED" in codes:
        return NeedsSettings(f"the app lacks an access scope: {words}")
    if "UNAUTHENTICATED" in codes:
        return AccessRefused(words)
    if codes & {"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"}:
        return Ambiguous(words)
    return Permanent(words)


def _read_refill_seconds(parsed: dict[str, Any]) -> float:
    """How long until the query's cost is there again (shopify.md §4)."""
    cost = (parsed.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return max(0.5, missing / float(status.get("restoreRate") or _SLOWEST_REFILL))


def raise_user_errors(errors: list[dict[str, Any]], what: str) -> None:
    """A mutation that answered with userErrors changed nothing: park it with Shopify's words."""
    if errors:
        words = "; ".join(str(one.get("message")) for one in errors)
        raise Permanent(f"Shopify refused to {what}: {words}")
