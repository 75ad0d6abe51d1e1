"""The restore drill: yesterday's backup is put back by the steps of docs/reliability.md, and everything since then has
really happened outside. Nothing happens a second time, all ends right, and what nobody could know is visible.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from core.clock import utc_now
from core.db import Database
from core.migrations import upgrade
from simulators.serving import serve
from tests.conftest import _make_database
from tests.flows.backups import make_database, restore_backup, take_backup
from tests.flows.stage import HOLD, REPLACEMENT, Stage

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """On PostgreSQL the app's role is no superuser here, as it should be: backups must be possible all the same."""
    if request.param == "sqlite":
        yield from _make_database(request, "sqlite", template=True)
        return
    address = request.getfixturevalue("postgres").replace("postgresql+psycopg://", "postgresql://")
    for url in make_database(address, f"drill_{next(_numbers)}"):
        opened = Database(url)
        upgrade(opened)
        opened.dispose()
        yield url


@dataclass
class Drill:
    """A stage with its backup."""

    stage: Stage
    backup: Path
    taken_at: datetime

    def restore(self) -> None:
        """Everything is stopped, the backup is put back, and only the web server is started."""
        stage = self.stage
        stage.server.close()
        stage.runtime.database.dispose()
        restore_backup(stage.config.database, self.backup)
        stage.app = create_app(stage.config)
        stage.runtime = stage.app.extensions["returnbridge"]
        stage.server = serve(stage.app.wsgi_app)
        stage.sandbox.shopify.app_url = stage.url = stage.server.url
        stage.sandbox.rms.connect(stage.credential.username, stage.credential.password, bridge_url=stage.url)

    def reconcile(self) -> str:
        """The operator's command."""
        since = self.taken_at.isoformat()
        ended = self.stage.app.test_cli_runner().invoke(args=["reconcile", self.stage.shop, "--since", since])
        assert ended.exit_code == 0, ended.output
        return ended.output

    def have_rms_send_again(self) -> None:
        """All that RMS has pushed since the backup, as it pushed it."""
        for call in [one for one in self.stage.sandbox.rms.calls if one["at"] >= self.taken_at.timestamp()]:
            answer = self.stage.sandbox.rms.bridge.send(call["method"], call["path"], call["body"])
            assert answer[0] == 200, answer


def take(stage: Stage, folder: Path) -> Drill:
    """Yesterday's backup."""
    drill = Drill(stage, folder / "backup", utc_now())
    take_backup(stage.config.database, drill.backup)
    return drill


def line(unit: str) -> dict[str, Any]:
    """A line that names the unit it replaces."""
    return {"sku": f"NEW-{unit}", "quantity": 1, "properties": {"return_item_code": unit}}


def start(stage: Stage, name: str, units: str = "1", **facts: Any) -> dict[str, Any]:
    """A held replacement order, and its return."""
    codes = [f"{name}-{unit}" for unit in units]
    order = stage.new_order([line(code) for code in codes], f"RET-{name}", **facts)
    push(stage, name, units)
    return order


def push(stage: Stage, name: str, units: str = "1") -> None:
    stage.push_return({f"{name}-{unit}": f"SKU-{name}-{unit}" for unit in units}, f"RET-{name}", forward=f"F-{name}")


def judge(stage: Stage, name: str, **verdicts: str) -> None:
    """RMS reports QC: unit -> PASS or FAIL."""
    said = {f"{name}-{unit.removeprefix('u')}": verdict for unit, verdict in verdicts.items()}
    stage.judge(said, f"RET-{name}", forward=f"F-{name}")


