"""What the tests of the Shopify stand-in share: a recording app, a GraphQL caller, patience."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from simulators.serving import read_body
from simulators.shopify.schema import DATA

GID = "gid://shopify"
SHOP = "one.myshopify.com"
KEY, SECRET = "test-key", "test-secret-that-is-long-enough-for-hs256"
OPERATIONS = (DATA / "operations_2026-10.graphql").read_text()


class Receiver:
    """Keeps every delivery; answers 200 unless `statuses` holds others for the next ones."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.url = ""
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        body = read_body(environ)
        headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key[:5] == "HTTP_"}
        with self._lock:
            self.got.append({"headers": headers, "raw": body, "body": json.loads(body), "path": environ["PATH_INFO"]})
            status = self.statuses.pop(0) if self.statuses else 200
        start_response(f"{status} Said", [("Content-Type", "text/plain")])
        return [b""]

    def topics(self) -> list[str]:
        return [item["headers"]["x-shopify-topic"] for item in self.got]

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [item for item in self.got if item["headers"]["x-shopify-topic"] == topic]

    def clear(self) -> None:
        self.got.clear()


class Caller:
    """Speaks GraphQL to one shop as one app."""

    def __init__(self, url: str, token: str, shop: str = SHOP) -> None:
        self.url, self.token = f"{url}/{shop}/admin/api/2026-10/graphql.json", token

    def post(self, query: str, variables: dict[str, Any] | None = None, operation: str | None = None) -> Any:
        body = {"query": query, "variables": variables or {}, "operationName": operation}
        return requests.post(self.url, json=body, headers={"X-Shopify-Access-Token": self.token}, timeout=5)

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.post(query, variables)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, operation: str, **variables: Any) -> dict[str, Any]:
        """One of the written documents; any error fails the test."""
        answer = self.post(OPERATIONS, variables, operation).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def wait_for(true: Callable[[], Any], seconds: float = 5) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def snapshot(api: Caller, order: dict[str, Any]) -> Any:
    return api.run("OrderSnapshot", id=order["gid"])["order"]
