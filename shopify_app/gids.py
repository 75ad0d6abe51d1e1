"""Shopify's global ids."""

from __future__ import annotations


def make_gid(kind: str, number: int | str) -> str:
    """`("Order", 17)` -> `gid://shopify/Order/17`."""
    return f"gid://shopify/{kind}/{number}"


def read_gid(gid: str) -> int:
    """`gid://shopify/Order/17` -> 17."""
    return int(gid.rpartition("/")[2].partition("?")[0])
