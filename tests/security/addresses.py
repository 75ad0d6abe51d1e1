"""Addresses that must never be called, each in many spellings, and tricks that hide them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

NAME, LITERAL = "name", "literal"
PRIVATE_V4 = {
    "loopback": "127.0.0.1",
    "loopback far": "127.255.255.254",
    "any": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 172 end": "172.31.255.254",
    "private 192": "192.168.1.1",
    "carrier": "100.64.0.1",
    "metadata Alibaba": "100.100.100.200",
    "link-local": "169.254.0.1",
    "metadata": "169.254.169.254",
    "metadata ECS": "169.254.170.2",
    "metadata Azure": "168.63.129.16",
    "metadata Oracle": "192.0.0.192",
    "protocols": "192.0.0.8",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "6to4 relay": "192.88.99.1",
    "benchmark": "198.18.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
}
PRIVATE_V6 = {
    "loopback": "::1",
    "any": "::",
    "link-local": "fe80::1",
    "site-local": "fec0::1",
    "unique local": "fd00::1",
    "unique local fc": "fc00::1",
    "metadata EC2": "fd00:ec2::254",
    "metadata Google": "fd20:ce::254",
    "multicast": "ff02::1",
    "discard": "100::1",
    "documentation": "2001:db8::1",
    "documentation 2": "3fff::1",
    "segment routing": "5f00::1",
    "benchmark": "2001:2::1",
    "ORCHID": "2001:20::1",
    "NAT64 local": "64:ff9b:1::a00:1",
}


@dataclass(frozen=True)
class Bad:
    """A host as it stands in a URL. `save`: refused already when settings are saved; a name may first look harmless."""

    what: str
    host: str
    save: bool = True


def list_bad_hosts() -> list[Bad]:
    """Every host of the table, once."""
    return list({one.host: one for one in _list_hosts()}.values())


def _list_hosts() -> Iterator[Bad]:
    for what, text in PRIVATE_V4.items():
        yield Bad(what, text)
        for way, spelt in spell_v4(text):
            yield Bad(f"{what}, {way}", spelt)
    for what, text in PRIVATE_V6.items():
        yield Bad(f"{what} v6", f"[{text}]")
        yield Bad(f"{what} v6 in full", f"[{ipaddress.ip_address(text).exploded}]")
    yield from LOCAL_NAMES
    yield from REBOUND_NAMES


def spell_v4(text: str) -> Iterator[tuple[str, str]]:
    """The same IPv4 address as other readers take it, and inside IPv6 addresses."""
    address = ipaddress.IPv4Address(text)
    a, b, c, d = address.packed
    high, low = f"{a:x}{b:02x}", f"{c:x}{d:02x}"
    yield "mapped", f"[::ffff:{text}]"
    yield "mapped hex", f"[::ffff:{high}:{low}]"
    yield "NAT64", f"[64:ff9b::{high}:{low}]"
    yield "6to4", f"[2002:{high}:{low}::1]"
    if text not in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1"):
        return
    inverted = ~int(address) & 0xFFFFFFFF
    yield "compatible", f"[::{text}]"
    yield "Teredo", f"[2001:0:4136:e378:8000:63bf:{inverted >> 16:x}:{inverted & 0xFFFF:x}]"
    yield "ISATAP", f"[2a00:1450::5efe:{high}:{low}]"
    yield "ISATAP, universal", f"[2a00:1450::200:5efe:{high}:{low}]"
    yield "decimal", str(int(address))
    yield "hexadecimal", hex(int(address))
    yield "hexadecimal, capital", f"0X{int(address):08X}"
    yield "octal", f"0{int(address):o}"
    yield "dotted octal", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield "dotted hexadecimal", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"
    yield "mixed", f"0x{a:x}.{b}.0{c:o}.{d}"
    yield "leading zeros", f"{a:03}.{b:03}.{c:03}.{d:03}"
    yield "three parts", f"{a}.{b}.{c * 256 + d}"
    yield "two parts", f"{a}.{b * 65536 + c * 256 + d}"
    yield "trailing dot", f"{text}."
    yield "full width", text.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    yield "circled", text.translate({ord("1") + n: 0x2460 + n for n in range(9)})
    yield "ideographic dots", text.replace(".", "\u3002")
    yield "percent", "".join(f"%{ord(one):02x}" for one in text)
    yield "zone", f"[::ffff:{text}%25lo]"
    yield "overflow", f"{a + 256}.{b}.{c}.{d}"
    yield "space before", f" {text}"
    yield "tab inside", text.replace(".", ".\t", 1)
    yield "newline inside", text.replace(".", "\n.", 1)
    yield "nul after", f"{text}\x00.example.com"


LOCAL_NAMES = [
    Bad(what, host)
    for what, hosts in {
        "local name": ("localhost", "LOCALHOST", "localhost.", "metadata", "oms", "a.localhost"),
        "odd letters": (
            "ｌｏｃａｌｈｏｓｔ",
            "loc\u00adalhost",
            "localho\u017ft",
            "localhost%00.example.com",
            "a\u3002example",
        ),
        "odd labels": (
            "-a.example.com",
            "a-.example.com",
            "a..example.com",
            ".",
            "..",
            "a" * 64 + ".com",
            "a.1",
            "a.0x1",
        ),
    }.items()
    for host in hosts
]
# names that look public: what they lead to is seen only when somebody connects (the tests' resolver says: loopback)
_REBOUND = ("127.0.0.1.nip.io", "localtest.me", "lvh.me", "spoofed.burpcollaborator.net", "rebind.example")
_INSIDE = (
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "kubernetes.default.svc",
    "xn--lcalhost-54a.example",
)
_PLAIN = ("www.example.com", "www.example.com.", "EXAMPLE.COM", "1.example", "a_b.example.com")
REBOUND_NAMES = [Bad("rebound name", host, save=False) for host in (*_REBOUND, *_INSIDE, *_PLAIN)]
# {} is a private host and port; each is refused as a whole
TRICKS = {
    "user": "{scheme}://example.com@{}/",
    "user and password": "{scheme}://u:p@{}/",
    "user with a port": "{scheme}://example.com:80@{}/",
    "user, escaped at": "{scheme}://example.com%40@{}/",
    "empty user": "{scheme}://@{}/",
    "two ats": "{scheme}://a@example.com@{}/",
    "backslash before at": "{scheme}://example.com\\@{}/",
    "backslashes": "{scheme}:\\\\{}/",
    "backslash after": "{scheme}://{}\\.example.com/",
    "backslash as slash": "{scheme}:/\\{}/",
    "one slash": "{scheme}:/{}/",
    "no slash": "{scheme}:{}/",
    "three slashes": "{scheme}:///{}/",
    "no scheme": "//{}/",
    "nothing": "{}/",
    "fragment": "{scheme}://#@{}/",
    "question mark": "{scheme}://?@{}/",
    "line break": "{scheme}://{}\r\nHost: example.com/",
    "line break in the path": "{scheme}://{}/a\r\nX-A: b",
    "space": "{scheme}://{} .example.com/",
    "space in front": " {scheme}://{}/",
    "control in front": "\x01{scheme}://{}/",
    "no-break space": "{scheme}://{}\u00a0/",
    "semicolon": "{scheme}://{};.example.com/",
    "comma": "{scheme}://example.com,{}/",
    "brackets": "{scheme}://[{}]/",
    "open bracket": "{scheme}://[{}/",
    "two colons": "{scheme}://{}:80/",
    "ftp": "ftp://{}/",
    "file": "file://{}/etc/passwd",
    "gopher": "gopher://{}/_GET",
    "dict": "dict://{}/d",
    "unix": "http+unix://{}/",
    "jar": "jar:http://{}!/",
    "capital": "HTTP://{}/",
    "javascript": "javascript://{}/%0aalert(1)",
    "data": "data:text/plain,{}",
}
