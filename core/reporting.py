"""Reports of our own faults to a Sentry service, where the operator named one (SENTRY_DSN).

Without one, nothing is imported and no thread is started. A report leaves the house, so it is put together from the few
things listed here, and nothing else goes: which fault, at which lines of the code, and our log line, which holds ids
alone. The fault's own words stay in the log, where the incident's number leads to them: they may repeat a body.

Reports do not pass through `core.http`: their address is the operator's, no merchant can choose it, and it may well lie
in a private network. They use no proxy of the environment, follow no redirect, and are not sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_OWN_LOGGERS = ("app", "core", "shopify_app", "rms_bridge", "oms_bridge")
_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
_KEPT_OF_FRAME = ("filename", "module", "function", "lineno", "in_app")
_MOST_WAITING = 20  # reports; while the service is slow, more are dropped
_SEND_SECONDS = 5.0
_END_SECONDS = 2.0  # for what waits when a process ends


def start_reporting(dsn: str | None) -> None:
    """From now on every log record of level ERROR, and what ends a process, is reported. Called once per process."""
    if dsn is None:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.transport import HttpTransport

    class BriefTransport(HttpTransport):
        """Gives up soon, and does not try again."""

        TIMEOUT = _SEND_SECONDS  # type: ignore[assignment] # a whole number there, and any number to urllib3

        def _get_pool_options(self) -> dict[str, Any]:
            return {**super()._get_pool_options(), "retries": False}

    sentry_sdk.init(
        dsn=dsn,
        before_send=lambda event, _hint: strip_report(event),
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, sentry_logs_level=None),  # no breadcrumbs, no logs: errors alone
            ExcepthookIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda _pending, _seconds: None),
        ],
        # what strip_report takes out is not even gathered; personal data is not by default
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        spotlight=False,
        transport=BriefTransport,
        transport_queue_size=_MOST_WAITING,
        shutdown_timeout=_END_SECONDS,
        http_proxy="",
        https_proxy="",
    )


def strip_report(event: Any) -> Any:
    """Only what a report may hold, of an event as Sentry's SDK makes it."""
    kept = {name: event[name] for name in _KEPT if name in event}
    faults = event.get("exception", {}).get("values", [])
    if faults:
        kept["exception"] = {"values": [_strip_fault(one) for one in faults]}
    words = event.get("logentry", {}).get("formatted")
    if words and str(event.get("logger")).partition(".")[0] in _OWN_LOGGERS:
        kept["logentry"] = {"message": words}
    return kept


def _strip_fault(fault: dict[str, Any]) -> dict[str, Any]:
    """A fault's kind and where it came through; not its words."""
    return {
        "type": fault.get("type"),
        "module": fault.get("module"),
        "stacktrace": {"frames": list(_strip_frames((fault.get("stacktrace") or {}).get("frames") or []))},
    }


def _strip_frames(frames: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for frame in frames:
        yield {name: frame[name] for name in _KEPT_OF_FRAME if name in frame}
