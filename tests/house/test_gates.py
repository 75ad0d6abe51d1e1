"""The gates: when an advisory service has flagged the canary, when none was there, and how loudly that is said."""

from __future__ import annotations

import pytest

from scripts import gates

# as pip-audit 2.10 says it
FLAGGED = """Found 12 known vulnerabilities in 1 package
Name   Version ID                  Fix Versions
------ ------- ------------------- ------------
jinja2 2.4.1   PYSEC-2014-8        2.7.2
"""
NOT_FOUND = "ERROR:pip_audit._cli:jinja2: Dependency not found on PyPI and could not be audited: jinja2 (2.4.1)\n"
NO_SERVICE = "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n"
BROKEN = "requests.exceptions.SSLError: HTTPSConnectionPool(host='x', port=443): Max retries exceeded\n"
CLEAN = "No known vulnerabilities found\n"


@pytest.mark.parametrize(
    ("status", "said", "flagged"),
    [
        (1, FLAGGED, True),
        *((0, said, False) for said in (FLAGGED, CLEAN)),
        *((1, said, False) for said in (NOT_FOUND, NO_SERVICE, BROKEN, CLEAN, "")),
    ],
)
def test_only_a_finding_is_a_finding(status: int, said: str, flagged: bool) -> None:
    assert gates.is_flagged(status, said) is flagged


@pytest.mark.parametrize("said", [NOT_FOUND, NO_SERVICE, BROKEN])
def test_without_a_service_the_gate_is_skipped_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    monkeypatch.setattr(gates, "run_tool", lambda *_, **__: (1, said))
    monkeypatch.setattr(gates, "GATES", {"dependencies": gates.check_dependencies})
    assert gates.main() == 0
    told = capsys.readouterr().out
    assert "gate dependencies: SKIPPED" in told
    assert "NOTHING IS PROVED BY IT: dependencies" in told.splitlines()[-2]


@pytest.mark.parametrize(("status", "said", "ended"), [(0, CLEAN, 0), (1, FLAGGED, 1), (1, NO_SERVICE, 1)])
def test_with_a_service_what_it_says_of_ours_decides(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, ended: int
) -> None:
    answers = iter([(1, FLAGGED), (status, said)])
    monkeypatch.setattr(gates, "run_tool", lambda *_, **__: next(answers))
    monkeypatch.setattr(gates, "GATES", {"dependencies": gates.check_dependencies})
    assert gates.main() == ended
