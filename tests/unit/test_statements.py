"""A prepared statement says what the same statement says that is made anew each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Select, Update, select, update
from sqlalchemy.orm import Session

from core.db import Database, db_now
from core.models import Shop
from core.statements import prepared, scalars

made: list[str] = []


@prepared
def _select_named(mode: str, domains: Sequence[str], most: int) -> Select[Shop]:
    made.append("_select_named")
    return select(Shop).where(Shop.mode == mode, Shop.domain.in_(domains)).order_by(Shop.id).limit(most)


@prepared
def _update_mode(domain: str, mode: str) -> Update:
    return update(Shop).where(Shop.domain == domain).values(mode=mode)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.write() as opened:
        for name in ("a", "b", "c"):
            opened.add(Shop(domain=name, mode="live", created_at=db_now()))
        opened.flush()
        yield opened


def find(session: Session, *given: object) -> list[str]:
    return [shop.domain for shop in scalars(session, _select_named(*given))]


def test_each_call_has_its_own_values_and_the_statement_is_made_once(session: Session) -> None:
    made.clear()
    assert find(session, "live", ["a", "c", "x"], 5) == ["a", "c"]
    assert find(session, "live", ["a", "b", "c"], 2) == ["a", "b"]
    assert find(session, "live", [], 2) == []
    assert find(session, "paused", ["a"], 2) == []
    assert len(made) <= 1


def test_an_update_may_name_its_values_as_the_columns_are_named(session: Session) -> None:
    session.execute(*_update_mode("b", "paused"))
    assert find(session, "paused", ["a", "b", "c"], 5) == ["b"]


def test_a_value_too_few_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _update_mode("b")  # type: ignore[call-arg]
