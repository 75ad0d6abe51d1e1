"""How a field of the schema finds its value in what the shop holds."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    get_named_type,
    get_nullable_type,
)

from simulators.shopify.access import Info, check_access
from simulators.shopify.paging import page
from simulators.shopify.state import Shop, Token, World

Resolver = Callable[..., Any]
FIELDS: dict[str, Resolver] = {}
PERSONAL = frozenset(
    f"Order.{name}" for name in ("email", "phone", "shippingAddress", "billingAddress", "displayAddress", "customer")
)


@dataclass
class Call:
    """What a request may see and who makes it."""

    world: World
    shop: Shop
    token: Token
    warnings: list[dict[str, Any]] = field(default_factory=list)


def resolves(name: str) -> Callable[[Resolver], Resolver]:
    """The marked function answers the field `Type.field`."""

    def mark(function: Resolver) -> Resolver:
        FIELDS[name] = function
        return function

    return mark


@functools.lru_cache(maxsize=4096)
def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def resolve_field(source: Any, info: Info, **arguments: Any) -> Any:
    call: Call = info.context
    check_access(info, call.token.granted)
    name = f"{info.parent_type.name}.{info.field_name}"
    if name in PERSONAL and call.world.customer_data_level < 2:
        return None
    own = FIELDS.get(name)
    if own:
        return _shaped(own(source, info, **{snake(key): value for key, value in arguments.items()}), info, arguments)
    if info.parent_type.name == "Mutation":
        raise GraphQLError(f"the stand-in does not know the mutation {info.field_name}")
    return _shaped(_held(source, info.field_name), info, arguments)


def _held(source: Any, name: str) -> Any:
    """What the source holds under that name; what no shop of ours holds is null."""
    if isinstance(source, dict):
        return source.get(name, source.get(snake(name)))
    return getattr(source, snake(name), None)


def _shaped(value: Any, info: Info, arguments: dict[str, Any]) -> Any:
    named = get_named_type(info.return_type)
    if named.name.endswith("Connection") and (value is None or isinstance(value, list)):
        return page(value or [], **arguments)
    if value is None:
        return _nothing(info)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Decimal):
        return _money(value, named, info.context.shop.currency)
    if isinstance(value, list) and "first" in arguments and arguments["first"] is not None:
        return value[: arguments["first"]]
    return value


def _nothing(info: Info) -> Any:
    """An empty list where the schema wants a list; a null elsewhere, with its error where none is allowed."""
    wants_list = isinstance(info.return_type, GraphQLNonNull) and isinstance(
        get_nullable_type(info.return_type), GraphQLList
    )
    return [] if wants_list else None


def _money(amount: Decimal, named: Any, currency: str) -> Any:
    if isinstance(named, GraphQLScalarType):
        return f"{amount:.2f}"
    money = {"amount": f"{amount:.2f}", "currencyCode": currency}
    return money if named.name == "MoneyV2" else {"shopMoney": money, "presentmentMoney": money}


def type_of(value: Any, *_ignored: Any) -> str | None:
    """Which concrete type stands behind an interface or a union."""
    name: str | None = getattr(value, "graphql_type", None)
    return name or (value.get("__typename") if isinstance(value, dict) else None)
