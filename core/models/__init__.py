"""All tables; importing this fills `Base.metadata`."""

from core.models.audit import AuditEntry, AuditHead
from core.models.exchange import Exchange, ExchangeHistory, ExchangeLink
from core.models.inbound import Event
from core.models.order import OmsOrder, Order
from core.models.outbox import Attempt, CallSlot, Effect, Endpoint
from core.models.returns import ReturnOrder, ReturnUnitRow, VerdictRow
from core.models.tenant import BridgeCredential, SettingsVersion, Shop
from core.models.watch import DutyTurn, Finding, WatchPlace

__all__ = [
    "Attempt",
    "AuditEntry",
    "AuditHead",
    "BridgeCredential",
    "CallSlot",
    "DutyTurn",
    "Effect",
    "Endpoint",
    "Event",
    "Exchange",
    "ExchangeHistory",
    "ExchangeLink",
    "Finding",
    "OmsOrder",
    "Order",
    "ReturnOrder",
    "ReturnUnitRow",
    "SettingsVersion",
    "Shop",
    "VerdictRow",
    "WatchPlace",
]
