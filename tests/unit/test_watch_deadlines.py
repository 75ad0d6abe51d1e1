"""Laws of deadlines: which is missed, and what is done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.domain.exchange import SETTLED, State
from core.domain.returns import CountsAs
from core.flows.deadlines import Deadline, Wait, choose_step, find_missed
from core.settings import QcSettings

NOW = datetime(2026, 11, 22, tzinfo=UTC)
spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000))
policies = st.builds(
    QcSettings,
    actor=st.sampled_from(["app", "partner", "none"]),
    on_deadline=st.sampled_from(["review", "release", "cancel"]),
    verdict_deadline_days=st.floats(0.01, 365),
    max_hold_days=st.floats(0.01, 3650),
)
known_sets = st.sets(st.sampled_from(CountsAs))


@st.composite
def waits(draw: Any) -> Wait:
    since, more = draw(spans), draw(spans)
    state = draw(st.sampled_from(State))
    return Wait(state, NOW - since, NOW - since - more, draw(st.booleans()), draw(st.booleans()))


@given(waits(), policies)
def test_a_settled_exchange_has_no_deadline(wait: Wait, qc: QcSettings) -> None:
    if wait.state in SETTLED:
        assert find_missed(wait, qc, NOW) is None


@given(waits(), policies, spans)
def test_what_is_late_stays_late(wait: Wait, qc: QcSettings, later: timedelta) -> None:
    if find_missed(wait, qc, NOW) is not None:
        assert find_missed(wait, qc, NOW + later) is not None


@given(waits(), policies)
def test_a_hold_is_raised_once_and_a_decision_is_not_the_partners_fault(wait: Wait, qc: QcSettings) -> None:
    missed = find_missed(wait, qc, NOW)
    assert not (missed is Deadline.HOLD and wait.told)
    assert not (missed is Deadline.PARTNER and (wait.decided or qc.actor != "partner"))


@given(st.sampled_from(Deadline), policies, known_sets, st.booleans(), st.booleans())
def test_a_deadline_acts_only_where_it_may(
    missed: Deadline, qc: QcSettings, known: set[CountsAs], here: bool, in_order: bool
) -> None:
    step = choose_step(missed, qc, known, here=here, in_order=in_order, before="x")
    assert step.to in (State.REVIEW, State.RELEASING, State.CANCELLING)
    assert len(step.code) <= 32
    if step.to is State.REVIEW:
        return
    assert missed is Deadline.VERDICT
    assert here
    assert qc.actor == "app"
    assert (step.to, qc.on_deadline) in ((State.RELEASING, "release"), (State.CANCELLING, "cancel"))
    assert not (step.to is State.RELEASING and CountsAs.FAIL in known)
    assert not (step.to is State.CANCELLING and (CountsAs.PASS in known or in_order))
    assert CountsAs.REVIEW not in known


def test_the_settings_choose_between_the_three() -> None:
    ends = {}
    for choice in ("review", "release", "cancel"):
        qc = QcSettings(on_deadline=choice)  # type: ignore[arg-type] # the three words
        ends[choice] = choose_step(Deadline.VERDICT, qc, (), here=True, in_order=False, before="").to
    assert ends == {"review": State.REVIEW, "release": State.RELEASING, "cancel": State.CANCELLING}


def test_the_first_order_is_never_cancelled_whole() -> None:
    step = choose_step(Deadline.VERDICT, QcSettings(on_deadline="cancel"), (), here=True, in_order=True, before="")
    assert (step.to, step.code) == (State.REVIEW, "in_order_exchange")
