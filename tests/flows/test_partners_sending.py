"""QC reports and pushes on their way to returns partners: bodies, headers, signatures, and far sides that misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from core.flows.interventions import drop_effect, retry_effect
from core.models import Effect
from tests.flows.stage import Stage

RETURN, FORWARD = "RET-1", "108"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes 123").decode()
ITEMS = [{"itemCode": "I-1", "sku": "SHIRT-M"}, {"itemCode": "I-2", "sku": "CAP"}]
VERDICTS = [
    {"itemCode": "I-1", "sku": "SHIRT-M", "status": "PASS"},
    {
        "itemCode": "I-2",
        "sku": "CAP",
        "status": "FAIL",
        "reason": "STAIN_DAMAGE",
        "imageUrls": ["https://photo.example/2"],
    },
]
REPORT = {
    "returnOrderCode": RETURN,
    "forwardOrderCode": FORWARD,
    "locationCode": "Wid234",
    "orderItems": [
        {"itemCode": "I-1", "channelSkuCode": "SHIRT-M", "qcStatus": "PASS", "qcReason": None, "imageUrls": None},
        {
            "itemCode": "I-2",
            "channelSkuCode": "CAP",
            "qcStatus": "FAIL",
            "qcReason": "STAIN_DAMAGE",
            "imageUrls": ["https://photo.example/2"],
        },
    ],
}


def make_partner(stage: Stage, name: str, events: list[str], kind: str | None = None, **headers: str) -> dict[str, Any]:
    """A partner's settings; its address is its name."""
    url = f"{stage.sandbox.partner_url}/{name}"
    return {"name": name, "kind": kind or name, "url": url, "headers": headers, "events": events}


def configure(stage: Stage, *partners: dict[str, Any]) -> None:
    """Save these partners; saving also wakes what waits."""
    stage.configure({"qc": {"actor": "none"}, "partners": list(partners)})


def judge(stage: Stage, **overrides: Any) -> None:
    """RMS reports QC."""
    assert stage.sandbox.rms.send_verdict(RETURN, FORWARD, VERDICTS, **overrides)[0] == 200


def received(stage: Stage, name: str) -> list[dict[str, Any]]:
    """What one partner got."""
    return [one for one in stage.sandbox.partner.received if one["path"] == f"/{name}"]


def find_reports(stage: Stage) -> list[Effect]:
    """The QC reports wanted."""
    return stage.effects("partner.report_qc")


def misbehave(stage: Stage, name: str, **fault: Any) -> None:
    """Let one partner fail."""
    stage.sandbox.partner.faults.add({"match": f"/{name}", **fault})


