"""The settings document: every fault named, defaults filled in, secrets taken out and put back."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import BadInput
from core.settings import Settings, merge_secrets, parse_settings, split_secrets

PARTNER = {"name": "rp", "kind": "returns_prime", "url": "https://p.example", "headers": {"x-t": "secret"}}


def find_faults(document: Any) -> list[str]:
    with pytest.raises(BadInput) as raised:
        parse_settings(document)
    return raised.value.faults


def test_nothing_is_the_defaults() -> None:
    assert parse_settings({}) == Settings()
    assert Settings().mode == "observe"


FAULTY: list[tuple[dict[str, Any], str]] = [
    ({"mode": None}, "mode"),
    ({"novel": 1}, "novel"),
    ({"exchange": {"novel": 1}}, "exchange.novel"),
    ({"exchange": []}, "exchange"),
    ({"exchange": {"hold_tag": "x" * 41}}, "exchange.hold_tag"),
    ({"exchange": {"other_hold_tags": ["a", "b,c"]}}, "exchange.other_hold_tags[1]"),
    ({"exchange": {"hold_tag": " Increff_EXCHANGE "}}, "exchange"),
    ({"exchange": {"release_tag": "INCREFF_HOLD"}}, "exchange"),
    ({"qc": {"reasons": {"": "pass"}}}, "qc.reasons"),
    ({"qc": {"verdict_deadline_days": float("nan")}}, "qc.verdict_deadline_days"),
    ({"qc": {"verdict_deadline_days": "5"}}, "qc.verdict_deadline_days"),
    ({"cancel": {"restock": "yes"}}, "cancel.restock"),
    ({"cancel": {"cooling_off_minutes": -1}}, "cancel.cooling_off_minutes"),
    ({"oms": {"calls_per_minute": True}}, "oms.calls_per_minute"),
    ({"oms": {"base_url": "https://"}}, "oms.base_url"),
    ({"oms": {"base_url": "https://[x"}}, "oms.base_url"),
    ({"oms": {"base_url": "https://u:p@oms.example"}}, "oms.base_url"),
    ({"oms": {"auth_password": "a\r\nb"}}, "oms.auth_password"),
    ({"partners": [PARTNER, PARTNER]}, "body: partners"),
    ({"partners": [{**PARTNER, "headers": {"a:b": "x"}}]}, "partners[0].headers"),
    ({"partners": [{**PARTNER, "name": "rp\n"}]}, "partners[0].name"),
    ({"partners": [{**PARTNER, "headers": {"x-t\n": "x"}}]}, "partners[0].headers"),
    ({"partners": [{**PARTNER, "kind": "clickpost", "events": ["qc"]}]}, "body"),
]


@pytest.mark.parametrize(("document", "path"), FAULTY, ids=lambda one: one if isinstance(one, str) else "")
def test_a_fault_is_named_by_its_path(document: dict[str, Any], path: str) -> None:
    faults = find_faults(document)
    assert any(fault.startswith(path) for fault in faults), faults
    assert "secret" not in str(faults)


def test_secrets_are_taken_out_and_put_back() -> None:
    document = {"oms": {"auth_password": "hush"}, "partners": [PARTNER, {**PARTNER, "name": "other", "headers": {}}]}
    whole = parse_settings(document).model_dump(mode="json")
    rest, secrets = split_secrets(whole)
    assert "hush" not in str(rest)
    assert "secret" not in str(rest)
    assert merge_secrets(rest, secrets) == whole
    parse_settings(rest)
