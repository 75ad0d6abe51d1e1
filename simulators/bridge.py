"""How the Increff stand-ins call Returnbridge's own endpoints: credential headers, 45 s, a journal."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import requests

from simulators.journal import Journal, readable

# Reference §6: our endpoints have 45 s to answer Increff.
TIME_OUT = 45.0
Answer = tuple[int, Any]


class Bridge:
    """Status 0 means no answer; the body then says why."""

    def __init__(self, url: str = "", username: str = "", password: str = "", domain: str | None = None) -> None:
        self.journal = Journal()
        self._local = threading.local()
        self.connect(username, password, domain, url)

    def connect(self, username: str, password: str, domain: str | None = None, url: str | None = None) -> None:
        self.username, self.password, self.domain = username, password, domain
        if url is not None:
            self.url = url.rstrip("/")

    @property
    def connected(self) -> bool:
        return bool(self.url and self.username)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str] | None = None,
        attempts: int = 1,
        pause: float = 0.2,
    ) -> Answer:
        """Send JSON (or bytes as they are) and repeat while it is not a 2xx and attempts are left."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._once(method, path, raw, headers)
        for _ in range(attempts - 1):
            if 200 <= answer[0] < 300:
                break
            time.sleep(pause)
            answer = self._once(method, path, raw, headers)
        return answer

    def credentials(self) -> dict[str, str]:
        given = {"authUsername": self.username, "authPassword": self.password, "authDomainName": self.domain}
        return {name: value for name, value in given.items() if value}

    def _once(self, method: str, path: str, raw: bytes, headers: dict[str, str] | None) -> Answer:
        sent = {"Content-Type": "application/json", **(self.credentials() if headers is None else headers)}
        try:
            reply = self._session().request(
                method, self.url + path, data=raw, headers=sent, timeout=TIME_OUT, allow_redirects=False
            )
            answer = (reply.status_code, readable(reply.content))
        except requests.RequestException as error:
            answer = (0, str(error))
        self.journal.record(method=method, path=path, body=readable(raw), status=answer[0], answer=answer[1])
        return answer

    def _session(self) -> requests.Session:
        """One per thread: sessions are not thread-safe. The surroundings (proxies, netrc) must not take part."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        return session
