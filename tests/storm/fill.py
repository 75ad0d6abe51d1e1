"""Effects that wait for an OMS: `python -m tests.storm.fill URL SHOP FIRST COUNT`, through the product's own flows.

Of each return two notifications are taken, as a worker would take them: it is to be expected, and it was delivered.
Only the doors are passed by, and many are taken in one transaction.
"""

from __future__ import annotations

import sys

from core.db import Database
from core.domain.returns import ReturnReport, ReturnUnit
from core.domain.statuses import Status
from core.flows.reports import take_return
from core.flows.scene import Scene
from core.flows.tenants import load_settings

LAST_STATUS = Status.DELIVERED
_AT_ONCE = 50


def name_return(number: int) -> str:
    """The code of one return of a backlog."""
    return f"B{number}"


def fill(url: str, shop_id: int, first: int, count: int) -> None:
    """Two effects for each of `count` returns, in one lane each."""
    database = Database(url)
    for start in range(first, first + count, _AT_ONCE):
        with database.write() as session:  # no shop's lock: nobody else knows these returns yet
            scene = Scene(session, shop_id, load_settings(session, shop_id))
            for number in range(start, min(start + _AT_ONCE, first + count)):
                for status in (Status.PICKED_UP, LAST_STATUS):
                    take_return(scene, _report(number, status), None, None)
    database.dispose()


def _report(number: int, status: Status) -> ReturnReport:
    code = name_return(number)
    unit = ReturnUnit(f"{code}-0", f"SKU-{code}", "Size")
    said = {"status": status, "status_text": status.value.upper(), "awb": f"AWB-{code}", "transporter": "courier"}
    return ReturnReport(code, f"F{code}", full=False, location_code="Wid234", units=(unit,), **said)


if __name__ == "__main__":
    fill(sys.argv[1], *map(int, sys.argv[2:]))