def check_signature(entry: dict[str, Any], raw: bytes) -> None:
    """As a receiver would by the Standard Webhooks specification."""
    headers = entry["headers"]
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + raw
    digest = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["Webhook-Signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(int(headers["Webhook-Timestamp"]) - time.time()) < 60
    assert headers["Webhook-Id"] == headers["Idempotency-Key"]


@pytest.mark.parametrize("kind", ["clickpost", "returns_prime", "shiprocket", "generic"])
def test_a_qc_report_is_increffs_contract_to_every_kind(stage: Stage, kind: str) -> None:
    configure(
        stage, make_partner(stage, kind, ["qc"], None, **{"x-rp-token": "partner-secret", "webhook-secret": SECRET})
    )
    judge(stage, somethingElse={"customer": "Asha"})
    stage.settle()
    (entry,) = received(stage, kind)
    assert entry["body"] == REPORT
    assert entry["headers"]["X-Rp-Token"] == "partner-secret"
    assert entry["headers"]["Content-Type"] == "application/json"
    assert entry["headers"]["Idempotency-Key"] == find_reports(stage)[0].key
    assert SECRET not in json.dumps(entry)
    check_signature(entry, json.dumps(REPORT).encode())


def test_two_partners_have_each_their_own_key(stage: Stage) -> None:
    configure(stage, make_partner(stage, "clickpost", ["qc"]), make_partner(stage, "returns_prime", ["qc"]))
    judge(stage)
    stage.settle()
    keys = [received(stage, name)[0]["headers"]["Idempotency-Key"] for name in ("clickpost", "returns_prime")]
    assert len(set(keys)) == 2
    assert all("Webhook-Signature" not in one["headers"] for one in stage.sandbox.partner.received)


@pytest.mark.parametrize("fault", [{"kind": "lose_answer"}, {"kind": "drop"}, {"kind": "status", "status": 500}])
def test_one_key_across_a_failed_send(stage: Stage, fault: dict[str, Any]) -> None:
    partner = make_partner(stage, "clickpost", ["qc"], None, **{"webhook-secret": SECRET})
    configure(stage, partner)
    misbehave(stage, "clickpost", times=1, **fault)
    judge(stage)
    stage.wait_for(lambda: [(one.state, one.attempts) for one in find_reports(stage)] == [("pending", 1)])
    configure(stage, partner)
    stage.settle()
    entries = received(stage, "clickpost")
    assert len(entries) == (2 if fault["kind"] == "lose_answer" else 1)
    assert {one["headers"]["Idempotency-Key"] for one in entries} == {find_reports(stage)[0].key}
    assert all(one["body"] == REPORT for one in entries)
    for entry in entries:
        check_signature(entry, json.dumps(REPORT).encode())
    assert [one.state for one in find_reports(stage)] == ["done"]


def test_an_address_that_is_gone_is_parked_with_words(stage: Stage) -> None:
    configure(stage, make_partner(stage, "clickpost", ["qc"]))
    misbehave(stage, "clickpost", kind="status", status=410, body="this hook was deleted")
    judge(stage)
    stage.settle()
    (effect,) = find_reports(stage)
    assert (effect.state, effect.attempts) == ("parked", 0)
    assert "this hook was deleted" in str(effect.reason)
    assert "switched this address off" in str(effect.reason)


@pytest.mark.parametrize("act", ["dropped", "put back"])
def test_a_report_in_doubt_whose_partner_is_no_longer_there_is_a_task(stage: Stage, act: str) -> None:
    partner = make_partner(stage, "clickpost", ["qc"])
    configure(stage, partner)
    misbehave(stage, "clickpost", kind="drop", times=1)
    judge(stage)
    stage.wait_for(lambda: any(one.unclear_since for one in find_reports(stage)))
    configure(stage)
    stage.settle()
    (effect,) = find_reports(stage)
    words = "partner clickpost is no longer in the settings: put it back and retry, or drop this"
    assert (effect.state, effect.reason) == ("parked", words)
    if act == "put back":
        configure(stage, partner)
    with stage.runtime.database.write() as session:
        (drop_effect if act == "dropped" else retry_effect)(session, stage.shop_id, effect.id, "Asha")
    stage.settle()
    assert [one.state for one in find_reports(stage)] == ["dropped" if act == "dropped" else "done"]
    assert [one["headers"]["Idempotency-Key"] for one in received(stage, "clickpost")] == (
        [] if act == "dropped" else [effect.key]
    )


def test_a_secret_that_is_none_waits_for_the_settings_and_sends_nothing(stage: Stage) -> None:
    configure(stage, make_partner(stage, "clickpost", ["qc"], None, **{"webhook-secret": "plain"}))
    judge(stage)
    stage.wait_for(lambda: [one.reason is not None for one in find_reports(stage)] == [True])
    assert "webhook-secret must be whsec_" in str(find_reports(stage)[0].reason)
    assert received(stage, "clickpost") == []
    configure(stage, make_partner(stage, "clickpost", ["qc"], None, **{"webhook-secret": SECRET}))
    stage.settle()
    assert len(received(stage, "clickpost")) == 1


def test_a_refusal_that_repeats_people_and_secrets_is_kept_without_them(stage: Stage) -> None:
    configure(stage, make_partner(stage, "generic", ["return"], None, **{"x-token": "partner-secret"}))
    echoed = "no such area: Asha Rao, 12 Lake Road, 9999999999, token partner-secret"
    misbehave(stage, "generic", kind="status", status=422, body=echoed)
    assert stage.sandbox.rms.push_return(RETURN, FORWARD, ITEMS)[0] == 200
    stage.settle()
    (effect,) = stage.effects("partner.forward_return")
    assert effect.state == "parked"
    assert "422: no such area: ***, ***, ***, token ***" in str(effect.reason)


def test_each_push_goes_as_it_came_to_those_who_asked_for_it(stage: Stage) -> None:
    configure(
        stage,
        make_partner(stage, "returns", ["return"], "generic", **{"webhook-secret": SECRET}),
        make_partner(stage, "moves", ["tracking"], "shiprocket"),
        make_partner(stage, "verdicts", ["qc"], "generic"),
        make_partner(stage, "nothing", [], "generic"),
    )
    assert stage.sandbox.rms.push_return(RETURN, FORWARD, ITEMS, unheardOf={"näme": "ü"})[0] == 200
    stage.settle()
    assert stage.sandbox.rms.notify(RETURN, FORWARD, "RETURN_PICKED_UP", ITEMS)[0] == 200
    stage.settle()
    pushed = [call["body"] for call in stage.sandbox.rms.calls]
    assert [one["body"] for one in received(stage, "returns")] == pushed[:1]
    assert [one["body"] for one in received(stage, "moves")] == pushed[1:]
    assert received(stage, "verdicts") == received(stage, "nothing") == []
    assert all(one["headers"]["Idempotency-Key"] for one in stage.sandbox.partner.received)
    judge(stage)
    stage.settle()
    assert [one["body"] for one in received(stage, "verdicts")] == [REPORT]
    assert len(received(stage, "returns")) == len(received(stage, "moves")) == 1


def test_a_signed_push_can_be_verified_byte_by_byte(stage: Stage) -> None:
    configure(stage, make_partner(stage, "returns", ["return"], "generic", **{"webhook-secret": SECRET}))
    item = '{"itemCode":"I","reason":"r","channelSkuCode":"S"}'
    raw = '\ufeff{ "returnOrderCode" : "RET-9","forwardOrderCode":"108", "locationCode":"Wid234", "ü": 1.50,'
    raw += f'"awbNumber":"A9","transporter":"T","orderItems":[{item}]}}'
    credential = {"authUsername": stage.credential.username, "authPassword": stage.credential.password}
    headers = {**credential, "Content-Type": "application/json"}
    sent = stage.sandbox.rms.send_raw("POST", "/rms/return-orders", raw.encode(), headers)
    assert sent[0] == 200, sent
    stage.settle()
    (entry,) = received(stage, "returns")
    check_signature(entry, raw.removeprefix("\ufeff").encode())


def test_what_a_partner_tells_us_is_forwarded_to_nobody(stage: Stage) -> None:
    from tests.flows.test_partners_hooks import load, tell

    assert stage.sandbox.rms.push_return(RETURN, FORWARD, ITEMS, awbNumber="RVP700100")[0] == 200
    stage.settle()
    configure(stage, make_partner(stage, "moves", ["return", "tracking"], "generic"))
    assert tell(stage, "clickpost", load("clickpost__return_picked_up")).outcome == "handled"
    assert received(stage, "moves") == []
