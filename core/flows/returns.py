"""Returns: what RMS says of a return becomes a return expectation in OMS, and later its newest status (F2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.effects import OMS_EXPECT_RETURN, OMS_UPDATE_RETURN, PARTNER_FORWARD_RETURN
from core.domain.returns import ReturnReport, ReturnUnit, UnitVerdict, Verdict, find_more
from core.domain.statuses import Status, may_follow
from core.flows.scene import Scene
from core.models import ReturnOrder, ReturnUnitRow, VerdictRow
from core.registry import Outcome, handled, ignored, parked
from core.relay.outbox import Wanted, name_message, want
from core.settings import Settings
from core.statements import prepared, scalars


def find_return(session: Session, shop_id: int, code: str) -> ReturnOrder | None:
    """The return order of a code, or None."""
    return next(iter(find_returns(session, shop_id, [code])), None)


def find_returns(session: Session, shop_id: int, codes: Sequence[str]) -> list[ReturnOrder]:
    """The return orders of these codes that we have heard of."""
    return list(scalars(session, _select_returns(shop_id, codes)))


@prepared
def _select_returns(shop_id: int, codes: Sequence[str]) -> Select[ReturnOrder]:
    mine = (ReturnOrder.shop_id == shop_id, ReturnOrder.code.in_(codes))
    return select(ReturnOrder).where(*mine).order_by(ReturnOrder.id)


def ensure_return(session: Session, shop_id: int, code: str, forward_code: str) -> ReturnOrder:
    """The return order of a code; a new one is not `known` until somebody says what is in it."""
    found = find_return(session, shop_id, code)
    if found is None:
        found = ReturnOrder(
            shop_id=shop_id,
            code=code,
            forward_code=forward_code,
            known=False,
            type="CUSTOMER_RETURN",
            created_at=db_now(),
        )
        session.add(found)
        session.flush()
    return found


def load_units(session: Session, return_id: int) -> list[ReturnUnit]:
    """A return's units in the order the channel named them."""
    return [ReturnUnit(row.item_code, row.sku, row.reason) for row in scalars(session, _select_units(return_id))]


@prepared
def _select_units(return_id: int) -> Select[ReturnUnitRow]:
    return select(ReturnUnitRow).where(ReturnUnitRow.return_id == return_id).order_by(ReturnUnitRow.position)


def load_latest_verdicts(session: Session, return_id: int) -> dict[str, UnitVerdict]:
    """The verdict in force of each item code."""
    return {
        row.item_code: UnitVerdict(row.item_code, row.sku, Verdict(row.verdict), row.reason, tuple(row.image_urls))
        for row in scalars(session, _select_verdicts(return_id))
    }


@prepared
def _select_verdicts(return_id: int) -> Select[VerdictRow]:
    return select(VerdictRow).where(VerdictRow.return_id == return_id).order_by(VerdictRow.id)


def list_judged_since(session: Session, return_id: int, event_id: int) -> set[str]:
    """Item codes about which a message that came after this one has been heard already."""
    later = (VerdictRow.event_id > event_id) | (VerdictRow.repeated_by > event_id)
    return set(session.scalars(select(VerdictRow.item_code).where(VerdictRow.return_id == return_id, later)))


def register_return(scene: Scene, report: ReturnReport, event_id: int, content: str | None) -> Outcome:
    """A push about a return: the first sight creates the expectation, whatever its status; a later one updates it.

    `content` is a digest of a full body's facts without its status; two full bodies that differ in it are a conflict.
    """
    session, shop_id, settings = scene.session, scene.shop_id, scene.settings
    order = ensure_return(session, shop_id, report.code, report.forward_code)
    if order.full_digest and content and content != order.full_digest:
        order.conflict_event_id = event_id
        return parked(f"return {report.code} came again with other content: compare both versions")
    first = not order.known
    repeated = bool(content) and content == order.full_digest
    fuller = report.full and order.full_digest is None
    if first or fuller:
        _learn(order, report)
    added = _take_units(session, order, report.units, fuller=fuller)
    if fuller:
        order.full_event_id, order.full_digest = event_id, content
    if first or fuller:
        order.location_code = report.location_code or order.location_code
    # the settings' part is read each time: it may have been missing when the return was first heard of
    order.location_code = order.location_code or report.location_code or settings.oms.default_location
    advanced = _advance(order, report)
    learned_awb = _learn_awb(order, report, old=repeated or _is_older(report, order))
    missing = find_missing(session, order, settings)
    if missing:
        return parked(f"return {report.code} cannot be expected in OMS yet: no {', '.join(missing)}")
    if want(session, shop_id, plan_expectation(order), event_id):
        return handled(f"return {report.code} registered: OMS is to expect it")
    if not (advanced or fuller or learned_awb):
        return ignored(f"nothing new about return {report.code}")
    want(session, shop_id, plan_update(order), event_id)
    return handled(f"return {report.code} is now {order.status_text or order.status}: OMS is to hear it{added}")


