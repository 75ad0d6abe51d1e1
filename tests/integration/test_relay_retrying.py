"""A person's retry: what of an earlier attempt it keeps, and what it says of a doubt."""

from __future__ import annotations

import pytest

from core.domain.effects import PARTNER_REPORT_QC, SHOPIFY_CANCEL_ORDER, EffectKind
from core.errors import Ambiguous, Permanent
from core.flows.interventions import retry_effect
from core.registry import Absent
from tests.integration.relay_stage import RelayStage
from tests.integration.test_relay_wanting import raise_
from tests.one_by_one import deliver


def retry(relay: RelayStage, effect: int | None) -> None:
    with relay.runtime.database.write() as session:
        retry_effect(session, relay.shop_id, effect or 0, "Asha")


def lose(relay: RelayStage, effect: int | None) -> None:
    """Sent, no answer, and looked for after its time: it is not there."""
    deliver(relay.runtime)
    assert relay.effect(effect).unclear_since
    relay.make_due(effect)
    deliver(relay.runtime)


@pytest.mark.parametrize(
    ("kind", "rendered"), [(SHOPIFY_CANCEL_ORDER, ["old", "new"]), (PARTNER_REPORT_QC, ["old", "old"])]
)
def test_what_was_refused_is_rendered_anew_for_the_person_who_retries_it(
    relay: RelayStage, kind: EffectKind, rendered: list[str]
) -> None:
    """A message stays as it is: what it rests on may have been purged, and its key stands for these words."""
    relay.far.on_render = lambda job: "old"
    relay.far.on_send = lambda job: raise_(Permanent("no"))
    effect = relay.want(kind=kind)
    deliver(relay.runtime)
    relay.far.on_render = lambda job: "new"
    retry(relay, effect)
    deliver(relay.runtime)
    assert relay.far.requests == rendered


def test_what_is_parked_in_doubt_is_looked_for_as_it_was_sent(relay: RelayStage) -> None:
    relay.far.on_render = lambda job: "old"
    relay.far.on_send = lambda job: raise_(Ambiguous("no answer"))
    relay.far.on_look = lambda job: raise_(Permanent("nobody can tell"))
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    lose(relay, effect)
    frozen = relay.effect(effect).request
    retry(relay, effect)
    assert frozen is not None
    assert relay.effect(effect).request == frozen


def test_a_retry_while_it_is_waiting_gives_no_third_send(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Ambiguous("no answer"))
    relay.far.on_look = lambda job: Absent()
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    lose(relay, effect)
    deliver(relay.runtime)
    retry(relay, effect)
    relay.make_due(effect)
    deliver(relay.runtime)
    assert (relay.effect(effect).state, len(relay.far.sent)) == ("parked", 2)
    retry(relay, effect)
    deliver(relay.runtime)
    deliver(relay.runtime)
    assert (relay.effect(effect).state, len(relay.far.sent)) == ("pending", 3)


def test_that_a_person_has_checked_is_said_of_one_doubt_only(relay: RelayStage) -> None:
    relay.far.on_send = lambda job: raise_(Permanent("no"))
    relay.far.on_look = lambda job: Absent() if job.progress.get("checked") else raise_(Permanent("check there"))
    effect = relay.want(kind=SHOPIFY_CANCEL_ORDER)
    deliver(relay.runtime)
    retry(relay, effect)  # it was refused: there was nothing to check
    relay.far.on_send = lambda job: raise_(Ambiguous("no answer"))
    for sent in (2, 3):
        lose(relay, effect)
        assert (relay.effect(effect).state, len(relay.far.sent)) == ("parked", sent)
        retry(relay, effect)
        deliver(relay.runtime)
        assert relay.effect(effect).progress == {"resent": True}
