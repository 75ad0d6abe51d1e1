"""No transaction is open across HTTP: the whole road, watched at the one door out."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, text

from core.http import HttpDoor
from tests.flows.stage import Stage
from tests.flows.test_straight_road import send_order, send_return, send_verdict


@pytest.mark.parametrize("status", ["PASS", "FAIL"])
def test_no_transaction_is_open_while_anybody_is_called(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """The thread that calls holds no connection of the database."""
    held: Counter[int] = Counter()
    pool = stage.runtime.database.engine.pool
    event.listen(pool, "checkout", lambda *_: held.update({threading.get_ident(): 1}))
    event.listen(pool, "checkin", lambda *_: held.update({threading.get_ident(): -1}))
    called: list[tuple[str, int]] = []
    send = HttpDoor.send

    def watched(door: HttpDoor, method: str, url: str, **more: Any) -> Any:
        called.append((url, held[threading.get_ident()]))
        return send(door, method, url, **more)

    monkeypatch.setattr(HttpDoor, "send", watched)
    send_order(stage)
    send_return(stage)
    stage.settle()
    send_verdict(stage, status)
    stage.settle()
    assert len(called) >= 5
    assert [url for url, connections in called if connections] == []
    with stage.runtime.database.read() as session:
        session.execute(text("SELECT 1"))
        assert held[threading.get_ident()] == 1  # one that is open would be seen
