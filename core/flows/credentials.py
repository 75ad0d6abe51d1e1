"""The credentials by which others call us for a shop: made, rotated, restricted, verified."""

from __future__ import annotations

import ipaddress
import re
import secrets as random_secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.crypto import hash_secret, matches_hash, new_secret
from core.db import db_now
from core.errors import BadInput
from core.flows.audit import COMMAND_LINE, audit
from core.models import BridgeCredential, Shop

SYSTEMS = ("rms", "oms")
# Partner -> its `system` in the table, whose column holds 8 characters; also the partner's part of the address.
HOOK_SYSTEMS = {"clickpost": "cp", "st": "st"}
OVERLAP_SECONDS = 24 * 3600.0
# no s and no k: Shiprocket refuses an address with "sr" or "kr" anywhere in it
_HOOK_ALPHABET = "abcdefghijlmnopqrtuvwxyz0123456789"
_HOOK_ID_LENGTH, _HOOK_SECRET_LENGTH = 10, 32  # the secret has 162 bits
_HOOK_KEY = re.compile(f"[{_HOOK_ALPHABET}]{{{_HOOK_ID_LENGTH + _HOOK_SECRET_LENGTH}}}")
_NOBODY = hash_secret("")
_MOST_NETWORKS = 100
_HEADER_TEXT = re.compile(r"[\x21-\x7e]?|[\x21-\x7e][\x20-\x7e]{0,253}[\x21-\x7e]")  # servers trim what is outside


class Headers(Protocol):
    """A request's headers, whose names ignore case."""

    def get(self, key: str, /) -> str | None:
        """A header's value, or None."""


@dataclass(frozen=True)
class NewCredential:
    """A bridge credential in the clear: shown once, never again."""

    username: str
    password: str


@dataclass(frozen=True)
class Caller:
    """What somebody who knocks shows, and from which address."""

    username: str
    password: str
    auth_domain: str | None = None
    address: str | None = None

    @classmethod
    def read(cls, headers: Headers, address: str | None) -> Caller:
        """From a request's headers (DESIGN §5) and the address it came from."""
        name, password = headers.get("authUsername"), headers.get("authPassword")
        return cls(name or "", password or "", headers.get("authDomainName"), address)


@dataclass(frozen=True)
class Restriction:
    """What more a caller must show: an `authDomainName`, an address in one of these networks. Empty: nothing more."""

    auth_domain: str | None = None
    networks: tuple[str, ...] = ()


def make_credential(session: Session, shop: Shop, system: str, actor: str = COMMAND_LINE) -> NewCredential:
    """A new user name and password for RMS or OMS; the name leads to the shop, the password is stored hashed."""
    handle = shop.domain.partition(".")[0][:32]
    made = NewCredential(f"{system}-{handle}-{random_secrets.token_hex(4)}", new_secret())
    _add(session, shop, system, made, actor)
    return made


def _add(session: Session, shop: Shop, system: str, made: NewCredential, actor: str) -> None:
    """Store it; it is restricted as the one before it was."""
    restriction = find_restriction(session, shop, system)
    session.add(
        BridgeCredential(
            shop_id=shop.id,
            system=system,
            username=made.username,
            password_hash=hash_secret(made.password),
            created_at=db_now(),
            auth_domain=restriction.auth_domain,
            networks=list(restriction.networks),
        )
    )
    session.flush()
    audit(session, shop.id, actor, "credential.made", system, username=made.username)


def rotate_credential(
    session: Session, shop: Shop, system: str, actor: str = COMMAND_LINE, overlap_seconds: float = OVERLAP_SECONDS
) -> NewCredential:
    """A new credential; those it replaces stay good for the overlap, to change them on the other side."""
    _end(session, shop, system, overlap_seconds)
    return make_credential(session, shop, system, actor)


def _end(session: Session, shop: Shop, system: str, overlap_seconds: float) -> None:
    """Let a system's credentials run out after the overlap, those too that an earlier rotation left for longer."""
    end = db_now(overlap_seconds)
    longer = or_(BridgeCredential.expires_at.is_(None), BridgeCredential.expires_at > end)
    session.execute(update(BridgeCredential).where(*_of(shop, system), longer).values(expires_at=end))


