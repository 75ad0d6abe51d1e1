"""Settings of a process, from the environment (DESIGN §6). The only file that reads it.

Each variable may instead be given as NAME_FILE, the path of a file that holds the value. All faults are told at once.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

KEY_BYTES = 32  # AES-256
_DSN = re.compile(r"https?://[0-9A-Za-z]+(:[0-9A-Za-z]+)?@[0-9A-Za-z.:\[\]-]+(/[0-9A-Za-z._-]+)*/[0-9]+")


class ConfigurationFaults(Exception):
    """The environment is not usable; `faults` is the whole list, one sentence each."""

    def __init__(self, faults: list[str]):
        self.faults = faults
        super().__init__("Returnbridge cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))


def parse_keys(text: str) -> dict[str, bytes]:
    """`KID:BASE64[,KID:BASE64…]` -> key id to 32 raw bytes, order kept (the first one writes)."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (one.strip() for one in text.replace("\n", ",").split(","))):
        kid, colon, encoded = part.partition(":")
        if not colon or not (kid.isascii() and kid.isalnum()) or len(kid) > 16:
            raise ValueError("each key must be KID:BASE64 with a KID of up to 16 letters and digits")
        if kid in keys:
            raise ValueError(f"key id {kid} is given twice")
        keys[kid] = _decode_key(kid, encoded)
    if not keys:
        raise ValueError("at least one key is needed")
    return keys


def _decode_key(kid: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"key {kid} is not base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {kid} must be {KEY_BYTES} bytes, it is {len(key)}")
    return key


def parse_networks(text: str) -> tuple[str, ...]:
    """`false`, `true`, or a list of CIDRs -> the networks that outbound calls may reach despite being private."""
    lowered = text.strip().lower()
    if lowered in ("", "false", "0", "no"):
        return ()
    if lowered in ("true", "1", "yes"):
        return ("0.0.0.0/0", "::/0")
    return tuple(str(ipaddress.ip_network(part.strip())) for part in text.split(","))


class Config(BaseModel):
    """A process's settings. Field names are the variables' names in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: str = ""
    redis_url: str | None = None
    app_url: str = "http://127.0.0.1:8000"
    shopify_api_key: str = Field(min_length=1)
    shopify_api_secret: str = Field(min_length=16)
    shopify_api_secret_previous: str | None = None
    shopify_admin_url: str = "https://{shop}"
    shopify_cdn_url: str = "https://cdn.shopify.com"
    encryption_keys: Annotated[dict[str, bytes], BeforeValidator(parse_keys)]
    allow_private_networks: Annotated[tuple[str, ...], BeforeValidator(parse_networks)] = ()
    settle_seconds: float = Field(default=30, gt=0, allow_inf_nan=False)
    cancel_settle_seconds: float = Field(default=120, gt=0, allow_inf_nan=False)
    retention_days: int = Field(default=30, ge=1)
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: str | None = None
    sentry_dsn: str | None = None
    instance_dir: Path = Path("instance")

    @field_validator("app_url", "shopify_admin_url", "shopify_cdn_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url.rstrip("/")

    @field_validator("shopify_admin_url")
    @classmethod
    def _check_shop_place(cls, url: str) -> str:
        if "{shop}" not in url:
            raise ValueError("must contain {shop}")
        return url

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: str) -> str:
        if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
        return url

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, url: str | None) -> str | None:
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return url

    @field_validator("sentry_dsn")
    @classmethod
    def _check_dsn(cls, dsn: str | None) -> str | None:
        if dsn and not _DSN.fullmatch(dsn):
            raise ValueError("must be of the form https://KEY@HOST/PROJECT, as Sentry shows it")
        return dsn

    @property
    def database(self) -> str:
        """The database URL in force: SQLite in the instance folder when none is given."""
        return self.database_url or f"sqlite:///{(self.instance_dir / 'returnbridge.db').absolute()}"


def read_variables(environment: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """The variables that are set, `NAME_FILE` resolved; empty counts as not set. Unreadable files go to `faults`."""
    values: dict[str, Any] = {}
    for field in Config.model_fields:
        name = field.upper()
        path = environment.get(f"{name}_FILE")
        if path and environment.get(name):
            faults.append(f"{name} and {name}_FILE are both set: keep one")
            values[field] = None
        elif path:
            try:
                values[field] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                faults.append(f"{name}_FILE: cannot read {path}")
                values[field] = None
        elif environment.get(name):
            values[field] = environment[name]
    return values


def load_config(environment: Mapping[str, str] | None = None) -> Config:
    """Read and check the environment; raises ConfigurationFaults with everything that is missing or wrong."""
    faults: list[str] = []
    values = read_variables(os.environ if environment is None else environment, faults)
    unreadable = {field for field, value in values.items() if value is None}
    try:
        config = Config.model_validate({field: value for field, value in values.items() if value is not None})
    except ValidationError as error:
        for one in error.errors():
            field = str(one["loc"][0])
            if field not in unreadable:
                problem = "is missing" if one["type"] == "missing" else one["msg"].removeprefix("Value error, ")
                faults.append(f"{field.upper()}: {problem}")
        raise ConfigurationFaults(faults) from None
    if faults:
        raise ConfigurationFaults(faults)
    return config
