"""What an operator watches, as Prometheus reads it. Told from the tables, so that every process tells the same."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.db import read_clock
from core.flows.credentials import Headers
from core.models import Effect, Endpoint, Event, Exchange, Finding, Shop
from core.runtime import Runtime

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_FORWARDED = ("Forwarded", "X-Forwarded-For")
_WAITING = ("pending", "sending", "parked")


def may_read(headers: Headers, address: str | None, token: str | None) -> bool:
    """True for one who shows METRICS_TOKEN as a bearer token; where there is none, for a caller on this machine."""
    if token:
        shown = (headers.get("Authorization") or "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), token.encode())
    try:
        near = ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
    return near and not any(headers.get(name) for name in _FORWARDED)  # a proxy on this machine is not its caller


def render_metrics(runtime: Runtime) -> bytes:
    """The figures of this moment."""
    registry = CollectorRegistry()
    registry.register(_Tables(runtime))
    return generate_latest(registry)


class _Tables(Collector):
    def __init__(self, runtime: Runtime):
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge after the other, in one transaction."""
        with self._runtime.database.read() as session:
            yield _count(session, "shops", "Shops with the app, by mode", Shop.mode, Shop.removed_at.is_(None))
            yield _count(session, "events_waiting", "Events not ended yet", Event.source, Event.outcome.is_(None))
            yield _count(session, "effects", "Effects not at their end", Effect.state, Effect.state.in_(_WAITING))
            yield _count(session, "exchanges", "Exchanges by state", Exchange.state)
            yield _count(session, "findings", "Findings that stand", Finding.kind, Finding.cleared_at.is_(None))
            yield _count(session, "endpoints", "Far sides by state", Endpoint.state)
            yield from _ages(session)


def _count(session: Session, name: str, about: str, by: Any, *where: Any) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"returnbridge_{name}", about, labels=[by.key])
    for value, count in session.execute(select(by, func.count()).where(*where).group_by(by)):
        gauge.add_metric([value], count)
    return gauge


def _ages(session: Session) -> Iterable[GaugeMetricFamily]:
    """How long the oldest waits: the figure that rises when workers stand still."""
    now = read_clock(session)
    for name, about, query in (
        ("event", "Age of the oldest event not ended", _oldest(Event.received_at, Event.outcome.is_(None))),
        ("effect", "How long the oldest effect is overdue", _oldest(Effect.due_at, Effect.state == "pending")),
    ):
        oldest = session.scalars(query).one()
        age = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
        yield GaugeMetricFamily(f"returnbridge_oldest_{name}_seconds", about, value=age)


def _oldest(moment: Any, where: Any) -> Select[Any]:
    return select(func.min(moment)).where(where)
