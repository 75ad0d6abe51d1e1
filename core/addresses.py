"""Where an outbound connection may go, and how long it may take: the guard under `core.http`."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from typing import Any

from core.clock import monotonic
from core.errors import Permanent

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_EMBEDDING = [ipaddress.ip_network(network) for network in ("64:ff9b::/96", "::/96")]
_LONGEST_SECONDS = 60.0  # of a socket operation outside any call
_calls = threading.local()  # `end`: when this thread's call must be over, on the monotonic clock


class _Deadlined:
    """A socket on which no read or write outlasts the call: a far side that drips bytes cannot hold a worker."""

    def _spend(self) -> None:
        left = getattr(_calls, "end", monotonic() + _LONGEST_SECONDS) - monotonic()
        if left <= 0:
            raise TimeoutError("the call took too long")
        self.settimeout(left)  # type: ignore[attr-defined] # the socket class this is mixed into has it

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        return int(super().recv_into(*args, **kwargs))  # type: ignore[misc] # as above

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._spend()
        super().sendall(*args, **kwargs)  # type: ignore[misc] # as above


class _Socket(_Deadlined, socket.socket):
    pass


class _SecureSocket(_Deadlined, ssl.SSLSocket):
    pass


def watch_deadline(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, making sockets that keep the call's deadline."""
    context.sslsocket_class = _SecureSocket
    return context


def set_deadline(end: float) -> None:
    """This thread's call must be over then, on the monotonic clock."""
    _calls.end = end


class AddressGuard:
    """Which addresses may be reached: public ones, and the private networks an operator allowed."""

    def __init__(self, allowed: tuple[str, ...]):
        self._allowed = [ipaddress.ip_network(network) for network in allowed]

    def allows(self, text: str, *, plain: bool = False) -> bool:
        """True when this literal address may be connected to; `plain` (http://) only inside the allowed networks."""
        address = _unwrap(ipaddress.ip_address(text.partition("%")[0]))
        if self._is_named(address):
            return True
        return not plain and address.is_global and not address.is_multicast

    def _is_named(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._allowed)

    def connect(self, host: str, port: int, timeout: float, *, plain: bool) -> socket.socket:
        """Connect to the first permitted address of `host`. Raises Permanent when none is permitted."""
        why = "http:// is only for the networks of ALLOW_PRIVATE_NETWORKS" if plain else "it leads to a private address"
        failure: Exception = Permanent(f"{host} is refused: {why}")
        for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if not self.allows(str(place[0]), plain=plain):
                continue
            try:
                return self._open(_Socket(family, kind, protocol), place, timeout)
            except OSError as error:
                failure = error
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


def _unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4, compatible, Teredo), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inside is None and int(address) > 1 and any(address in network for network in _EMBEDDING):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address
