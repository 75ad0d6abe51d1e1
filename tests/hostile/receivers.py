"""The healthy partners and the healthy OMS as one process: what they heard, and when.

`python -m tests.hostile.receivers PORT`; it is asked at /dump: name of a message -> when it was first heard.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.crash.parent import die_with_parent
from tests.crash.wire import Answer, Request, serve


class Receivers:
    """A message to a partner goes by its `Idempotency-Key`, an expectation by its return's code."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}

    async def respond(self, request: Request) -> Answer:
        if request.path == "/dump":
            return 200, self.heard
        if request.path.startswith("/oms/"):
            self._note(f"oms:{request.json()['returnOrderCode']}")
        else:
            self._note(f"partner:{request.headers['idempotency-key']}")
        return 200, {}

    def _note(self, message: str) -> None:
        self.heard.setdefault(message, time.time())


async def main(port: int) -> None:
    """Serve until killed."""
    async with await serve(Receivers().respond, port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(main(int(sys.argv[1])))
