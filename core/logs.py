"""Logs: one JSON object a line by default, ids only, never a body, a header or a secret."""

from __future__ import annotations

import logging
import secrets

from pythonjsonlogger.json import JsonFormatter

_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure_logs(form: str, level: str) -> None:
    """Send every logger's lines to standard error in one form. Called once per process."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(JsonFormatter(_FIELDS, rename_fields={"asctime": "at", "levelname": "level"}))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s"))
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
