"""How OMS says no (reference §6): a 400 with `code`, `message` and `description`."""

from __future__ import annotations

from collections.abc import Iterable


class RefusalError(Exception):
    """A call or a command that breaks one of OMS's rules."""

    def __init__(self, *faults: str, message: str = "Input validation failed", status: int = 400) -> None:
        super().__init__(f"{message}: {', '.join(faults)}")
        self.status = status
        self.body = {"code": "BAD_DATA", "message": message, "description": f"[{', '.join(faults)}]"}


def refuse_if(faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        raise RefusalError(*found)
