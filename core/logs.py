"""Logs: one JSON object a line by default, ids only, never a body, a header or a secret.

What strangers say may reach a line (a reason, a name). It never begins a line of its own and never steers a terminal.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_FIELDS = "%(levelname)s %(name)s %(message)s"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TRACE = "  | "  # in front of each line of a traceback, so that no text in it looks like a line of ours


class _TextFormatter(logging.Formatter):
    """For people: a line per record, then the traceback's lines, marked."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _escape(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        lines = super().formatException(ei).split("\n")
        return "\n".join(_TRACE + _escape(line) for line in lines)


def _escape(text: str) -> str:
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def configure_logs(form: str, level: str) -> None:
    """Send every logger's lines to standard error in one form. Called once per process."""
    handler = logging.StreamHandler()
    if form == "json":  # escapes all that is not printable ASCII
        handler.setFormatter(JsonFormatter(_FIELDS, rename_fields={"levelname": "level"}, timestamp="at"))  # UTC
    else:
        line = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"
        handler.setFormatter(_TextFormatter(line, datefmt="%Y-%m-%d %H:%M:%S%z"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("rq.worker", "rq.job", "alembic", "werkzeug", "urllib3"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def log_incident(logger: logging.Logger, what: str) -> str:
    """Log the exception being handled and return an incident id that may be shown to a caller."""
    incident = secrets.token_hex(6)
    logger.exception("%s (incident %s)", what, incident)
    return incident
