"""QC verdicts: write down what is new, relay it to partners, and let the exchanges that wait for it decide (F3)."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.db import db_now
from core.domain.effects import PARTNER_REPORT_QC
from core.domain.exchange import SETTLED, WAITING, Move, State, is_end_refuted
from core.domain.returns import UnitVerdict, VerdictReport, weigh
from core.flows.acts import has_acted
from core.flows.exchanges import find_exchange, move
from core.flows.facts import DEADLINE, list_others_units, open_case
from core.flows.linking import find_linked_orders
from core.flows.orders import load_order
from core.flows.reports import reconsider_linked
from core.flows.returns import ensure_return, list_judged_since, load_latest_verdicts
from core.flows.scene import Scene, write_history
from core.models import VerdictRow
from core.registry import Outcome, handled, ignored, parked
from core.relay.outbox import Wanted, name_message, want


def record_verdicts(scene: Scene, report: VerdictReport, event_id: int) -> Outcome:
    """Take a Returns Processing Update. A verdict equal to the unit's latest is nothing new.

    Messages are thought about side by side: a verdict that a later message has overtaken is old. So a verdict that was
    only repeated counts as heard anew, or one from in between would replace it.
    """
    order = ensure_return(scene.session, scene.shop_id, report.return_code, report.forward_code)
    latest = load_latest_verdicts(scene.session, order.id)
    overtaken = list_judged_since(scene.session, order.id, event_id)
    current = [one for one in report.verdicts if one.item_code not in overtaken]
    news = [one for one in current if not (one.item_code in latest and one.same_as(latest[one.item_code]))]
    _note_repeats(scene.session, order.id, [one.item_code for one in current if one not in news], event_id)
    if overtaken and not news:
        return ignored(f"QC has spoken since about {', '.join(sorted(overtaken))} of return {report.return_code}")
    if not news:
        return ignored(f"verdicts of return {report.return_code} are known already")
    _write(scene.session, order.id, news, event_id)
    _relay(scene, report, news, event_id)
    changed = [one.item_code for one in news if one.item_code in latest]
    late = changed and _note_changes_too_late(scene, report.return_code, changed)
    moved = reconsider_linked(scene, report.return_code)
    against = _note_against_end(scene, report.return_code, [one for one in news if one.item_code not in latest])
    if late:
        return parked(f"QC changed its verdict on {', '.join(changed)} after we had acted: a person must look")
    if against:
        return parked(f"return {report.return_code}: {against}: a person must look")
    linked = f"{moved} exchange(s) moved" if moved else "no exchange moved"
    return handled(f"{len(news)} verdict(s) of return {report.return_code}; {linked}")


def _note_changes_too_late(scene: Scene, return_code: str, item_codes: list[str]) -> bool:
    """Write a changed verdict into the history of exchanges it can no longer change. True when there was one.

    Once a line was cut early, a change sends its exchange to a person, wherever it waits.
    """
    found = False
    for order_id in find_linked_orders(scene.session, scene.shop_id, return_code):
        exchange = find_exchange(scene.session, scene.shop_id, order_id)
        order = load_order(scene.session, scene.shop_id, order_id)
        if exchange is None or order is None:
            continue
        mine = [code for code in item_codes if code not in list_others_units(scene, exchange, order)]
        if not mine:
            continue
        why = f"QC changed its verdict on {', '.join(mine)} after we had acted"
        if exchange.state in SETTLED:
            write_history(scene, exchange, why, "changed_too_late")
            found = True
        elif exchange.state in (*WAITING, State.REVIEW) and has_acted(scene, order_id):
            move(scene, open_case(scene, exchange, order), Move(State.REVIEW, "changed_too_late", why))
            found = True
    return found


def _note_against_end(scene: Scene, return_code: str, first: list[UnitVerdict]) -> str | None:
    """Write a first verdict into the history of exchanges that were over before it, and not as it asks.

    A deadline decides without verdicts, and units may come to light late; what a person decided is theirs.
    """
    reasons, said = scene.settings.qc.counted_reasons, None
    for order_id in find_linked_orders(scene.session, scene.shop_id, return_code):
        exchange = find_exchange(scene.session, scene.shop_id, order_id)
        order = load_order(scene.session, scene.shop_id, order_id)
        if exchange is None or order is None or exchange.decided_by not in (None, DEADLINE):
            continue
        state = State(exchange.state)
        # our own cancel has emptied the lines: whether one should have stayed is told by what was ordered
        case = open_case(scene, exchange, order.as_ordered() if state is State.CANCELLED else order)
        others = list_others_units(scene, exchange, order)
        mine = [one for one in first if one.item_code not in others]
        if is_end_refuted(state, case.plan.kind, {weigh(one, reasons) for one in mine}, cut_done=not case.cuts):
            words = ", ".join(f"{one.item_code} {one.verdict}" for one in mine)
            said = f"QC says {words} after the order was {state.replace('_', ' ')}"
            write_history(scene, exchange, said, "changed_too_late")
    return said


def _write(session: Session, return_id: int, verdicts: list[UnitVerdict], event_id: int) -> None:
    for one in verdicts:
        session.add(
            VerdictRow(
                return_id=return_id,
                item_code=one.item_code,
                sku=one.sku,
                verdict=one.verdict,
                reason=one.reason,
                image_urls=list(one.image_urls),
                event_id=event_id,
                heard_at=db_now(),
            )
        )
    session.flush()


def _note_repeats(session: Session, return_id: int, item_codes: list[str], event_id: int) -> None:
    mine = (VerdictRow.return_id == return_id) & VerdictRow.item_code.in_(item_codes)
    newest = select(func.max(VerdictRow.id)).where(mine).group_by(VerdictRow.item_code)
    session.execute(update(VerdictRow).where(VerdictRow.id.in_(newest)).values(repeated_by=event_id))


def _relay(scene: Scene, report: VerdictReport, news: list[UnitVerdict], event_id: int) -> None:
    said = "qc " + ", ".join(sorted(f"{one.item_code} {one.verdict} {one.reason}" for one in news))
    for partner in scene.settings.partners:
        if "qc" in partner.events:
            lane = f"partner:{partner.name}:{report.return_code}"
            wanted = Wanted(
                PARTNER_REPORT_QC,
                name_message(scene.session, scene.shop_id, lane, said.encode(), event_id),
                about=report.return_code,
                lane=lane,
                end={"event": event_id},
                params={"partner": partner.name, "event_id": event_id, "items": [one.item_code for one in news]},
                once=True,
            )
            want(scene.session, scene.shop_id, wanted, event_id)
