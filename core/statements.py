"""Statements that are put together once: that costs SQLAlchemy more than it costs to run them.

@prepared
def _select_return(shop_id: int, code: str) -> Select[ReturnOrder]:
    return select(ReturnOrder).where(ReturnOrder.shop_id == shop_id, ReturnOrder.code == code)

scalars(session, _select_return(shop_id, code)).first()
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, cast

from sqlalchemy import Executable, Result, ScalarResult, bindparam
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TypedReturnsRows

Given = ParamSpec("Given")
Made = TypeVar("Made", bound=Executable)
One = TypeVar("One")
Row = TypeVarTuple("Row")
Values = dict[str, Any]


def prepared(make: Callable[Given, Made]) -> Callable[Given, tuple[Made, Values]]:
    """Calls `make` once, with a parameter in place of each argument. A call gives the statement and its values.

    `make` may put its arguments where SQL takes a value, and must not look at them: no condition, no arithmetic, and
    nobody gives None. Arguments are given by position. Objects of the session do not follow what an UPDATE writes.
    """
    # prefixed, because a parameter of an UPDATE must not be named as a column
    names = tuple(f"given_{name}" for name in inspect.signature(make).parameters)

    @cache
    def put_together() -> Made:
        statement = cast(Callable[..., Made], make)(*map(bindparam, names))
        if isinstance(statement, UpdateBase):
            statement = cast(Made, statement.execution_options(synchronize_session=False))
        return statement

    @wraps(make)
    def give(*args: Given.args, **_: Given.kwargs) -> tuple[Made, Values]:
        return put_together(), dict(zip(names, args, strict=True))

    return give


def execute(session: Session, given: tuple[TypedReturnsRows[*Row], Values]) -> Result[*Row]:
    """Run a prepared statement: its rows."""
    return session.execute(*given)


def scalars(session: Session, given: tuple[TypedReturnsRows[One], Values]) -> ScalarResult[One]:
    """Run a prepared statement of one column or one class: its values."""
    statement, values = given
    return session.scalars(statement, values)
