"""The kit against the OMS named by OMS_URL, OMS_USERNAME, OMS_PASSWORD and OMS_DOMAIN, else against the simulator.

OMS_LOCATION and OMS_SKUS (two, comma-separated) name what exists there. Codes are new in every run; nothing is deleted.
"""

from __future__ import annotations

import _socket
import os
import socket
from collections.abc import Callable, Generator, Iterator
from urllib.parse import urlsplit

import pytest

from core.errors import Fault, Permanent
from simulators.oms import OmsSimulator
from simulators.serving import serve
from tests.contract.kit import Kit, Target

FOREIGN = os.environ.get("OMS_URL", "").rstrip("/")
collect_ignore = ["test_kit.py"] if FOREIGN else []


@pytest.fixture(scope="session")
def reachable(closed_network: None) -> Iterator[None]:
    """Of the closed network, the addresses of the OMS under test are open."""
    parts = urlsplit(FOREIGN)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = {found[4][0] for found in socket.getaddrinfo(parts.hostname, port)} if FOREIGN else set()
    guarded, opened = socket.socket.connect, _socket.socket.connect

    def connect(self: socket.socket, address: tuple[object, ...]) -> None:
        (opened if address[0] in addresses else guarded)(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture(scope="session")
def target(reachable: None) -> Iterator[Target]:
    """The OMS under test."""
    if FOREIGN:
        yield read_target()
        return
    oms = OmsSimulator("contract", "contract-password", domain="contract-domain", calls_per_minute=10_000)
    with serve(oms.wsgi) as served:
        account = (oms.username, oms.password, oms.domain)
        yield Target(served.url, *account, location="Wid234", skus=("10007345", "10007346"), foreign=False)


def read_target() -> Target:
    """From the environment."""
    missing = [name for name in ("OMS_USERNAME", "OMS_PASSWORD") if not os.environ.get(name)]
    assert not missing, f"with OMS_URL these are needed too: {', '.join(missing)}"
    first, _, second = os.environ.get("OMS_SKUS", "10007345,10007346").partition(",")
    assert second, "OMS_SKUS: two SKUs, comma-separated"
    return Target(
        FOREIGN,
        os.environ["OMS_USERNAME"],
        os.environ["OMS_PASSWORD"],
        os.environ.get("OMS_DOMAIN") or None,
        os.environ.get("OMS_LOCATION") or "Wid234",
        (first.strip(), second.strip()),
        foreign=True,
    )


@pytest.fixture(scope="session")
def kit(target: Target) -> Kit:
    """One run's kit. Where nobody answers, or not to us, there is nothing to check."""
    made = Kit(target)
    try:
        made.call(1, "POST", "/return/get/awb", {"awbNumber": made.run, "transporter": made.run})
    except Permanent:
        pass  # not found, in OMS's words
    except Fault as trouble:
        pytest.exit(f"{target.url}: {trouble}", returncode=2)
    return made


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Words for the report about what may be one way or the other."""
    return lambda words: record_property("note", words)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Each report carries what its check proves."""
    report = yield
    words = (getattr(getattr(item, "function", None), "__doc__", None) or "").partition("\n")[0]
    variant = f" ({item.callspec.id})" if hasattr(item, "callspec") else ""
    report.user_properties.append(("proves", words + variant if words else ""))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each check."""
    lines = [line for kind in ("passed", "failed", "error", "skipped") for line in _list_lines(terminalreporter, kind)]
    if lines:
        terminalreporter.section(f"contract with {FOREIGN or 'the OMS simulator'}")
        terminalreporter.write_line("\n".join(lines))


def _list_lines(reporter: pytest.TerminalReporter, kind: str) -> Iterator[str]:
    for report in reporter.stats.get(kind, ()):
        told = dict(getattr(report, "user_properties", ()))
        if told.get("proves"):
            yield f"{kind:8}{told['proves']}" + (f" [{str(told['note'])[:160]}]" if "note" in told else "")
