"""What a stand-in was asked, in order: the record tests and the sandbox page read."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulators.serving import read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A crash test may run for an hour; the sandbox must not grow without end.
KEPT = 50_000


def readable(raw: bytes) -> Any:
    """The body as JSON when it is JSON, else as text; None when there is none."""
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


class Journal:
    """Entries are plain dicts; `record` fills in when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []

    def record(self, **entry: Any) -> dict[str, Any]:
        written = {"at": time.time(), **entry}
        with self._lock:
            self._entries.append(written)
            del self._entries[:-KEPT]
        return written

    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def wrap(self, wsgi_app: WSGIApplication) -> WSGIApplication:
        """The same application, journalled. `status` stays None for a call that got no answer."""

        def journalled(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            raw = read_body(environ)
            environ["wsgi.input"] = io.BytesIO(raw)
            entry = self.record(
                method=environ["REQUEST_METHOD"],
                path=environ.get("PATH_INFO", ""),
                query=environ.get("QUERY_STRING", ""),
                status=None,
                body=readable(raw),
            )

            def remember(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                entry["status"] = int(status.split(maxsplit=1)[0])
                return start_response(status, headers, exc_info)

            return wsgi_app(environ, remember)

        return journalled
