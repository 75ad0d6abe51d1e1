"""Settings from the environment: all faults at once, files, and nothing odd let through."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from core.config import ConfigurationFaults, load_config

KEY = base64.b64encode(bytes(32)).decode()
GOOD = {"SHOPIFY_API_KEY": "key", "SHOPIFY_API_SECRET": "s" * 32, "ENCRYPTION_KEYS": f"k1:{KEY}"}


def find_faults(**changes: str) -> list[str]:
    with pytest.raises(ConfigurationFaults) as raised:
        load_config({**GOOD, **changes})
    return raised.value.faults


def test_the_smallest_environment() -> None:
    config = load_config(GOOD)
    assert config.database.startswith("sqlite:///")
    assert config.redis_url is None
    assert config.allow_private_networks == ()


def test_everything_missing_is_told_at_once() -> None:
    with pytest.raises(ConfigurationFaults) as raised:
        load_config({})
    assert sorted(raised.value.faults) == sorted(f"{name}: is missing" for name in GOOD)
    assert all(name in str(raised.value) for name in GOOD)


WRONG = {
    "DATABASE_URL": "mysql://x",
    "REDIS_URL": "http://x",
    "APP_URL": "ftp://x",
    "SHOPIFY_API_SECRET": "short",
    "SHOPIFY_ADMIN_URL": "https://admin.example",
    "SHOPIFY_CDN_URL": "cdn",
    "ENCRYPTION_KEYS": "k1:short",
    "ALLOW_PRIVATE_NETWORKS": "10.0.0.1/8",
    "SETTLE_SECONDS": "0",
    "CANCEL_SETTLE_SECONDS": "soon",
    "RETENTION_DAYS": "0",
    "LOG_FORMAT": "xml",
    "LOG_LEVEL": "LOUD",
    "SENTRY_DSN": "https://sentry.example/1",
}


def test_everything_wrong_is_told_at_once() -> None:
    faults = find_faults(**WRONG)
    assert {fault.partition(":")[0] for fault in faults} == set(WRONG)


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_value_alone(name: str) -> None:
    assert [fault.partition(":")[0] for fault in find_faults(**{name: WRONG[name]})] == [name]


@pytest.mark.parametrize("name", ["SETTLE_SECONDS", "CANCEL_SETTLE_SECONDS"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e999"])
def test_a_span_is_a_finite_number(name: str, value: str) -> None:
    assert find_faults(**{name: value})


def test_a_value_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("f" * 32 + "\n")
    rest = {name: value for name, value in GOOD.items() if name != "SHOPIFY_API_SECRET"}
    assert load_config({**rest, "SHOPIFY_API_SECRET_FILE": str(path)}).shopify_api_secret == "f" * 32


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "nothing", tmp_path, binary):
        (fault,) = find_faults(METRICS_TOKEN_FILE=str(path))
        assert fault.startswith("METRICS_TOKEN_FILE:")


def test_a_value_and_its_file_together(tmp_path: Path) -> None:
    (fault,) = find_faults(SHOPIFY_API_SECRET_FILE=str(tmp_path / "x"))
    assert "both set" in fault
    assert "SHOPIFY_API_SECRET_FILE" in fault


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "k1",
        "k1:",
        ":" + KEY,
        f"k1:{KEY},k1:{KEY}",
        "k1:!!!",
        f"k-1:{KEY}",
        f"{'k' * 17}:{KEY}",
        f"k1:{KEY[:-4]}",
        ",",
    ],
)
def test_bad_keys(keys: str) -> None:
    (fault,) = find_faults(ENCRYPTION_KEYS=keys)
    assert fault.startswith("ENCRYPTION_KEYS:")
    assert KEY not in fault


def test_a_key_id_is_plain_ascii() -> None:
    """It is written before the ciphertext and read back as ASCII."""
    find_faults(ENCRYPTION_KEYS=f"clé:{KEY}")


def test_keys_keep_their_order() -> None:
    assert list(load_config({**GOOD, "ENCRYPTION_KEYS": f"new:{KEY}, old:{KEY}\n"}).encryption_keys) == ["new", "old"]


@pytest.mark.parametrize(
    "networks", ["10.0.0.1/8", "ten", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8;::1/128", "localhost"]
)
def test_bad_networks(networks: str) -> None:
    (fault,) = find_faults(ALLOW_PRIVATE_NETWORKS=networks)
    assert fault.startswith("ALLOW_PRIVATE_NETWORKS:")


def test_no_fault_shows_a_secret() -> None:
    assert "hunter2" not in str(find_faults(SHOPIFY_API_SECRET="hunter2", DATABASE_URL="mysql://u:hunter2@x"))
