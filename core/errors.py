"""Errors carry their fate (law 9): what becomes of the event or effect that met them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Fault(Exception):
    """Something went wrong whose handling is known. `str()` is a sentence a merchant may read, without secrets."""


class Transient(Fault):
    """Try again later; `retry_after` in seconds when the far side named it."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """The far side said "slow down" and did nothing; counts as no attempt."""


class OutOfTime(Transient):
    """We had too little time left to begin the call: that says nothing about the far side."""


class Ambiguous(Fault):
    """The call may or may not have been carried out: look before doing it again (law 4)."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(Fault):
    """Trying again as it is cannot help: park it with these words."""


class Undone(Permanent):
    """The far side says that what was sent has not been done and will not be: a retry begins anew."""


class Outdated(Permanent):
    """Somebody was faster: what a person acts on is no longer as they saw it. Nothing was changed."""


class NeedsSettings(Fault):
    """The merchant must change a setting or a credential first."""


class AccessRefused(NeedsSettings):
    """The far side takes no call of ours: credentials missing or refused (401, 403), or the shop itself is closed.

    The whole connection is paused.
    """


class Gone(Permanent):
    """The endpoint is no more (410)."""


class BadInput(Fault):
    """A caller's body cannot be understood. `faults` names each fault with its path, all at once."""

    def __init__(self, faults: list[str]):
        super().__init__("; ".join(faults))
        self.faults = faults


class Unauthorized(Fault):
    """A caller of ours did not prove who it is."""


class TooManyFailures(Unauthorized):
    """The same, once too often: the caller is to wait `retry_after` seconds before the next try."""

    def __init__(self, message: str, retry_after: int):
        super().__init__(message)
        self.retry_after = retry_after


class UnsupportedMedia(Fault):
    """A caller's body is of a type we do not take."""


@contextmanager
def once_changed() -> Iterator[None]:
    """Inside, something has been changed already: whatever goes wrong leaves the outcome unclear, never undone."""
    try:
        yield
    except Ambiguous:
        raise
    except Fault as error:
        raise Ambiguous(str(error), getattr(error, "retry_after", None)) from error
