"""Nothing leaves for a private address: refused when saved, refused when called, and no connection is ever made."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from core.addresses import AddressGuard
from core.errors import BadInput, Fault, Permanent
from core.http import HttpDoor
from core.settings import parse_settings
from tests.hostile.servers import Hostile, answer, hostile
from tests.security.addresses import REBOUND_NAMES, TRICKS, Bad, list_bad_hosts

DOORS = {"closed": HttpDoor(), "another network": HttpDoor(("10.99.0.0/16",))}
SCHEMES = ("https", "http")
HOSTS = list_bad_hosts()
resolve = socket.getaddrinfo


@pytest.fixture(scope="module")
def listener() -> Iterator[Hostile]:
    """Hears every connection to this machine, over IPv4 and IPv6."""
    with socket.create_server(("", 0)) as probe:
        port = int(probe.getsockname()[1])
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    with hostile(answer(200)) as heard:
        heard._listener.close()
        heard._listener, heard.port = server, port
        import threading

        threading.Thread(target=heard._accept, daemon=True).start()
        yield heard


@pytest.fixture(autouse=True)
def names_lead_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name, however harmless it looks, leads to this machine; numbers are read as the system reads them."""

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        try:
            return resolve(host, port, *args, **{**options, "flags": socket.AI_NUMERICHOST})
        except (OSError, UnicodeError):
            return resolve("127.0.0.1", port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def is_saved(url: str, guard: AddressGuard) -> bool:
    """Whether settings with this address would be saved; both kinds of address are judged alike."""
    verdicts = set()
    for document in (
        {"oms": {"base_url": url}},
        {"partners": [{"name": "p", "kind": "generic", "url": url}]},
    ):
        try:
            parse_settings(document, guard)
            verdicts.add(True)
        except BadInput as error:
            verdicts.add(not all(fault.startswith(("oms.base_url: ", "partners[0].url: ")) for fault in error.faults))
    assert len(verdicts) == 1
    return verdicts.pop()


def call_everywhere(url: str) -> None:
    for door in DOORS.values():
        with pytest.raises(Fault):
            door.send("POST", url, json_body={}, deadline_seconds=1)


def test_the_table_is_large() -> None:
    assert len(HOSTS) >= 250
    assert len(TRICKS) >= 30


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bad_hosts_are_refused_when_saved_and_when_called(listener: Hostile, scheme: str) -> None:
    for bad in HOSTS:
        url = f"{scheme}://{bad.host}:{listener.port}/x"
        for door in DOORS.values():
            refused = not is_saved(url, door.guard)
            local_name_allowed = bad.what == "local name" and door is not DOORS["closed"]
            assert refused is (bad.save or (scheme == "http" and door is DOORS["closed"])) or local_name_allowed, bad
        call_everywhere(url)
    assert listener.connections == []


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_are_refused_when_saved_and_when_called(listener: Hostile, trick: str) -> None:
    for scheme in SCHEMES:
        for host in ("127.0.0.1", "[::1]", "localhost"):
            url = TRICKS[trick].replace("{scheme}", scheme).replace("{}", f"{host}:{listener.port}")
            assert not is_saved(url, DOORS["closed"].guard), url
            call_everywhere(url)
    assert listener.connections == []


def test_the_listener_would_have_heard(listener: Hostile) -> None:
    before = len(listener.connections)
    door = HttpDoor(("127.0.0.0/8", "::1/128"))
    for host in ("127.0.0.1", "[::1]", "localhost", "rebind.example"):
        assert door.send("POST", f"http://{host}:{listener.port}/", json_body={}).status == 200
    assert len(listener.connections) == before + 4
    del listener.connections[before:]


@pytest.mark.parametrize("bad", REBOUND_NAMES[:3], ids=lambda bad: str(bad.host))
def test_a_name_that_changes_between_two_looks_gains_nothing(
    listener: Hostile, bad: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when first asked, loopback ever after. The address that was checked is the one called."""
    asked: list[str] = []

    def look_up(host: Any, port: int, *args: Any, **options: Any) -> Any:
        asked.append(host)
        address = "93.184.215.14" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    tried: list[Any] = []

    def connect(self: socket.socket, place: Any) -> None:
        tried.append(place[0])
        raise OSError("unreachable in a test")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Fault):
        DOORS["closed"].send("POST", f"https://{bad.host}:{listener.port}/", json_body={}, deadline_seconds=1)
    assert tried == ["93.184.215.14"]
    with pytest.raises(Permanent, match="private address"):
        DOORS["closed"].send("POST", f"https://{bad.host}:{listener.port}/", json_body={}, deadline_seconds=1)
    assert tried == ["93.184.215.14"]


def test_a_name_with_a_private_and_a_public_address_leads_to_the_public_one(
    listener: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, 1, 6, "", (one, listener.port)) for one in ("127.0.0.1", "93.184.215.14", "10.0.0.1")]
    tried: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: tried.append(place[0]) or _fail())
    with pytest.raises(Fault):
        DOORS["closed"].send("POST", "https://both.example/", json_body={}, deadline_seconds=1)
    assert tried == ["93.184.215.14"]


def _fail() -> None:
    raise OSError("unreachable in a test")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_into_the_house_is_not_followed(listener: Hostile, status: int) -> None:
    place = f"Location: http://127.0.0.1:{listener.port}/"
    with hostile(answer(status, b"", place, "Refresh: 0; url=http://127.0.0.1/")) as outside:
        got = HttpDoor(("127.0.0.1/32",)).send("POST", outside.url, json_body={})
    assert got.status == status
    assert listener.connections == []


GOOD = ["https://oms.example.com", "https://a-b.example.co.in:8443/api/v1", "https://93.184.215.14/x"]
GOOD += [
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    "https://xn--mnchen-3ya.example/",
    "https://a_b.example.com",
]


@pytest.mark.parametrize("url", GOOD)
def test_good_addresses_are_saved(url: str) -> None:
    for door in DOORS.values():
        assert is_saved(url, door.guard)


def test_private_addresses_an_operator_allowed_are_saved_and_called(listener: Hostile) -> None:
    door = HttpDoor(("127.0.0.0/8",))
    assert is_saved("http://127.0.0.1:9102", door.guard)
    assert is_saved("http://oms:9102", door.guard)
    assert not is_saved("http://10.0.0.1", door.guard)
    assert not is_saved("http://93.184.215.14", door.guard)


BAD_HEADERS: list[dict[str, str]] = [
    *({"X-A": f"a{one}b"} for one in ("\r\nX-B: c", "\n", "\r", "\x00", "\x0b", "\x1b[31m", "\x7f", "\u2028", "é")),
    *({f"X-A{one}": "a"} for one in ("\r\nX-B", "\n", ":", " ", "\t", "\x00", "é", "(", "@")),
    *({name: "a"} for name in ("", "Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Cookie")),
]


@pytest.mark.parametrize("headers", BAD_HEADERS, ids=repr)
def test_headers_that_would_change_the_request_are_not_saved(headers: dict[str, str]) -> None:
    partner = {"name": "p", "kind": "generic", "url": "https://p.example", "headers": headers}
    with pytest.raises(BadInput, match=r"partners\[0\]\.headers"):
        parse_settings({"partners": [partner]}, DOORS["closed"].guard)


@pytest.mark.parametrize("key", ["auth_username", "auth_password", "auth_domain"])
@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\x00", "\x1b[2J", "päss"])
def test_credentials_that_would_change_the_request_are_not_saved(key: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"oms.{key}"):
        parse_settings({"oms": {key: value}}, DOORS["closed"].guard)