def restrict_credentials(
    session: Session, shop: Shop, system: str, restriction: Restriction, actor: str = COMMAND_LINE
) -> None:
    """From now on callers of this system must show this too. Raises BadInput, also when there is no credential."""
    faults = list(_find_faults(restriction))
    if faults:
        raise BadInput(faults)
    networks = list(dict.fromkeys(str(_parse(one)) for one in restriction.networks))
    values = {"auth_domain": restriction.auth_domain or None, "networks": networks}
    changed = session.execute(
        update(BridgeCredential).where(*_of(shop, system)).values(values).returning(BridgeCredential.id)
    )
    if not changed.all():
        raise BadInput([f"{system}: there is no credential yet, make one with: shops rotate"])
    audit(session, shop.id, actor, "credential.restricted", system, **values)


def _find_faults(restriction: Restriction) -> Iterator[str]:
    for one in restriction.networks:
        if not _parse(one):
            yield f"networks: {one[:60]!r} is not an address or a network such as 203.0.113.0/24"
    if len(restriction.networks) > _MOST_NETWORKS:
        yield f"networks: more than {_MOST_NETWORKS}"
    if not _HEADER_TEXT.fullmatch(restriction.auth_domain or ""):
        yield "authDomainName: must be printable ASCII, at most 255 characters"


def find_restriction(session: Session, shop: Shop, system: str) -> Restriction:
    """What callers of this system must show beside their credential."""
    query = select(BridgeCredential).where(*_of(shop, system)).order_by(BridgeCredential.id.desc()).limit(1)
    newest = session.scalars(query).first()
    return Restriction(newest.auth_domain, tuple(newest.networks or ())) if newest else Restriction()


def verify_credential(session: Session, systems: Sequence[str], caller: Caller) -> Shop | None:
    """The shop a caller of one of these systems may speak for, or None.

    Takes the same time for an unknown name as for a wrong password.
    """
    query = select(BridgeCredential, Shop).join(Shop, Shop.id == BridgeCredential.shop_id)
    query = query.where(
        BridgeCredential.username == caller.username,
        BridgeCredential.system.in_(systems),
        or_(BridgeCredential.expires_at.is_(None), BridgeCredential.expires_at > db_now()),
        Shop.removed_at.is_(None),
    )
    row = session.execute(query).first()
    matches = matches_hash(caller.password, row[0].password_hash if row else _NOBODY)
    return row[1] if row and matches and _meets(caller, row[0]) else None


def _meets(caller: Caller, credential: BridgeCredential) -> bool:
    if credential.auth_domain is not None and caller.auth_domain != credential.auth_domain:
        return False
    if not credential.networks:
        return True
    address = _parse(caller.address or "")
    return address is not None and any(_contains(network, address) for network in credential.networks)


def _contains(network: str, address: Any) -> bool:
    allowed = ipaddress.ip_network(network)
    return bool(allowed.version == address.version and address.subnet_of(allowed))


def _parse(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or a network; an IPv4 address in IPv6's clothes is the IPv4 one."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(mapped) if mapped and network.num_addresses == 1 else network


def rotate_hook_key(
    session: Session, shop: Shop, partner: str, actor: str = COMMAND_LINE, overlap_seconds: float = OVERLAP_SECONDS
) -> str:
    """A new key for a partner's address, shown once. Keys it replaces stay good for the overlap, to change them."""
    system = HOOK_SYSTEMS[partner]
    _end(session, shop, system, overlap_seconds)
    name, password = (_random_letters(length) for length in (_HOOK_ID_LENGTH, _HOOK_SECRET_LENGTH))
    _add(session, shop, system, NewCredential(f"{system}-{name}", password), actor)
    return name + password


def read_hook_key(partner: str, key: str, address: str | None) -> Caller:
    """What the key in a partner's address says who calls; a key of another shape says nobody."""
    if not _HOOK_KEY.fullmatch(key):
        return Caller("", "", address=address)
    name, password = key[:_HOOK_ID_LENGTH], key[_HOOK_ID_LENGTH:]
    return Caller(f"{HOOK_SYSTEMS[partner]}-{name}", password, address=address)


def render_hook_path(partner: str, key: str) -> str:
    """Where the partner is to call, below APP_URL."""
    return f"/hooks/{partner}/{key}"


def _of(shop: Shop, system: str) -> tuple[Any, ...]:
    return (BridgeCredential.shop_id == shop.id, BridgeCredential.system == system)


def _random_letters(length: int) -> str:
    return "".join(random_secrets.choice(_HOOK_ALPHABET) for _ in range(length))
