"""Commands about shops, in processes of their own: what they print, what they refuse, what they never show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.db import Database
from core.flows.credentials import Caller, verify_credential
from tests.integration.command_line import CommandLine

SECRETS = ("pa55-of-oms", "t0ken-of-partner", "shpat_t0ken-of-shop")
DOCUMENT: dict[str, Any] = {
    "mode": "live",
    "oms": {"base_url": "https://oms.example", "auth_username": "u", "auth_password": SECRETS[0]},
    "partners": [
        {"name": "rp", "kind": "returns_prime", "url": "https://p.example/qc", "headers": {"x-rp-token": SECRETS[1]}}
    ],
}


@pytest.fixture
def shop(commands: CommandLine) -> str:
    """A shop with settings version 1."""
    domain = f"cmd-{uuid4().hex[:12]}.myshopify.com"
    commands.succeed("shops", "add", domain, "--access-token", SECRETS[2])
    return domain


def write(tmp_path: Path, document: Any) -> str:
    path = tmp_path / "settings.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return str(path)


def may_enter(commands: CommandLine, made: dict[str, Any]) -> bool:
    database = Database(commands.environment["DATABASE_URL"])
    with database.read() as session:
        shop = verify_credential(session, ("rms",), Caller(made["rms"]["authUsername"], made["rms"]["authPassword"]))
    database.dispose()
    return shop is not None and shop.domain == made["shop"]


def test_adding_prints_the_credential_and_nothing_else(commands: CommandLine) -> None:
    domain = f"add-{uuid4().hex[:12]}.myshopify.com"
    first = commands.read("shops", "add", domain.upper())
    assert first["shop"] == domain
    assert list(first) == ["shop", "rms"]
    assert sorted(first["rms"]) == ["authPassword", "authUsername"]
    again = commands.read("shops", "add", domain)
    assert again["rms"]["authUsername"] != first["rms"]["authUsername"]
    assert again["rms"]["authPassword"] != first["rms"]["authPassword"]
    assert may_enter(commands, first)
    assert may_enter(commands, again)
    assert not may_enter(commands, {**again, "rms": {**again["rms"], "authPassword": "wrong"}})


BAD_DOMAINS = ["example.com", "", "shop.myshopify.com.evil.example", "https://x.myshopify.com", "x\ny.myshopify.com"]


@pytest.mark.parametrize("domain", BAD_DOMAINS)
def test_a_bad_domain_is_refused(commands: CommandLine, domain: str) -> None:
    assert "myshopify.com" in commands.fail("shops", "add", domain)


def test_a_good_document_is_saved_and_its_secrets_are_kept_and_never_shown(
    commands: CommandLine, shop: str, tmp_path: Path
) -> None:
    said = [commands.succeed("shops", "configure", shop, "--file", write(tmp_path, DOCUMENT))]
    without = json.loads(json.dumps(DOCUMENT))
    del without["oms"]["auth_password"]
    without["partners"][0]["headers"]["x-rp-token"] = None
    said.append(commands.succeed("shops", "configure", shop, "--file", write(tmp_path, without)))
    shown = commands.read("shops", "show", shop, "--json")
    assert shown["settings_version"] == 2
    assert shown["mode"] == "live"
    assert shown["token"] == "set"
    assert shown["settings"]["oms"]["auth_password"] == "set"
    assert shown["settings"]["partners"][0]["headers"] == {"x-rp-token": "set"}
    said += [json.dumps(shown), commands.succeed("shops", "list", "--json"), commands.succeed("shops", "show", shop)]
    assert not [secret for secret in SECRETS if secret in "".join(said)]


def test_what_show_printed_can_be_configured_again(commands: CommandLine, shop: str, tmp_path: Path) -> None:
    """ "set" stands for a secret; it must not become the password."""
    from core.config import parse_keys
    from core.crypto import Keyring
    from core.flows.tenants import find_shop, load_settings_with_secrets

    commands.succeed("shops", "configure", shop, "--file", write(tmp_path, DOCUMENT))
    shown = commands.read("shops", "show", shop, "--json")["settings"]
    done = commands.run("shops", "configure", shop, "--file", write(tmp_path, shown))
    database = Database(commands.environment["DATABASE_URL"])
    with database.read() as session:
        found = find_shop(session, shop)
        assert found is not None
        keyring = Keyring(parse_keys(commands.environment["ENCRYPTION_KEYS"]))
        settings = load_settings_with_secrets(session, keyring, found.id)
    database.dispose()
    assert settings.oms.auth_password == SECRETS[0], done.out
    assert settings.partners[0].headers == {"x-rp-token": SECRETS[1]}


def test_what_show_printed_of_one_shop_is_no_password_in_another(
    commands: CommandLine, shop: str, tmp_path: Path
) -> None:
    commands.succeed("shops", "configure", shop, "--file", write(tmp_path, DOCUMENT))
    shown = commands.read("shops", "show", shop, "--json")["settings"]
    other = f"other-{uuid4().hex[:12]}.myshopify.com"
    commands.succeed("shops", "add", other)
    refused = commands.run("shops", "configure", other, "--file", write(tmp_path, shown))
    assert refused.status != 0
    for path in ("oms.auth_password", "partners[0].headers.x-rp-token"):
        assert f"{path}: nothing is stored here that could be kept" in refused.err
    empty = commands.read("shops", "show", other, "--json")["settings"]
    assert empty["oms"]["auth_password"] == "not set"
    commands.succeed("shops", "configure", other, "--file", write(tmp_path, empty))
    again = commands.read("shops", "show", other, "--json")["settings"]
    assert again["oms"]["auth_password"] == "not set"


BAD: dict[str, Any] = {
    "mode": "sometimes",
    "novel": 1,
    "exchange": {"hold_tag": "a,b", "replacement_tag": ""},
    "qc": {"actor": "me", "max_hold_days": -1},
    "oms": {"base_url": "ftp://oms", "calls_per_minute": 0, "typo": True},
    "partners": [{"name": "Bad Name", "kind": "unknown", "headers": {"x y": "a\nb"}}],
}
FAULTY = ["mode", "novel", "exchange.hold_tag", "exchange.replacement_tag", "qc.actor", "qc.max_hold_days"]
FAULTY += [
    "oms.base_url",
    "oms.calls_per_minute",
    "oms.typo",
    "partners[0].name",
    "partners[0].kind",
    "partners[0].url",
]


def test_a_bad_document_names_every_fault_and_changes_nothing(commands: CommandLine, shop: str, tmp_path: Path) -> None:
    commands.succeed("shops", "configure", shop, "--file", write(tmp_path, DOCUMENT))
    before = commands.read("shops", "show", shop, "--json")
    said = commands.fail("shops", "configure", shop, "--file", write(tmp_path, BAD))
    for path in FAULTY:
        assert f"{path}:" in said, path
    assert "partners[0].headers" in said
    assert commands.read("shops", "show", shop, "--json") == before


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"mode": NaN}'])
def test_a_file_that_is_no_document(commands: CommandLine, shop: str, tmp_path: Path, content: bytes) -> None:
    assert "body" in commands.fail("shops", "configure", shop, "--file", write(tmp_path, content))


def test_a_file_that_is_not_there_and_a_shop_that_is_not(commands: CommandLine, shop: str, tmp_path: Path) -> None:
    assert "nothing.json" in commands.fail("shops", "configure", shop, "--file", str(tmp_path / "nothing.json"))
    good = write(tmp_path, DOCUMENT)
    assert "nobody" in commands.fail("shops", "configure", "nobody.myshopify.com", "--file", good)
    assert "nobody" in commands.fail("shops", "show", "nobody.myshopify.com", "--json")
    commands.fail("shops", "configure", shop, "--file", str(tmp_path))


def test_the_list_of_shops_is_an_array(commands: CommandLine, shop: str) -> None:
    listed = commands.read("shops", "list", "--json")
    (one,) = [one for one in listed if one["shop"] == shop]
    assert {"id", "shop", "mode", "token", "settings_version", "created_at"} <= set(one)
    assert (one["mode"], one["token"], one["settings_version"]) == ("observe", "set", None)
    assert shop in commands.succeed("shops", "list")
