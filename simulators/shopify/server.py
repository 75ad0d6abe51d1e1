"""The HTTP face: one GraphQL endpoint and one token endpoint for each shop."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, OperationDefinitionNode, execute_sync
from werkzeug import Request, Response

from simulators.shopify import mutations, queries
from simulators.shopify.cost import Bucket, Estimate, count_objects
from simulators.shopify.oauth import Tokens
from simulators.shopify.resolve import Call, resolve_field, type_of
from simulators.shopify.schema import API_VERSION, admin_schema, checked, live_error, variable_error
from simulators.shopify.state import Shop, Token, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GRAPHQL = re.compile(r"^/([^/]+)/admin/api/[^/]+/graphql\.json$")
OAUTH = re.compile(r"^/([^/]+)/admin/oauth/access_token$")
BAD_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"
OLD_TOKEN = "[API] Non-expiring access tokens are no longer accepted for the Admin API."
LIMITS_PAGE = "https://shopify.dev/api/usage/rate-limits"
# Importing them is what fills the table of resolvers.
ROOMS = (queries, mutations)

Body = dict[str, Any]


def name_of(environ: WSGIEnvironment) -> str:
    """`POST /shop/admin/... OrderCancel`: what faults are matched against."""
    request = Request(environ)
    asked = _json(request)
    label = asked.get("operationName") or asked.get("grant_type") or ""
    if not label:
        found = re.search(r"\b(?:query|mutation)\s+(\w+)", str(asked.get("query", "")))
        label = found.group(1) if found else ""
    return f"{request.method} {request.path} {label}".rstrip()


def _json(request: Request) -> Body:
    if request.mimetype == "application/x-www-form-urlencoded":
        return dict(request.form)
    try:
        body = json.loads(request.get_data())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


class AdminApi:
    """The WSGI application."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self.world, self.tokens = world, tokens

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        status, body = self._answer(request)
        headers = {"X-Shopify-API-Version": API_VERSION, "X-Request-Id": str(uuid.uuid4())}
        response = Response(json.dumps(body), status, headers, mimetype="application/json")
        return response(environ, start_response)

    def _answer(self, request: Request) -> tuple[int, Body]:
        graphql, oauth = GRAPHQL.match(request.path), OAUTH.match(request.path)
        if request.method != "POST" or not (graphql or oauth):
            return 404, {"errors": "Not Found"}
        with self.world.lock:
            if oauth:
                return self.tokens.answer(oauth.group(1), _json(request))
            assert graphql is not None
            return self._graphql(graphql.group(1), request)

    def _graphql(self, domain: str, request: Request) -> tuple[int, Body]:
        token = self.world.tokens.get(request.headers.get("X-Shopify-Access-Token", ""))
        shop = self.world.shops.get(domain)
        if shop is None:
            return 404, {"errors": "Not Found"}
        refusal = self._refused(token, shop)
        if refusal or token is None:
            return 401, {"errors": refusal or BAD_TOKEN}
        asked = _json(request)
        if not isinstance(asked.get("query"), str):
            return 400, {"errors": {"query": "Required parameter missing or invalid"}}
        return 200, self.run(Call(self.world, shop, token), asked)

    def _refused(self, token: Token | None, shop: Shop) -> str | None:
        if token is None or token.shop != shop.domain or not shop.installed:
            return BAD_TOKEN
        if token.outdated:
            return OLD_TOKEN
        return BAD_TOKEN if token.expires_at and token.expires_at <= self.world.now() else None

    def run(self, call: Call, asked: Body) -> Body:
        document, faults = checked(asked["query"])
        if document is None or faults:
            return {"errors": [live_error(fault) for fault in faults]}
        operation = _operation(document, asked.get("operationName"))
        if operation is None:
            return {"errors": [{"message": "An operation name is required", "extensions": {"code": "BAD_REQUEST"}}]}
        variables = asked.get("variables") or {}
        self._note(call, operation)
        estimate = Estimate(admin_schema(), document, variables, self.world.connection_weight)
        try:
            requested = estimate.of(operation)
        except (TypeError, ValueError):
            # A page size that is no number; running it says so properly.
            requested = 1
        return self._charged(call, document, operation, variables, requested)

    def _note(self, call: Call, operation: OperationDefinitionNode) -> None:
        name = operation.name.value if operation.name else None
        self.world.requests.append({"shop": call.shop.domain, "app": call.token.app, "operation": name})

    def _charged(
        self,
        call: Call,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Body,
        requested: int,
    ) -> Body:
        if requested > self.world.max_query_cost:
            return _too_dear(requested, self.world.max_query_cost)
        bucket = self.world.bucket(call.shop, call.token.app)
        if not bucket.take(requested):
            return _throttled(bucket, requested)
        result = execute_sync(
            admin_schema(),
            document,
            context_value=call,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            field_resolver=resolve_field,
            type_resolver=type_of,
        )
        return _told(call, result, operation, bucket, requested)


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    found = [item for item in document.definitions if isinstance(item, OperationDefinitionNode)]
    if name:
        found = [item for item in found if item.name and item.name.value == name]
    return found[0] if len(found) == 1 else None


def _told(
    call: Call, result: ExecutionResult, operation: OperationDefinitionNode, bucket: Bucket, requested: int
) -> Body:
    errors = result.errors or []
    if result.data is None and errors and not any(error.path for error in errors):
        bucket.give_back(requested)
        return {"errors": [variable_error(error) for error in errors]}
    actual = count_objects(result.data)
    if operation.operation.value == "mutation":
        actual += 9 * len(operation.selection_set.selections)
    actual = min(actual, requested)
    bucket.give_back(requested - actual)
    body: Body = {"data": result.data, "extensions": {"cost": bucket.report(requested, actual)}}
    if call.warnings:
        body["extensions"]["search"] = call.warnings
    return body | {"errors": [_formatted(error) for error in errors]} if errors else body


def _formatted(error: GraphQLError) -> Body:
    told: Body = dict(error.formatted)
    if "extensions" not in told:
        told["extensions"] = {"code": "INTERNAL_SERVER_ERROR"}
    return told


def _throttled(bucket: Bucket, requested: int) -> Body:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": LIMITS_PAGE}}
    return {"errors": [error], "extensions": {"cost": bucket.report(requested, None)}}


def _too_dear(requested: int, limit: int) -> Body:
    words = f"Query cost is {requested}, which exceeds the single query max cost limit ({limit})."
    extensions = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": limit, "documentation": LIMITS_PAGE}
    return {"errors": [{"message": words, "extensions": extensions}]}
