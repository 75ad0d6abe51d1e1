"""What everything in a shop is made of: refusals, global ids, people and places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class Refused(ValueError):
    """The shop's rules say no. Becomes a user error in GraphQL and a plain error for staff."""

    def __init__(self, message: str, field: list[str] | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.field, self.code = message, field, code


class Node:
    """Anything with a global id; `pk` is its numeric part."""

    graphql_type: ClassVar[str]
    pk: int | str

    @property
    def id(self) -> str:
        return f"gid://shopify/{self.graphql_type}/{self.pk}"

    @property
    def legacy_resource_id(self) -> str:
        return str(self.pk)


@dataclass(eq=False)
class Address(Node):
    graphql_type: ClassVar[str] = "MailingAddress"
    pk: int
    first_name: str = "Asha"
    last_name: str = "Test"
    company: str | None = None
    address1: str | None = "12 Sample Street"
    address2: str | None = "Near Test Park"
    city: str | None = "Bengaluru"
    province: str | None = "Karnataka"
    province_code: str | None = "KA"
    zip: str | None = "560001"
    country: str | None = "India"
    country_code: str = "IN"
    phone: str | None = "+919000000001"
    coordinates_validated: bool = False

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def country_code_v2(self) -> str:
        return self.country_code


@dataclass(eq=False)
class Customer(Node):
    graphql_type: ClassVar[str] = "Customer"
    pk: int
    first_name: str
    last_name: str
    email: str | None
    phone: str | None


@dataclass(eq=False)
class Variant(Node):
    graphql_type: ClassVar[str] = "ProductVariant"
    pk: int
    sku: str


@dataclass(eq=False)
class Location(Node):
    graphql_type: ClassVar[str] = "Location"
    pk: int
    name: str
