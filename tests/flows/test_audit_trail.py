"""Who decided what, in the audit log: staff, a credential, the system; each once, and the chain is whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import select

from core.flows.audit import find_break
from core.flows.decisions import decide_exchange
from core.flows.scene import Scene
from core.flows.tenants import load_settings
from core.models import AuditEntry
from tests.flows.stage import Stage
from tests.flows.test_mixed import line
from tests.flows.test_oms_doors import TWO_LINES, ask, connect


def list_acts(stage: Stage, *actions: str) -> list[tuple[str, str, str, Any]]:
    with stage.runtime.database.read() as session:
        assert find_break(session, stage.shop_id) is None
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    found = [one for one in entries if one.action in actions]
    return [(one.actor, one.action, one.about, one.detail.get("decision")) for one in found]


def list_details(stage: Stage, action: str) -> list[dict[str, Any]]:
    with stage.runtime.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.number))
        return [dict(one.detail) for one in entries]


def play(stage: Stage, verdicts: dict[str, str], more: Iterable[str] = ()) -> str:
    """An exchange of as many lines as verdicts, and of `more` units; returns how the audit log names its order."""
    units = [*verdicts, *more]
    order = stage.new_order([line(f"NEW-{unit}", unit) for unit in units])
    stage.push_return({unit: f"OLD-{unit}" for unit in units})
    stage.settle()
    stage.judge(verdicts)
    stage.settle()
    return f"order {order['id']}"


def test_what_a_verdict_frees_was_decided_by_the_system(stage: Stage) -> None:
    about = play(stage, {"I-1": "PASS"})
    assert list_acts(stage, "exchange.decided") == [("system", "exchange.decided", about, "release")]


def test_what_a_verdict_cancels_was_too(stage: Stage) -> None:
    about = play(stage, {"I-1": "FAIL"})
    assert list_acts(stage, "exchange.decided") == [("system", "exchange.decided", about, "cancel")]


@pytest.mark.parametrize("mode", ["live", "observe"])
def test_what_is_only_observed_says_so(stage: Stage, mode: str) -> None:
    """Decided like anything else, but nobody was told: who reads the log later knows the settings of then no more."""
    stage.configure({"mode": mode})
    play(stage, {"I-1": "FAIL"})
    assert [one["mode"] for one in list_details(stage, "exchange.decided")] == [mode]


def test_what_a_person_decides_is_theirs_alone(stage: Stage) -> None:
    order = stage.new_order([{"sku": "NEW-A", "quantity": 1}])
    stage.push_return({"I-1": "OLD-A"})
    stage.settle()
    with stage.runtime.database.write() as session:
        scene = Scene(session, stage.shop_id, load_settings(session, stage.shop_id))
        decide_exchange(scene, order["id"], "release", "staff 17", None)
    stage.settle()
    assert list_acts(stage, "exchange.decided") == [("staff 17", "exchange.decided", f"order {order['id']}", "release")]


def test_what_only_a_partner_may_do_is_nobodys_decision(stage: Stage) -> None:
    stage.configure({"qc": {"actor": "none"}})
    play(stage, {"I-1": "PASS"})
    assert list_acts(stage, "exchange.decided") == []


def test_what_oms_asks_for_is_its_credentials(stage: Stage) -> None:
    connect(stage)
    order = stage.new_order(TWO_LINES)
    stage.settle()
    first = str(stage.shopify_order(order)["lines"][0]["id"])
    assert ask(stage, lambda: stage.sandbox.oms.seller_cancel(str(order["id"]), {first: 1}))[0] == 200
    asked = ("order.cancel_asked", f"OMS order {order['id']}", None)
    assert list_acts(stage, "order.cancel_asked") == [(stage.credential.username, *asked)]


def test_failed_lines_are_cut_and_the_rest_is_freed_each_by_the_system(stage: Stage) -> None:
    about = play(stage, {"I-1": "PASS", "I-2": "FAIL"})
    assert list_acts(stage, "exchange.decided") == [("system", "exchange.decided", about, "cancel_lines")]


def test_a_line_that_goes_before_the_others_are_judged_is_told(stage: Stage) -> None:
    stage.configure({"qc": {"wait_for": "each_unit"}})
    about = play(stage, {"I-1": "FAIL"}, more=["I-2"])
    assert list_acts(stage, "exchange.decided") == [("system", "exchange.decided", about, "cancel_lines")]