def _learn(order: ReturnOrder, report: ReturnReport) -> None:
    """Take a report's content as the return's: the first one, or a full body after notifications only."""
    order.known = True
    order.forward_code = report.forward_code
    order.type = report.type
    order.ordered_at = report.ordered_at or order.ordered_at


def _take_units(session: Session, order: ReturnOrder, told: Sequence[ReturnUnit], *, fuller: bool) -> str:
    """Units of a notification are provisional: a full body replaces them. Once QC has spoken of them it only adds.

    Returns what a person should know of that.
    """
    known = load_units(session, order.id)  # none: it came without its items, perhaps more than once
    if told and (not known or (fuller and not load_latest_verdicts(session, order.id))):
        for row in scalars(session, _select_units(order.id)):
            session.delete(row)
        session.flush()
        _add_units(session, order, told, 0)
    elif fuller and (more := find_more(known, told)):
        _add_units(session, order, more, len(known))
        return f"; {', '.join(unit.item_code for unit in more)} came to light after the first verdict"
    return ""


def _add_units(session: Session, order: ReturnOrder, units: Sequence[ReturnUnit], first: int) -> None:
    for position, unit in enumerate(units, first):
        session.add(ReturnUnitRow(return_id=order.id, position=position, **asdict(unit)))
    session.flush()


def _advance(order: ReturnOrder, report: ReturnReport) -> bool:
    """Take over the status unless it is older, goes backwards or is not one we know."""
    if report.status is None:
        order.status_text = order.status_text or report.status_text  # unknown to us, but all that is known
        return False
    if _is_older(report, order):
        return False
    if not may_follow(report.status, Status(order.status) if order.status else None):
        return False
    order.status, order.status_text = report.status, report.status_text
    order.status_at = report.status_at or order.status_at
    return True


def _is_older(report: ReturnReport, order: ReturnOrder) -> bool:
    return bool(report.status_at and order.status_at and report.status_at < order.status_at)


def _learn_awb(order: ReturnOrder, report: ReturnReport, *, old: bool) -> bool:
    """Take over the courier's number. What is old, or was heard before, never puts another in the place of a newer."""
    if old and order.awb not in (None, report.awb):
        return False
    awb, transporter = report.awb or order.awb, report.transporter or order.transporter
    changed = (awb, transporter) != (order.awb, order.transporter)
    order.awb, order.transporter = awb, transporter
    return changed


def find_missing(session: Session, order: ReturnOrder, settings: Settings) -> list[str]:
    """What OMS will not take the expectation without."""
    needed: dict[str, object] = {"location code": order.location_code, "items": load_units(session, order.id)}
    if settings.rms.awb_source == "partner":
        needed |= {"AWB": order.awb, "transporter": order.transporter}
    return [name for name, value in needed.items() if not value]


def plan_expectation(order: ReturnOrder) -> Wanted:
    """OMS is to expect this return, once for ever."""
    return Wanted(
        OMS_EXPECT_RETURN,
        f"oms.expect:{order.code}",
        about=order.code,
        lane=f"oms:return:{order.code}",
        end={"expected": True},
        once=True,
    )


def plan_update(order: ReturnOrder) -> Wanted:
    """OMS is to know the newest status and AWB; an older one not sent yet is superseded."""
    return Wanted(
        OMS_UPDATE_RETURN,
        f"oms.return_status:{order.code}",
        about=order.code,
        lane=f"oms:return:{order.code}",
        end={"status": order.status_text, "awb": order.awb, "transporter": order.transporter},
    )


def note_expected(session: Session, shop_id: int, code: str) -> None:
    """OMS acknowledged the expectation."""
    order = find_return(session, shop_id, code)
    if order is not None:
        order.expected_at = db_now()


def forward_to_partners(scene: Scene, report: ReturnReport, event_id: int, body: bytes) -> None:
    """Each push goes on, as it came, to every partner subscribed to it."""
    wants, about = "return" if report.full else "tracking", report.code or report.forward_code
    for partner in scene.settings.partners:
        if wants in partner.events:
            lane = f"partner:{partner.name}:{about}"
            aspect = name_message(scene.session, scene.shop_id, lane, body, event_id)
            want(scene.session, scene.shop_id, plan_forward(partner.name, about, lane, aspect, event_id), event_id)


def plan_forward(partner: str, about: str, lane: str, aspect: str, event_id: int) -> Wanted:
    """A partner is to hear of one push, once."""
    return Wanted(
        PARTNER_FORWARD_RETURN,
        aspect,
        about=about,
        lane=lane,
        end={"event": event_id},
        params={"partner": partner, "event_id": event_id},
        once=True,
    )
