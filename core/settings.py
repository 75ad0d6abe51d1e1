"""The settings document of one shop (DESIGN §7): its shape, its defaults and every fault of a wrong one at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from core.addresses import AddressGuard, find_url_fault
from core.domain.orders import HoldTags
from core.domain.returns import CountsAs
from core.errors import BadInput
from core.reading import describe_faults

_OWN_HEADERS = frozenset(
    (
        *(
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "keep-alive",
        ),
        *("te", "trailer", "upgrade", "expect", "cookie", "proxy-authorization", "proxy-connection", "idempotency-key"),
    )
)
_HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"


def _check_tag(tag: str) -> str:
    tag = tag.strip()
    if not 1 <= len(tag) <= 40:
        raise ValueError("a tag has 1 to 40 characters")
    if "," in tag:
        raise ValueError("a tag has no comma: Shopify would read two tags")
    return tag


def _check_url(url: str, info: ValidationInfo) -> str:
    """With a guard in the context, which is when somebody saves, also whether it may be called at all."""
    guard: AddressGuard | None = info.context
    fault = guard.find_fault(url) if guard else find_url_fault(url)
    if fault:
        raise ValueError(fault)
    return url.rstrip("/")


def _check_header_name(name: str, info: ValidationInfo) -> str:
    if info.context and name.lower() in _OWN_HEADERS:
        raise ValueError("this header belongs to the connection or to its body: it cannot be set")
    return name


def _check_header_value(value: str, info: ValidationInfo) -> str:
    if info.context and value == "set":
        raise ValueError("nothing is stored here that could be kept: give the value itself")
    if not value.isprintable() or not value.isascii():
        raise ValueError("a header value is printable ASCII in one line")
    return value


Tag = Annotated[str, AfterValidator(_check_tag)]
Url = Annotated[str, AfterValidator(_check_url)]
HeaderName = Annotated[str, Field(pattern=_HEADER_NAME, max_length=100), AfterValidator(_check_header_name)]
HeaderValue = Annotated[str, AfterValidator(_check_header_value), Field(max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=255)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class ExchangeSettings(_Section):
    """Which orders are replacements, what holds them, and how they name their return."""

    replacement_tag: Tag = "increff_exchange"
    hold_tag: Tag = "increff_hold"
    other_hold_tags: list[Tag] = []
    release_tag: Tag | None = None
    rejected_tag: Tag | None = None
    apply_hold_tag: bool = True
    fulfillment_hold: bool = False
    link_attribute: Code = "return_order_code"
    link_tag_prefix: Code = "return:"
    unit_property: Code = "return_item_code"

    @property
    def hold_tags(self) -> HoldTags:
        """The tags that decide whether an order is held."""
        return HoldTags(self.hold_tag, tuple(self.other_hold_tags), self.release_tag)

    @model_validator(mode="after")
    def _check_tags_differ(self) -> ExchangeSettings:
        tags = [self.replacement_tag, self.hold_tag, *self.other_hold_tags, self.release_tag, self.rejected_tag]
        folded = [tag.casefold() for tag in tags if tag is not None]
        if len(set(folded)) < len(folded):
            raise ValueError("all tags must differ from one another, ignoring case")
        return self


class QcSettings(_Section):
    """Who acts on a verdict, and how."""

    actor: Literal["app", "partner", "none"] = "app"
    wait_for: Literal["all_units", "each_unit"] = "all_units"
    on_fail: Literal["cancel", "review"] = "cancel"
    on_mixed: Literal["cancel_failed_lines", "cancel_order", "review"] = "cancel_failed_lines"
    reasons: dict[Code, Literal["pass", "fail", "review"]] = {}
    verdict_deadline_days: float = Field(default=5, gt=0, le=365)
    on_deadline: Literal["review", "release", "cancel"] = "review"
    max_hold_days: float = Field(default=30, gt=0, le=3650)

    @property
    def counted_reasons(self) -> dict[str, CountsAs]:
        """`reasons` in the domain's words."""
        return {reason: CountsAs(counts) for reason, counts in self.reasons.items()}


