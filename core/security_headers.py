"""What every answer tells a browser: run our scripts and Shopify's only, guess no types, tell nobody the address.

Pages say themselves who may frame them (`frame-ancestors`, per shop); what says nothing is framed by nobody.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from core.config import Config

_YEAR_SECONDS = 365 * 24 * 3600
_POLICY = "Content-Security-Policy"
_ALWAYS = {"object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}


class Headers(Protocol):
    """An answer's headers, whose names ignore case."""

    def get(self, key: str, /) -> str | None:
        """A header's value, or None."""

    def __setitem__(self, key: str, value: str, /) -> None: ...

    def setdefault(self, key: str, value: str, /) -> str | None:
        """Set it unless it is set."""


def complete_headers(config: Config, headers: Headers, mimetype: str | None) -> None:
    """Add what is missing; what a page has set itself stays."""
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")  # an address may hold a token or a key
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
    headers.setdefault("Cache-Control", "no-store")
    headers[_POLICY] = _complete_policy(config, headers.get(_POLICY) or "", mimetype)
    if config.app_url.startswith("https://"):
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_SECONDS}; includeSubDomains")


def _complete_policy(config: Config, given: str, mimetype: str | None) -> str:
    parts = [part.strip() for part in given.split(";") if part.strip()]
    named = {part.split()[0] for part in parts}
    ours = _page_policy(config) if mimetype == "text/html" else {"default-src": "'none'", **_ALWAYS}
    if "default-src" in named:  # a policy of its own
        ours = _ALWAYS
    return "; ".join([*parts, *(f"{name} {value}" for name, value in ours.items() if name not in named)])


def _page_policy(config: Config) -> dict[str, str]:
    place = urlsplit(config.shopify_cdn_url)
    ours = f"'self' {place.scheme}://{place.netloc}"
    return {
        "default-src": "'none'",
        "script-src": ours,
        "style-src": ours,
        "font-src": ours,
        "connect-src": ours,
        "img-src": f"{ours} data:",  # a page that shows photographs from elsewhere names that itself
        "form-action": "'self'",
        **_ALWAYS,
    }
