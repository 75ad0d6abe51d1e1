"""Who may call, on the settings page: shown, changed, refused with what was typed, and written into the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core.flows.credentials import Caller, Restriction, find_restriction, verify_credential
from core.flows.tenants import find_shop
from core.models import AuditEntry
from tests.integration.front import OTHER, FormReader, Front
from tests.integration.test_settings_page import read_credential

PLACE = "/settings/credentials/rms/callers"


def stored(front: Front, system: str = "rms") -> Restriction:
    with front.runtime.database.read() as session:
        shop = find_shop(session, front.shop)
        assert shop is not None
        return find_restriction(session, shop, system)


def fields(text: str) -> dict[str, tuple[str | None, str | None]]:
    """Name -> value and fault, of the first system's form."""
    reader = FormReader(text)
    found = {str(one["name"]): one for one in [*reader.find("s-text-area"), *reader.find("s-text-field")]}
    return {
        name: (found[name]["value"], found[name].get("error")) for name in ("networks", "auth_domain") if name in found
    }


def test_without_a_credential_there_is_nothing_to_restrict(front: Front) -> None:
    assert fields(front.get("/settings").text) == {}
    assert front.post(PLACE, {"networks": "203.0.113.7"}).status_code == 422
    assert stored(front) == Restriction()


def test_it_is_shown_changed_lifted_and_audited(front: Front) -> None:
    front.get("/settings")
    name, password = read_credential(front.post("/settings/credentials/rms").text)
    assert fields(front.get("/settings").text) == {"networks": ("", None), "auth_domain": ("", None)}
    answer = front.post(
        PLACE, {"networks": "203.0.113.0/24\n 2001:db8::/32, 203.0.113.0/24", "auth_domain": " increff "}
    )
    assert answer.status_code == 200
    assert fields(answer.text) == {
        "networks": ("203.0.113.0/24\n2001:db8::/32", None),
        "auth_domain": ("increff", None),
    }
    with front.runtime.database.read() as session:
        assert verify_credential(session, ("rms",), Caller(name, password, "increff", "203.0.113.7"))
        assert not verify_credential(session, ("rms",), Caller(name, password, "increff", "198.51.100.1"))
        assert not verify_credential(session, ("rms",), Caller(name, password, None, "203.0.113.7"))
    front.post(PLACE, {"networks": "", "auth_domain": ""})
    assert stored(front) == Restriction()
    with front.runtime.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "credential.restricted")).all()
    assert [(one.actor, one.about) for one in entries] == [("staff 42", "rms")] * 2
    assert entries[0].detail == {"auth_domain": "increff", "networks": ["203.0.113.0/24", "2001:db8::/32"]}


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"networks": "203.0.113.300"}, {"networks"}),
        ({"networks": "203.0.113.7/24"}, {"networks"}),
        ({"networks": "everywhere", "auth_domain": "é"}, {"networks", "auth_domain"}),
        ({"auth_domain": "a\nb"}, {"auth_domain"}),
        ({"auth_domain": "x" * 256}, {"auth_domain"}),
        ({"networks": "\n".join(f"203.0.{number}.0/24" for number in range(101))}, {"networks"}),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_field_and_changes_nothing(
    front: Front, typed: dict[str, Any], named: set[str]
) -> None:
    front.get("/settings")
    front.post("/settings/credentials/rms")
    front.post(PLACE, {"networks": "203.0.113.7", "auth_domain": "increff"})
    before = stored(front)
    answer = front.post(PLACE, typed)
    assert answer.status_code == 422
    shown = fields(answer.text)
    assert {name for name, (_, fault) in shown.items() if fault} == named
    assert all(shown[name][0] == value for name, value in typed.items())
    assert stored(front) == before


def test_a_system_nobody_knows_is_nowhere(front: Front) -> None:
    front.get("/settings")
    assert front.post("/settings/credentials/st/callers", {"networks": ""}).status_code == 404


def test_another_shop_keeps_its_own(front: Front) -> None:
    for shop in (front.shop, OTHER):
        front.get("/settings", shop=shop)
        front.post("/settings/credentials/rms", shop=shop)
    front.post(PLACE, {"networks": "203.0.113.7"})
    assert "203.0.113.7" not in front.get("/settings", shop=OTHER).text
