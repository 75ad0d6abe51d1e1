"""Order tags: compared without case, at most 40 characters each and 250 on an order, sorted."""

from __future__ import annotations

from collections.abc import Iterable

from simulators.shopify.base import Refused

LONGEST, MOST = 40, 250


def split(tags: str | Iterable[str]) -> list[str]:
    """A tag with a comma in it is two tags."""
    texts = [tags] if isinstance(tags, str) else tags
    parts = (part.strip() for text in texts for part in text.split(","))
    return [part for part in parts if part]


def normal(tags: str | Iterable[str]) -> list[str]:
    """Checked, without doubles, in Shopify's order. The first spelling of a tag wins."""
    found: dict[str, str] = {}
    for tag in split(tags):
        if len(tag) > LONGEST:
            raise Refused(f"Tag is too long (maximum is {LONGEST} characters)", ["tags"])
        found.setdefault(tag.casefold(), tag)
    if len(found) > MOST:
        raise Refused(f"Too many tags (maximum is {MOST})", ["tags"])
    return sorted(found.values(), key=str.casefold)


def with_tags(present: list[str], more: str | Iterable[str]) -> list[str]:
    return normal([*present, *split(more)])


def without_tags(present: list[str], fewer: str | Iterable[str]) -> list[str]:
    gone = {tag.casefold() for tag in split(fewer)}
    return [tag for tag in present if tag.casefold() not in gone]
