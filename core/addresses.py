"""Where an outbound connection may go, and how long it may take: the guard under `core.http`."""

from __future__ import annotations

import ipaddress
import math
import re
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Any
from urllib.parse import SplitResult, urlsplit

from core.clock import monotonic
from core.errors import Permanent

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_EMBEDDING = [ipaddress.ip_network(network) for network in ("64:ff9b::/96", "::/96")]
# not public whatever the Python in use says of them: IANA's special purposes, and a cloud's metadata at a public number
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "168.63.129.16/32"),
        *("64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
]
_ISATAP = (0x00005EFE, 0x02005EFE)  # the middle of an address that ends in an IPv4 one
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")  # a last label like this makes some readers see an IPv4 address
_URL = re.compile(r"[\x21-\x7e]{1,2000}")
_LONGEST_SECONDS = 60.0  # of a socket operation outside any call
# of this thread's call: `end`, when it must be over on the monotonic clock; `left`, how many bytes it may still read
_calls = threading.local()


class _Deadlined:
    """A socket on which no read or write outlasts the call, and no more is read than a call may read.

    A far side that drips bytes cannot hold a worker, and none of the layers above can be talked into reading on for
    ever, such as by a chunk of -1 bytes.
    """

    def _spend(self) -> None:
        left = getattr(_calls, "end", monotonic() + _LONGEST_SECONDS) - monotonic()
        if left <= 0:
            raise TimeoutError("the call took too long")
        self.settimeout(left)  # type: ignore[attr-defined] # the socket class this is mixed into has it

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        count = int(super().recv_into(*args, **kwargs))  # type: ignore[misc] # as above
        _calls.left = getattr(_calls, "left", math.inf) - count
        if _calls.left < 0:
            raise OSError("the answer is too large")
        return count

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        return int(super().send(*args, **kwargs))  # type: ignore[misc] # as above

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._spend()
        super().sendall(*args, **kwargs)  # type: ignore[misc] # as above


class _Socket(_Deadlined, socket.socket):
    pass


class _SecureSocket(_Deadlined, ssl.SSLSocket):
    pass


def find_url_fault(url: str) -> str | None:
    """Why this is no plain http(s) URL that every reader reads alike; None when it is one."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "\\" in url:
        return "must be an http(s) URL with a host, in ASCII"
    if "@" in parts.netloc:
        return "must not hold a user name or password: they belong into the settings for them"
    if ":" in parts.hostname:
        return None if _parse(parts.hostname) else "the address in brackets is no IPv6 address"
    labels = parts.hostname.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return None if _parse(parts.hostname) else "an IPv4 address is four decimal numbers, e.g. 203.0.113.7"
    return None if all(map(_LABEL.fullmatch, labels)) and len(parts.hostname) <= 253 else "the host is no host name"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = _URL.fullmatch(url) and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        return None
    return parts if usable else None


def _parse(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def watch_deadline(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, making sockets that keep the call's deadline."""
    context.sslsocket_class = _SecureSocket
    return context


def set_limits(end: float, most_bytes: int) -> None:
    """This thread's call must be over then, on the monotonic clock, and have read no more than so much."""
    _calls.end, _calls.left = end, most_bytes


class AddressGuard:
    """Which addresses may be reached: public ones, and the private networks an operator allowed."""

    def __init__(self, allowed: tuple[str, ...]):
        self._allowed = [ipaddress.ip_network(network) for network in allowed]

    def allows(self, text: str, *, plain: bool = False) -> bool:
        """True when this literal address may be connected to; `plain` (http://) only inside the allowed networks."""
        outer = ipaddress.ip_address(text.partition("%")[0])
        address = _unwrap(outer)
        if self._is_named(address):
            return True
        return not plain and address.is_global and not address.is_multicast and not _is_special(outer, address)

    def find_fault(self, url: str) -> str | None:
        """Why nothing is ever sent there, as far as the text tells; what a name leads to is checked at each call."""
        fault = find_url_fault(url)
        if fault:
            return fault
        parts = urlsplit(url)
        host, plain = parts.hostname or "", parts.scheme == "http"
        if plain and not self._allowed:
            return "http:// is refused: use https://"
        if _parse(host):
            return None if self.allows(host, plain=plain) else "private and special addresses are refused"
        private = "." not in host.removesuffix(".") or host.removesuffix(".").endswith(".localhost")
        return "a name of this machine or network is refused" if private and not self._allowed else None

    def _is_named(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._allowed)

    def connect(self, host: str, port: int, timeout: float, *, plain: bool) -> socket.socket:
        """Connect to the first permitted address of `host`. Raises Permanent when none is permitted."""
        why = "http:// is only for the networks of ALLOW_PRIVATE_NETWORKS" if plain else "it leads to a private address"
        failure: Exception = Permanent(f"{host} is refused: {why}")
        end = monotonic() + timeout  # of all its addresses together
        for family, kind, protocol, _, place in _look_up(host, port, timeout):
            if not self.allows(str(place[0]), plain=plain):
                continue
            try:
                return self._open(_Socket(family, kind, protocol), place, max(0.01, end - monotonic()))
            except OSError as error:
                failure = error
            if monotonic() > end:
                break
        raise failure

    @staticmethod
    def _open(connection: socket.socket, place: Any, timeout: float) -> socket.socket:
        try:
            connection.settimeout(timeout)
            connection.connect(place)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            connection.close()
            raise
        return connection


def _look_up(host: str, port: int, seconds: float) -> list[Any]:
    """The addresses of a name, as `getaddrinfo` gives them. Raises TimeoutError.

    That call knows no deadline, and who owns the name may have its servers answer late: it runs in a thread of its own,
    which is left behind.
    """
    found: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            found.set_result(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the answer is waited for
            found.set_exception(error)

    threading.Thread(target=ask, daemon=True, name="resolver").start()
    return found.result(seconds)


def _is_special(*addresses: Address) -> bool:
    return any(one.version == network.version and one in network for one in addresses for network in _SPECIAL)


def _unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4, compatible, Teredo, ISATAP), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    embeds = any(address in network for network in _EMBEDDING) or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if inside is None and int(address) > 1 and embeds:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address
