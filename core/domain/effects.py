"""Every kind of change we make in somebody else's system (DESIGN §9): one table that engine and flows share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EffectKind:
    """How one kind of effect behaves.

    `priority`: lower goes first. `repeatable`: doing it twice does no harm, so it may be sent again after an unclear
    outcome once a look found nothing. `looks`: the far side can be read back. `passes_parked`: may overtake a parked
    head of its lane. `schedule`: which waiting times apply between attempts (`core.relay.backoff`).
    """

    name: str
    priority: int
    repeatable: bool
    looks: bool
    passes_parked: bool = False
    schedule: str = "system"
    slow_settle: bool = False  # rests for CANCEL_SETTLE_SECONDS rather than SETTLE_SECONDS after an unclear outcome

    @property
    def system(self) -> str:
        """`oms`, `shopify` or `partner`: the first half of the name."""
        return self.name.partition(".")[0]

    @property
    def keyed(self) -> bool:
        """True when a repeat carries a key that the far side knows it by: then it need not wait until what was sent
        before can no longer arrive."""
        return self.system == "partner"


OMS_CREATE_ORDER = EffectKind("oms.create_order", priority=30, repeatable=False, looks=True)
OMS_UNHOLD_ORDER = EffectKind("oms.unhold_order", priority=20, repeatable=True, looks=False)
OMS_HOLD_ORDER = EffectKind("oms.hold_order", priority=20, repeatable=True, looks=False)
OMS_CANCEL_LINES = EffectKind("oms.cancel_lines", priority=10, repeatable=True, looks=False)
OMS_EXPECT_RETURN = EffectKind("oms.expect_return", priority=30, repeatable=False, looks=True)
OMS_UPDATE_RETURN = EffectKind("oms.update_return", priority=40, repeatable=True, looks=False)
SHOPIFY_TAG_ORDER = EffectKind("shopify.tag_order", priority=20, repeatable=True, looks=False)
SHOPIFY_HOLD_ORDER = EffectKind("shopify.hold_order", priority=20, repeatable=True, looks=False)
SHOPIFY_RELEASE_ORDER = EffectKind("shopify.release_order", priority=20, repeatable=True, looks=False)
# reads first and states what is to be left, so a repeat after a look does nothing twice
SHOPIFY_CANCEL_LINES = EffectKind("shopify.cancel_lines", priority=10, repeatable=True, looks=True, slow_settle=True)
SHOPIFY_CANCEL_ORDER = EffectKind("shopify.cancel_order", priority=10, repeatable=False, looks=True, slow_settle=True)
PARTNER_REPORT_QC = EffectKind("partner.report_qc", priority=20, repeatable=True, looks=False, schedule="partner")
PARTNER_FORWARD_RETURN = EffectKind(
    "partner.forward_return", priority=40, repeatable=True, looks=False, passes_parked=True, schedule="partner"
)

KINDS: dict[str, EffectKind] = {
    kind.name: kind
    for kind in (
        OMS_CREATE_ORDER,
        OMS_UNHOLD_ORDER,
        OMS_HOLD_ORDER,
        OMS_CANCEL_LINES,
        OMS_EXPECT_RETURN,
        OMS_UPDATE_RETURN,
        SHOPIFY_TAG_ORDER,
        SHOPIFY_HOLD_ORDER,
        SHOPIFY_RELEASE_ORDER,
        SHOPIFY_CANCEL_LINES,
        SHOPIFY_CANCEL_ORDER,
        PARTNER_REPORT_QC,
        PARTNER_FORWARD_RETURN,
    )
}