def look(stage: Stage, orders: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How it stands outside. Stamps go, for a tag that is taken off twice is stamped twice."""
    shopify = {name: stage.shopify_order(order) for name, order in orders.items()}
    oms, messages = stage.sandbox.oms, defaultdict(set)
    for one in stage.sandbox.partner.received:
        messages[one["headers"]["Idempotency-Key"]].add(json.dumps(one["body"]))
    return {
        "shopify": {name: {key: one[key] for key in one if key != "updated_at"} for name, one in shopify.items()},
        "oms orders": sorted(oms.orders(), key=lambda one: str(one["code"])),
        "oms returns": sorted((one["code"], one["status"]) for one in oms.returns()),
        "oms effects": {name: oms.effects.get(name, 0) for name in ("orders_created", "returns_created")},
        "messages": dict(messages),  # a partner that has seen the key takes what comes under it for the same
    }


# what we did after the backup may have been seen in Shopify before its verdict came again: then it counts as a person's
UNCREDITED = {
    "pass": ("overridden", "lifted_by_hand"),
    "new and released": ("overridden", "lifted_by_hand"),
    "no return yet": ("overridden", "lifted_by_hand"),
    "fail": ("overridden", "cancelled_by_hand"),
    "mixed": ("overridden", "lifted_by_hand"),
}
SETTINGS: dict[str, Any] = {"cancel": {"cooling_off_minutes": 0, "refund": "original"}}


@pytest.fixture
def partners(stage: Stage) -> None:
    """A partner that hears everything."""
    partner = {"name": "all", "kind": "generic", "url": stage.sandbox.partner_url + "/all"}
    stage.configure({**SETTINGS, "partners": [{**partner, "events": ["qc", "return", "tracking"]}]})


@pytest.mark.usefixtures("partners")
def test_yesterdays_backup_is_restored_and_nothing_is_doubled(stage: Stage, tmp_path: Path) -> None:
    orders = {name: start(stage, name) for name in ("done", "pass", "fail", "lifted", "waiting")}
    orders["mixed"] = start(stage, "mixed", "12")
    orders["no return yet"] = stage.new_order([line("later-1")], "RET-later")
    judge(stage, "done", u1="PASS")
    stage.settle()
    orders["on its way"] = start(stage, "underway")  # heard and not thought about when the backup is taken

    drill = take(stage, tmp_path)

    judge(stage, "pass", u1="PASS")
    judge(stage, "fail", u1="FAIL")
    judge(stage, "mixed", u1="FAIL", u2="PASS")
    push(stage, "later")
    stage.sandbox.shopify.edit_tags(stage.shop, orders["lifted"]["id"], [], [HOLD])
    orders["new"] = start(stage, "new")
    orders["new and untagged"] = start(stage, "untagged", tags=[REPLACEMENT])
    orders["new and released"] = start(stage, "quick")
    stage.settle()
    judge(stage, "later", u1="PASS")
    judge(stage, "quick", u1="PASS")
    stage.settle()
    before, states = look(stage, orders), {name: stage.state(order) for name, order in orders.items()}
    assert before["shopify"]["fail"]["cancelled_at"]

    drill.restore()
    assert "news" in drill.reconcile()
    drill.have_rms_send_again()
    stage.settle(60)

    assert look(stage, orders) == before
    after = {name: stage.state(order) for name, order in orders.items()}
    assert {name: state for name, state in after.items() if state != states[name]}.items() <= UNCREDITED.items()
    assert "parked" not in [one.state for one in stage.effects()], stage.describe()


@pytest.mark.usefixtures("partners")
def test_what_nobody_sends_again_is_visible(stage: Stage, tmp_path: Path) -> None:
    """RMS does not repeat what was answered 200."""
    orders = {name: start(stage, name) for name in ("pass", "fail")}
    orders["no return yet"] = stage.new_order([line("later-1")], "RET-later")
    stage.settle()

    drill = take(stage, tmp_path)

    judge(stage, "pass", u1="PASS")
    judge(stage, "fail", u1="FAIL")
    push(stage, "later")
    stage.settle()
    before = look(stage, orders)

    drill.restore()
    drill.reconcile()
    stage.settle(60)
    assert look(stage, orders) == before
    assert stage.state(orders["pass"]) == ("overridden", "lifted_by_hand")
    assert stage.state(orders["fail"]) == ("overridden", "cancelled_by_hand")
    assert stage.state(orders["no return yet"]) == ("awaiting_return", "nothing_known")  # OMS expects it all the same
    assert "RET-later" in [code for code, _ in before["oms returns"]]

    orders["after"] = start(stage, "after")
    judge(stage, "after", u1="PASS")
    push(stage, "later")
    judge(stage, "later", u1="PASS")
    stage.settle(60)
    after = look(stage, orders)
    assert stage.state(orders["no return yet"]) == ("released", "released")
    assert after["oms effects"] == {"orders_created": 4, "returns_created": 4}
    assert all(len(bodies) == 1 for bodies in after["messages"].values())
    told = [json.loads(body) for bodies in after["messages"].values() for body in bodies]
    judged = {one["returnOrderCode"] for one in told if "qcStatus" in one["orderItems"][0]}
    assert judged == {"RET-pass", "RET-fail", "RET-after", "RET-later"}


def test_an_order_made_and_released_after_the_backup_is_held_until_rms_sends_again(
    stage: Stage, tmp_path: Path
) -> None:
    """It looks like one that came without its hold tag: better held twice than sent out unseen. A person is told."""
    drill = take(stage, tmp_path)
    order = start(stage, "quick")
    stage.settle()
    judge(stage, "quick", u1="PASS")
    stage.settle()
    assert HOLD not in stage.shopify_order(order)["tags"]

    drill.restore()
    drill.reconcile()
    stage.settle(60)
    assert HOLD in stage.shopify_order(order)["tags"]
    assert stage.state(order) == ("awaiting_return", "nothing_known")
    assert [one.kind for one in stage.effects() if one.state == "parked"] == ["oms.hold_order"]

    drill.have_rms_send_again()
    stage.settle(60)
    assert stage.state(order) == ("released", "released")
    assert HOLD not in stage.shopify_order(order)["tags"]
    assert stage.sandbox.oms.effects["orders_created"] == stage.sandbox.oms.effects["returns_created"] == 1
    assert "parked" not in [one.state for one in stage.effects()]


def test_a_new_report_is_not_taken_for_one_that_the_backup_does_not_know(stage: Stage, tmp_path: Path) -> None:
    """The numbers of rows are given out anew, to other messages: a key made of one would be known to the partner."""
    stage.configure({"qc": {"actor": "none"}})
    drill = take(stage, tmp_path)
    for name in ("old", "new"):
        judge(stage, name, u1="PASS")
        stage.settle()
        if name == "old":
            drill.restore()
    messages = look(stage, {})["messages"]
    assert len(messages) == 2
    assert all(len(bodies) == 1 for bodies in messages.values())


def test_what_waited_to_be_sent_is_not_sent_again(stage: Stage, tmp_path: Path) -> None:
    """OMS and the partner were away when the backup was taken, and heard everything afterwards."""
    stage.sandbox.oms.faults.add({"match": "/orders/outward", "kind": "status", "status": 503, "times": 1})
    stage.sandbox.partner.faults.add({"match": "/qc", "kind": "status", "status": 503, "times": 1})
    orders = {"waited": start(stage, "waited")}
    judge(stage, "waited", u1="PASS")
    stage.wait_for(lambda: sum(one.attempts for one in stage.effects("oms.create_order", "partner.report_qc")) == 2)

    drill = take(stage, tmp_path)

    stage.settle(60)
    before = look(stage, orders)
    assert before["oms effects"]["orders_created"] == len(before["messages"]) == 1

    drill.restore()
    drill.reconcile()
    stage.settle(60)
    assert look(stage, orders) == before


def test_a_cancel_that_cooled_off_and_was_called_off_after_the_backup_is_not_made(stage: Stage, tmp_path: Path) -> None:
    stage.configure({"cancel": {"cooling_off_minutes": 0.05, "refund": "original"}})
    orders = {"flip": start(stage, "flip")}
    judge(stage, "flip", u1="FAIL")
    stage.wait_for(lambda: stage.exists(orders["flip"], "cancelling"))

    drill = take(stage, tmp_path)

    judge(stage, "flip", u1="PASS")
    stage.settle(60)
    assert stage.state(orders["flip"]) == ("released", "released")
    before = look(stage, orders)

    drill.restore()
    drill.reconcile()
    stage.settle(60)
    assert look(stage, orders) == before
    assert before["shopify"]["flip"]["cancelled_at"] is None
