"""The tables that share a vocabulary name the same words: kinds, topics, statuses, states, schedules."""

from __future__ import annotations

import ast
import importlib

from core.domain import statuses
from core.domain.effects import KINDS
from core.domain.exchange import TABLE, Move, Signal, State, Stay, decide
from core.domain.statuses import Status, may_follow
from core.registry import Registry
from core.relay.backoff import SCHEDULES
from rms_bridge import webhooks as rms_doors
from tests.house.source import BRIDGES, on_sqlite, read_sources


@on_sqlite
def test_every_kind_of_effect_has_a_deliverer_and_the_reverse(registry: Registry) -> None:
    assert set(registry.deliverers) == set(KINDS)
    assert all(kind.name == name for name, kind in KINDS.items())


@on_sqlite
def test_handlers_and_deliverers_are_whole(registry: Registry) -> None:
    for handler in registry.handlers.values():
        assert callable(handler.read)
        assert callable(handler.apply)
    for deliverer in registry.deliverers.values():
        for step in ("render", "send", "look", "settle"):
            assert callable(getattr(deliverer, step))


def test_every_kind_has_a_schedule() -> None:
    assert {kind.schedule for kind in KINDS.values()} <= set(SCHEDULES)


@on_sqlite
def test_every_topic_the_rms_doors_record_has_a_handler_and_the_reverse(registry: Registry) -> None:
    handled = {topic for source, topic in registry.handlers if source == rms_doors.SOURCE}
    assert handled == set(rms_doors.CHECKS)


@on_sqlite
def test_every_reader_asked_for_by_name_is_registered(registry: Registry) -> None:
    asked = set()
    for source in read_sources(*BRIDGES):
        module = importlib.import_module(source.path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        for node in ast.walk(source.tree):
            if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)):
                continue
            if ast.unparse(node.value).endswith("registry.readers"):
                asked.add(getattr(module, ast.unparse(node.slice)))
    assert asked
    assert asked == set(registry.readers)


def test_every_status_has_a_rank() -> None:
    assert set(statuses._RANK) == set(Status)
    for new in Status:
        for current in (None, *Status):
            assert may_follow(new, current) in (True, False)


def test_the_exchange_table_is_total() -> None:
    assert set(TABLE) == set(State)
    for state, row in TABLE.items():
        assert set(row) == set(Signal), state
        for signal in Signal:
            step = decide(state, signal)
            assert isinstance(step, Move | Stay)
            assert step.why
            assert not isinstance(step, Move) or step.to in State
