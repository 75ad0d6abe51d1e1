"""What is known about an exchange, and what it says: stored rows become the facts that the table decides by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from core.domain.exchange import FOR_PERSON, LACKING, UNDERWAY, Facts, State
from core.domain.orders import Fulfillment, OrderSnapshot, is_bound, is_held
from core.domain.plan import Plan, PlanKind, QcPolicy, find_cuts, find_units, is_refuted, make_plan
from core.domain.returns import CountsAs, ReturnUnit, UnitVerdict, weigh
from core.domain.statuses import ARRIVED, ENDED
from core.flows.acts import has_acted, has_sealed_fate, is_cut_outdated, list_cut_lines
from core.flows.linking import list_linked_codes
from core.flows.returns import find_returns, load_latest_verdicts, load_units
from core.flows.scene import Scene
from core.models import Event, Exchange, ExchangeLink, Order, ReturnOrder, VerdictRow
from core.settings import Settings
from core.statements import prepared, scalars

DEADLINE = "deadline"  # who decided, when no person did
_BY_DEADLINE = {"released_by_deadline": "release", "cancelled_by_deadline": "cancel"}


@dataclass(frozen=True)
class Case:
    """An exchange with everything known about it, and what that asks for."""

    exchange: Exchange
    order: OrderSnapshot
    returns: list[ReturnOrder]
    plan: Plan
    known: frozenset[CountsAs]  # what the verdicts heard so far count as; once there is one, the goods are there
    complete: bool  # every return it is linked to has been heard of, and there is one
    here: bool  # and all that comes back with them is known, and has arrived

    @property
    def cuts(self) -> dict[int, int]:
        """The lines still to be cut, and what each is to keep."""
        return find_cuts(self.plan.left, self.order.lines)


def open_case(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> Case:
    """Everything known about an exchange, and the plan it asks for."""
    codes = list_linked_codes(scene.session, exchange)
    returns = find_returns(scene.session, scene.shop_id, codes)
    others = list_others_units(scene, exchange, order)
    units, latest = _collect(scene.session, returns, others)
    if sum(one.known for one in returns) < len(codes):
        units = []  # a return that the order names has not been registered: what we have are not all units
    policy = read_policy(scene.settings)
    awaited = find_units(units, order.lines, latest)
    plan = _mind_swaps(scene, order, make_plan(awaited, latest, order.lines, policy))
    heard = frozenset(weigh(verdict, policy.reasons) for verdict in latest.values())
    complete = len(codes) == len(returns) > 0
    listed = 0 < len(awaited) == len(units)
    here = complete and listed and all(_has_arrived(scene.session, one) for one in returns)
    return Case(exchange, order, returns, plan, heard, complete, here)


def _has_arrived(session: Session, order: ReturnOrder) -> bool:
    """Its goods are at the warehouse: RMS says so, or QC has looked at one."""
    return order.status in ARRIVED or bool(load_latest_verdicts(session, order.id))


def list_others_units(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> set[str]:
    """Item codes that another order linked to a return of this one names, and this one does not: they are that one's.

    One return may bring back what several orders replace. An order that names no unit may be judged by all of them.
    """
    mine = {code for line in order.lines for code in line.unit_codes}
    if not mine:
        return set()
    siblings = scalars(scene.session, _select_sibling_lines(exchange.id))
    return {code for lines in siblings for line in lines for code in line["unit_codes"]} - mine


@prepared
def _select_sibling_lines(exchange_id: int) -> Select[list[dict[str, Any]]]:
    """The lines of other orders that are linked to a return of this exchange."""
    mine, other = aliased(ExchangeLink), aliased(ExchangeLink)
    query = select(Order.lines).join(
        Exchange, (Exchange.shop_id == Order.shop_id) & (Exchange.order_id == Order.order_id)
    )
    query = query.join(other, other.exchange_id == Exchange.id)
    query = query.join(mine, (mine.shop_id == other.shop_id) & (mine.return_code == other.return_code))
    return query.where(mine.exchange_id == exchange_id, other.exchange_id != exchange_id)


def _mind_swaps(scene: Scene, order: OrderSnapshot, plan: Plan) -> Plan:
    """A line to be cut is gone, and not by us, while another one names no unit: that may have taken its place, and
    would be released for a unit that failed. Where a partner acts, it was the partner."""
    unnamed = any(line.current_quantity and not line.unit_codes for line in order.lines)
    if plan.kind is not PlanKind.CUT or not unnamed or scene.settings.qc.actor != "app":
        return plan
    ours = list_cut_lines(scene, order.id)
    left = {line.id: line.current_quantity for line in order.lines}
    if all(left[line] > kept or line in ours for line, kept in plan.left.items()):
        return plan
    return Plan(PlanKind.REVIEW, "a failed unit's line was taken off by hand, and another line names no unit")


def read_policy(settings: Settings) -> QcPolicy:
    """The merchant's rules in the domain's words."""
    qc = settings.qc
    return QcPolicy(qc.wait_for == "all_units", qc.on_fail == "cancel", qc.on_mixed, qc.counted_reasons)


def _collect(
    session: Session, returns: list[ReturnOrder], others: set[str]
) -> tuple[list[ReturnUnit], dict[str, UnitVerdict]]:
    """Units and verdicts of all returns, but for `others`. An item code that several returns use is told apart by its
    return."""
    said = [(one.code, load_units(session, one.id), load_latest_verdicts(session, one.id)) for one in returns]
    uses = Counter(code for _, units, latest in said for code in {unit.item_code for unit in units} | latest.keys())

    def tell(return_code: str, item_code: str) -> str:
        return f"{return_code}/{item_code}" if uses[item_code] > 1 else item_code

    units = [replace(unit, item_code=tell(name, unit.item_code)) for name, listed, _ in said for unit in listed]
    latest = {tell(name, code): verdict for name, _, heard in said for code, verdict in heard.items()}
    mine = [unit for unit in units if unit.item_code not in others]
    return mine, {code: verdict for code, verdict in latest.items() if code not in others}


def stands_held(scene: Scene, exchange: Exchange, order: OrderSnapshot) -> bool:
    """Held by a tag, by our hold where there is no tag, or because we decided so and it is not written yet."""
    bound = order.in_order and is_bound(order)
    return is_held(order.tags, scene.settings.exchange.hold_tags) or bound or exchange.hold_decided


def is_ours(scene: Scene, exchange: Exchange) -> bool:
    """Whether we act on Shopify: a person told us to, or the settings say that the app does."""
    return exchange.decided_by not in (None, DEADLINE) or scene.settings.qc.actor == "app"


def read_facts(scene: Scene, case: Case) -> Facts:
    """What the table decides by."""
    exchange, order = case.exchange, case.order
    known = [one for one in case.returns if one.known]
    return Facts(
        cancelled=order.cancelled,
        held=stands_held(scene, exchange, order),
        seen_held=exchange.seen_held,
        # only all of it says something: the first lines of a native exchange's order have shipped before, and what is
        # left of an order of which somebody shipped a piece by hand still waits for QC
        fulfilled=order.fulfillment is Fulfillment.FULL,
        decided=exchange.decided_by not in (None, DEADLINE),
        in_order=order.in_order,
        underway=UNDERWAY.get(exchange.code),
        by_deadline=exchange.decided_by == DEADLINE,
        deadline_lifted=_is_deadline_lifted(scene, exchange),
        refuted=exchange.decided_by == DEADLINE and _is_refuted(case),
        too_late=exchange.code == "changed_too_late" and has_sealed_fate(scene, order.id),
        stuck=_is_stuck(scene, case),
        acted=has_acted(scene, order.id),
        outdated=_is_outdated(scene, case),
        ours=is_ours(scene, exchange),
        plan=case.plan.kind,
        cut_done=not case.cuts,
        return_known=bool(known),
        goods_arrived=any(one.status in ARRIVED for one in known) or bool(known and case.known),
        return_ended=case.complete and all(one.known and one.status in ENDED for one in case.returns),
    )


def _is_deadline_lifted(scene: Scene, exchange: Exchange) -> bool:
    """A deadline decided, by the settings of now it would not decide so, and nothing of it has been sent."""
    qc = scene.settings.qc
    stands = qc.actor == "app" and _BY_DEADLINE.get(exchange.code) == qc.on_deadline
    lifted = exchange.decided_by == DEADLINE and exchange.code in _BY_DEADLINE and not stands
    return lifted and not has_sealed_fate(scene, exchange.order_id)


def _is_outdated(scene: Scene, case: Case) -> bool:
    """Lines were cut that would not be now; or the plan, while carried out, asks for cuts nobody has asked for."""
    if case.plan.kind not in (PlanKind.CUT, PlanKind.RELEASE):
        return False
    asked = case.cuts if case.exchange.code in UNDERWAY else {}
    return is_cut_outdated(scene, case.order.id, case.plan.left, asked)


def _is_refuted(case: Case) -> bool:
    """What is under way without all verdicts has one against it: it was heard too late for the deadline to see it."""
    kind = UNDERWAY.get(case.exchange.code)
    return kind is not None and is_refuted(kind, case.known)


def _is_stuck(scene: Scene, case: Case) -> bool:
    """In review, and nothing has come since that could end it: what it lacked, or a verdict that speaks."""
    exchange = case.exchange
    if exchange.state != State.REVIEW or exchange.code in LACKING:
        return False
    if exchange.code in FOR_PERSON or case.plan.kind is PlanKind.WAIT or has_sealed_fate(scene, case.order.id):
        return True
    return not _has_news(scene.session, case)


def _has_news(session: Session, case: Case) -> bool:
    """A verdict was heard, a return linked, or what is in one told in full, since the exchange came to its state."""
    since = select(Exchange.since).where(Exchange.id == case.exchange.id).scalar_subquery()
    heard = select(VerdictRow.id).where(
        VerdictRow.return_id.in_([one.id for one in case.returns]), VerdictRow.heard_at > since
    )
    linked = select(ExchangeLink.id).where(ExchangeLink.exchange_id == case.exchange.id, ExchangeLink.linked_at > since)
    told = select(Event.id).where(Event.id.in_([one.full_event_id for one in case.returns]), Event.received_at > since)
    return bool(session.scalar(select(or_(heard.exists(), linked.exists(), told.exists()))))
