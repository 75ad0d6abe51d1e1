"""RMS's JSON into our values. Pure: no database, no network, no clock.

Each function takes a body from `core.reading.read_object`, and either gives our value or raises BadInput with every
fault and its path, at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError

from core.domain.returns import (
    ReturnReport,
    ReturnType,
    ReturnUnit,
    UnitVerdict,
    Verdict,
    VerdictReport,
    explode_items,
)
from core.domain.statuses import Status
from core.errors import BadInput
from core.reading import describe_faults
from core.settings import RmsSettings
from rms_bridge.contract import (
    MAX_CODE,
    MAX_UNITS,
    CreateReturnOrder,
    NotificationItem,
    Part,
    ProcessedItem,
    ReturnItem,
    ReturnNotification,
    ReturnOrderInfo,
    ReturnsProcessingUpdate,
)
from rms_bridge.contract_conditions import (
    Fault,
    find_notification_faults,
    find_processing_update_faults,
    find_return_order_faults,
)
from rms_bridge.statuses import is_rto, read_status

MAX_FAULTS = 10_000  # nobody reads more, and 10 MiB of wrong values would make an answer of 100 MiB
P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class ForwardTracking:
    """A notification about the parcel on its way to the customer."""

    forward_code: str
    status_text: str
    at: datetime | None


def parse_return_order(body: dict[str, Any], rms: RmsSettings) -> ReturnReport:
    """Read a full return (Increff: "Create Return Order"). One `orderItems` element is one unit."""
    order = _read(CreateReturnOrder, body, find_return_order_faults(body, rms))
    text = order.return_order_status
    return ReturnReport(
        code=order.return_order_code,
        forward_code=order.forward_order_code,
        full=True,
        type=ReturnType(order.order_type or ReturnType.CUSTOMER_RETURN),
        status_text=text,
        status=Status.REQUESTED if text is None else read_status(text, about_return=True),
        location_code=order.location_code,
        awb=_unless_blank(order.awb_number),
        transporter=_unless_blank(order.transporter),
        ordered_at=order.return_order_time,
        units=tuple(_read_unit(item) for item in order.order_items),
    )


def read_known_facts(body: dict[str, Any]) -> dict[str, Any]:
    """The known fields a Create Return Order body gives, as they came; times as `core.clock.render_time` writes them.

    Nothing is shortened and no default is added; null, absent and unknown fields are left out. The result is again a
    Create Return Order body and gives itself. The shop's own conditions are not checked here.
    """
    return _read(CreateReturnOrder, body, ()).model_dump(by_alias=True, exclude_unset=True)


def parse_notification(body: dict[str, Any], rms: RmsSettings) -> ReturnReport | ForwardTracking:
    """Read a tracking update (Increff: "Push Notifications").

    It is about a return when `returnOrderInfo` is given, for names such as PICKED_UP and DELIVERED serve both ways; and
    for an RTO, where the parcel keeps its forward AWB and nobody may have named the return (its code is "").
    """
    notification = _read(ReturnNotification, body, find_notification_faults(body))
    if notification.return_order_info is not None:
        return _read_return_notification(notification, notification.return_order_info, rms)
    if is_rto(notification.notification_type):  # a forward parcel that turned round: a return nobody has named yet
        turned = ReturnOrderInfo.model_validate({"returnAwb": notification.forward_awb})
        return _read_return_notification(notification, turned, rms)
    return ForwardTracking(
        notification.forward_order_code, notification.notification_type, notification.notification_update_time
    )


def parse_processing_update(body: dict[str, Any]) -> VerdictReport:
    """Read QC verdicts (Increff: "Returns Processing Update"). A repeated element counts once, with all its photos."""
    update = _read(ReturnsProcessingUpdate, body, find_processing_update_faults(body))
    by_code: dict[str, list[ProcessedItem]] = {}
    for item in update.order_items:
        by_code.setdefault(item.item_code, []).append(item)
    return VerdictReport(
        return_code=update.return_order_code,
        forward_code=update.forward_order_code,
        location_code=_unless_blank(update.location_code),
        verdicts=tuple(_read_verdict(items) for items in by_code.values()),
    )


def _read(model: type[P], body: dict[str, Any], conditions: Iterable[Fault]) -> P:
    """Check types and conditions together: one fault per path, and none below a path that is wrong itself."""
    parsed, faults = _validate(model, body)
    for path, words in islice(conditions, MAX_FAULTS):
        if not any(above in faults for above in _list_path_and_above(path)):
            faults[path] = words
    if parsed is None or faults:
        raise BadInput([f"{path}: {words}" for path, words in faults.items()])
    return parsed


def _validate(model: type[P], body: dict[str, Any]) -> tuple[P | None, dict[str, str]]:
    """The model, or None and words by path."""
    try:
        return model.model_validate(body), {}
    except ValidationError as error:
        if error.error_count() > MAX_FAULTS:
            raise BadInput([f"body: more than {MAX_FAULTS} faults"]) from None
        return None, dict(_split(fault) for fault in describe_faults(error))


def _split(fault: str) -> Fault:
    path, _, words = fault.partition(": ")
    return path, words


def _list_path_and_above(path: str) -> Iterator[str]:
    """`a[2].b` -> `a`, `a[2]`, `a[2].b`."""
    yield from (path[: joint.start()] for joint in re.finditer(r"[.\[]", path))
    yield path


def _read_unit(item: ReturnItem) -> ReturnUnit:
    return ReturnUnit(item.item_code, item.channel_sku_code, item.reason)


def _read_return_notification(
    notification: ReturnNotification, info: ReturnOrderInfo, rms: RmsSettings
) -> ReturnReport:
    """The code is "" when RMS names none, which it may do for an RTO."""
    text, warehouse = notification.notification_type, _unless_blank(notification.warehouse_code)
    return ReturnReport(
        code=_unless_blank(info.return_order_id) or "",
        forward_code=notification.forward_order_code,
        full=False,
        type=ReturnType.RETURN_TO_ORIGIN if is_rto(text) else ReturnType.CUSTOMER_RETURN,
        status_text=text,
        status=read_status(text, about_return=True),
        status_at=notification.notification_update_time,
        location_code=rms.warehouses.get(warehouse) if warehouse else None,
        warehouse_code=warehouse,
        awb=_unless_blank(info.return_awb),
        transporter=_unless_blank(info.transporter) or _unless_blank(notification.courier_name),
        ordered_at=info.return_order_time,
        units=_explode(notification.items or notification.line_items or [], rms.default_return_reason),
    )


def _explode(items: list[NotificationItem], reason: str) -> tuple[ReturnUnit, ...]:
    """One unit per piece. Elements with the same id and SKU add up: each piece needs a code of its own."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in items:
        sku = item.sku or ""
        counts[(_unless_blank(item.item_id) or sku, sku)] += item.quantity
    if counts.total() > MAX_UNITS:
        raise BadInput([f"items: more than {MAX_UNITS} pieces"])
    units = explode_items([(item, sku, quantity) for (item, sku), quantity in counts.items()], reason)
    _refuse_unusable_codes(units)
    return units


def _refuse_unusable_codes(units: tuple[ReturnUnit, ...]) -> None:
    uses = Counter(unit.item_code for unit in units)
    faults = [f"items: {times} pieces would go by the code {code}" for code, times in uses.items() if times > 1]
    faults += [
        f"items: a piece's code would be longer than {MAX_CODE} characters" for code in uses if len(code) > MAX_CODE
    ]
    if faults:
        raise BadInput(list(dict.fromkeys(faults)))


def _read_verdict(items: list[ProcessedItem]) -> UnitVerdict:
    """One verdict from an element and its doubles, which agree in all but the photos."""
    first = items[0]
    images = dict.fromkeys(url for item in items for url in item.image_urls or ())
    return UnitVerdict(
        first.item_code, first.channel_sku_code, Verdict(first.qc_status), first.qc_reason, tuple(images)
    )


def _unless_blank(text: str | None) -> str | None:
    return text if text and text.strip() else None