class CancelSettings(_Section):
    """How a whole replacement order is cancelled."""

    refund: Literal["none", "original", "store_credit"] = "none"
    restock: bool = True
    notify_customer: bool = False
    reason: Literal["CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF"] = "OTHER"
    cooling_off_minutes: float = Field(default=10, ge=0, le=7 * 24 * 60)


class OmsSettings(_Section):
    """Where OMS is and how orders are told to it."""

    base_url: Url | None = None
    auth_username: HeaderValue | None = None
    auth_password: HeaderValue | None = None
    auth_domain: HeaderValue | None = None
    calls_per_minute: int = Field(default=200, gt=0)
    sync: Literal["exchanges", "all", "none"] = "exchanges"
    create_orders: bool = True
    order_code: Literal["id", "name"] = "id"
    sku: Literal["sku", "variant_id"] = "sku"
    order_type: Code = "SO"
    replacement_order_type: Code = "SO"
    locations: dict[Code, Code] = {}
    default_location: Code | None = None
    dispatch_within_hours: float = Field(default=24, gt=0, le=24 * 365)


class RmsSettings(_Section):
    """How RMS describes returns."""

    awb_source: Literal["partner", "increff"] = "partner"
    aggregator: Literal["CLICKPOST", "SHIPROCKET", "NONE"] = "SHIPROCKET"
    courier_fields: list[Code] = []
    warehouses: dict[Code, Code] = {}
    rto_without_return: Literal["park", "create"] = "park"
    default_return_reason: Code = "Customer return"


class PartnerSettings(_Section):
    """One returns partner's endpoint and what it wants to hear."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
    kind: Literal["clickpost", "returns_prime", "shiprocket", "generic"]
    url: Url
    headers: dict[HeaderName, HeaderValue] = {}
    events: list[Literal["qc", "return", "tracking"]] = ["qc", "return", "tracking"]


class Settings(_Section):
    """The whole document."""

    mode: Literal["live", "observe", "paused"] = "observe"
    exchange: ExchangeSettings = ExchangeSettings()
    qc: QcSettings = QcSettings()
    cancel: CancelSettings = CancelSettings()
    oms: OmsSettings = OmsSettings()
    rms: RmsSettings = RmsSettings()
    partners: list[PartnerSettings] = []

    @model_validator(mode="after")
    def _check_one_hand(self) -> Settings:
        names = [partner.name for partner in self.partners]
        if len(set(names)) < len(names):
            raise ValueError("partners: each name may be used once")
        if self.qc.actor == "app" and any(p.kind == "clickpost" and "qc" in p.events for p in self.partners):
            raise ValueError(
                "qc.actor is app while a Clickpost partner gets qc: both would act on the order; "
                "set qc.actor to partner, or take qc from that partner's events"
            )
        return self


def parse_settings(document: dict[str, Any], guard: AddressGuard | None = None) -> Settings:
    """Check a whole document. Raises BadInput with every fault and its path.

    With a guard, for what is about to be saved, addresses that would never be called are faults too. What was saved
    once must always open again, so reading it back takes none.
    """
    try:
        return Settings.model_validate(document, context=guard)
    except ValidationError as error:
        raise BadInput(describe_faults(error)) from None


def split_secrets(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Take the secrets out of a document: the rest, and path -> secret. The inverse of `merge_secrets`."""
    secrets: dict[str, str] = {}
    rest = {**document, "oms": dict(document.get("oms", {}))}
    if rest["oms"].get("auth_password"):
        secrets["oms.auth_password"] = rest["oms"].pop("auth_password")
    rest["partners"] = []
    for partner in document.get("partners", []):
        for header, value in partner.get("headers", {}).items():
            secrets[f"partners.{partner['name']}.{header}"] = value
        rest["partners"].append({**partner, "headers": dict.fromkeys(partner.get("headers", {}), "-")})
    return rest, secrets


def merge_secrets(document: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """Put secrets back where `split_secrets` took them."""
    merged = {**document, "oms": dict(document.get("oms", {}))}
    if "oms.auth_password" in secrets:
        merged["oms"]["auth_password"] = secrets["oms.auth_password"]
    merged["partners"] = [
        {**partner, "headers": {name: secrets[f"partners.{partner['name']}.{name}"] for name in partner["headers"]}}
        for partner in document.get("partners", [])
    ]
    return merged
