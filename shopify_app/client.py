"""Speaking GraphQL to a shop's Admin, through the one door, with that shop's token and no other.

ShopifyAPI's own session and GraphQL classes share headers between shops and have no time-out, so they are not used.
"""

from __future__ import annotations

from typing import Any

from core.errors import AccessRefused, Ambiguous, Fault, NeedsSettings, Permanent, Throttled, Transient
from core.flows.installations import Grant, keep_version
from core.http import Answer, raise_for_answer, read_retry_after
from core.relay.endpoints import SHOPIFY, Call, call_endpoint
from core.runtime import Runtime
from shopify_app.tokens import TokenKeeper
from shopify_app.topics import API_VERSION

_SLOWEST_REFILL = 1.0  # points a second, when an answer names no restore rate
# statuses that are about the whole shop, not about this call: its work waits instead of being given up (shopify.md §4)
_SHOP_TROUBLES = {
    402: "the shop is frozen: its plan is unpaid",
    403: "Shopify forbids the app this shop: an access scope, or the shop's own state",
    404: "Shopify knows no such shop: it was closed, or it changed its address",
    423: "the shop is locked by Shopify",
}
_FATES: dict[str, type[Fault]] = {  # by `extensions.code`; any other says that the document or its values are wrong
    "ACCESS_DENIED": NeedsSettings,
    "SHOP_INACTIVE": AccessRefused,
    "UNAUTHENTICATED": AccessRefused,
    "INTERNAL_SERVER_ERROR": Ambiguous,
    "SERVICE_UNAVAILABLE": Ambiguous,
    "TIMEOUT": Ambiguous,
}
_SLOW_DOWN = 430  # Shopify's own: too many calls that looked wrong


class AdminClient:
    """Runs one document at a time. Raises the fate of any fault; a `userErrors` list is returned, not raised."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._keeper = TokenKeeper(runtime)
        self._costs: dict[str, float] = {}  # what each document was last reckoned at
        self._versions: dict[int, str] = {}  # what each shop's Admin last said it speaks

    def query(self, shop_id: int, document: str, **variables: Any) -> dict[str, Any]:
        """A read: nothing is changed, so an unclear answer is merely tried again later."""
        try:
            return self._execute(shop_id, document, variables)
        except Ambiguous as error:
            raise Transient(str(error), error.retry_after) from None

    def mutate(self, shop_id: int, document: str, **variables: Any) -> dict[str, Any]:
        """A change. Raises Ambiguous when it may have been made."""
        return self._execute(shop_id, document, variables)

    def find_version(self, shop_id: int) -> str:
        """The API version that a shop's Admin last answered with."""
        return self._versions.get(shop_id, API_VERSION)

    def _execute(self, shop_id: int, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        with call_endpoint(self._runtime.database, shop_id, SHOPIFY, cost=self._costs.get(document, 0)) as call:
            answer = self._try(shop_id, document, variables)
            self._note_cost(call, document, answer)
            _raise_for_status(answer)
            self._note_version(shop_id, answer)
            return _read_data(answer)

    def _try(self, shop_id: int, document: str, variables: dict[str, Any]) -> Answer:
        """With a token that Shopify refuses, once more with a renewed one: a refused call did nothing."""
        grant = self._keeper.provide(shop_id)
        answer = self._send(grant, document, variables)
        if answer.status == 401:
            grant = self._keeper.renew_refused(grant)
            answer = self._send(grant, document, variables)
            if answer.status == 401:
                raise self._keeper.give_up(grant)
        return answer

    def _note_cost(self, call: Call, document: str, answer: Answer) -> None:
        """What the document cost, and what is left of the shop's budget (shopify.md §4)."""
        cost = _read_cost(answer.read_json())
        status = cost.get("throttleStatus") or {}
        names = ("currentlyAvailable", "maximumAvailable", "restoreRate")
        left, most, rate = (float(status.get(name) or 0) for name in names)
        if most and rate:
            call.points = left, most, rate
            self._costs[document] = float(cost.get("requestedQueryCost") or 0)

    def _send(self, grant: Grant, document: str, variables: dict[str, Any]) -> Answer:
        base = self._runtime.config.shopify_admin_url.format(shop=grant.domain)
        return self._runtime.http.send(
            "POST",
            f"{base}/admin/api/{API_VERSION}/graphql.json",
            headers={"X-Shopify-Access-Token": grant.token},
            json_body={"query": document, "variables": variables},
        )

    def _note_version(self, shop_id: int, answer: Answer) -> None:
        """A version that is no longer supported is answered by the oldest that is, without a word but this header."""
        version = (answer.headers.get("X-Shopify-API-Version") or API_VERSION)[:20]
        if self._versions.get(shop_id, API_VERSION) == version:
            return
        self._versions[shop_id] = version
        with self._runtime.database.write() as session:
            keep_version(session, shop_id, version, API_VERSION)


def _raise_for_status(answer: Answer) -> None:
    trouble = _SHOP_TROUBLES.get(answer.status)
    if trouble:
        raise AccessRefused(f"{trouble} (Shopify answered {answer.status})")
    if answer.status == _SLOW_DOWN:
        raise Throttled("Shopify answered 430: slow down", read_retry_after(answer))
    raise_for_answer(answer, "Shopify")


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
    codes = {str((one.get("extensions") or {}).get("code")) for one in errors}
    words = "Shopify: " + "; ".join(str(one.get("message")) for one in errors)[:500]
    if "THROTTLED" in codes:
        return Throttled(words, _read_refill_seconds(parsed))
    if _was_begun(parsed):
        return Ambiguous(words)
    fate = next((_FATES[code] for code in codes if code in _FATES), Permanent)
    return fate(words)


def _was_begun(parsed: dict[str, Any]) -> bool:
    """True when a part was answered despite the errors: what it asked for may have been done."""
    data = parsed.get("data")
    return isinstance(data, dict) and any(value is not None for value in data.values())


def _read_cost(parsed: Any) -> dict[str, Any]:
    extensions = parsed.get("extensions") if isinstance(parsed, dict) else None
    return (extensions.get("cost") if isinstance(extensions, dict) else None) or {}


def _read_refill_seconds(parsed: dict[str, Any]) -> float:
    """How long until the query's cost is there again (shopify.md §4)."""
    cost = _read_cost(parsed)
    status = cost.get("throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return max(0.5, missing / float(status.get("restoreRate") or _SLOWEST_REFILL))


def raise_user_errors(errors: list[dict[str, Any]], what: str) -> None:
    """A mutation that answered with userErrors changed nothing: park it with Shopify's words."""
    if errors:
        raise Permanent(f"Shopify refused to {what}: {spell_errors(errors)}")


def spell_errors(errors: list[dict[str, Any]]) -> str:
    """Shopify's words, as far as it gave any."""
    return "; ".join(str(one.get("message") or one.get("code") or "no reason given") for one in errors or [{}])
