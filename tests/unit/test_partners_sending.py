"""What partners are sent: the QC report's fields, the headers, the signature."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from core.domain.returns import UnitVerdict, Verdict, VerdictReport
from core.errors import NeedsSettings
from core.settings import PartnerSettings
from rms_bridge.deliveries import QC_RENDERERS
from rms_bridge.partners.signature import make_headers, read_secret, sign

AT = datetime(2026, 11, 22, 12, 0, 0, 900_000, tzinfo=UTC)
# The vector of the Standard Webhooks reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
REPORT = VerdictReport(
    "RET-1",
    "108",
    "WH1",
    (
        UnitVerdict("I-1", "SHIRT-M", Verdict.PASS, "said by mistake", ("https://photo.example/1",)),
        UnitVerdict("I-2", "CAP", Verdict.FAIL, "STAIN_DAMAGE", ("https://photo.example/2",)),
        UnitVerdict("I-3", "BELT", Verdict.FAIL),
    ),
)


def make_partner(**headers: str) -> PartnerSettings:
    """A partner with these headers; `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PartnerSettings(name="p", kind="generic", url="https://partner.example", headers=named)


@pytest.mark.parametrize("kind", ["clickpost", "returns_prime", "shiprocket", "generic"])
def test_every_kind_is_sent_increffs_contract_and_nothing_else(kind: str) -> None:
    assert QC_RENDERERS[kind](REPORT) == {
        "returnOrderCode": "RET-1",
        "forwardOrderCode": "108",
        "locationCode": "WH1",
        "orderItems": [
            {
                "itemCode": "I-1",
                "channelSkuCode": "SHIRT-M",
                "qcStatus": "PASS",
                "qcReason": None,
                "imageUrls": None,
            },
            {
                "itemCode": "I-2",
                "channelSkuCode": "CAP",
                "qcStatus": "FAIL",
                "qcReason": "STAIN_DAMAGE",
                "imageUrls": ["https://photo.example/2"],
            },
            {"itemCode": "I-3", "channelSkuCode": "BELT", "qcStatus": "FAIL", "qcReason": None, "imageUrls": None},
        ],
    }


def test_every_kind_of_the_settings_has_a_renderer() -> None:
    assert set(QC_RENDERERS) == set(PartnerSettings.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


def test_a_location_that_was_not_named_is_left_out() -> None:
    assert "locationCode" not in QC_RENDERERS["generic"](VerdictReport("RET-1", "108", None, REPORT.verdicts))


def test_the_signature_is_that_of_standard_webhooks() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    assert sign(read_secret(SECRET, "p"), SIGNED["webhook-id"], at, b'{"test": 2432232314}') == SIGNED


def test_the_secret_signs_and_is_not_sent() -> None:
    sent = make_headers(make_partner(x_rp_token="t", Webhook_Secret=SECRET, webhook_key="k"), "key", AT, b"{}")
    assert sent == {
        "x-rp-token": "t",
        "Content-Type": "application/json",
        "Idempotency-Key": "key",
        **sign(read_secret(SECRET, "p"), "key", AT, b"{}"),
    }
    assert sent["webhook-timestamp"] == str(int(AT.timestamp()))


def test_without_a_secret_nothing_is_signed() -> None:
    assert set(make_headers(make_partner(), "key", AT, b"{}")) == {"Content-Type", "Idempotency-Key"}


def test_a_partners_headers_cannot_replace_ours_nor_the_connections() -> None:
    partner = make_partner(idempotency_key="theirs", host="elsewhere", Content_Length="0", webhook_id="theirs")
    sent = make_headers(partner, "key", AT, b"{}")
    assert sent == {"webhook-id": "theirs", "Content-Type": "application/json", "Idempotency-Key": "key"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!!!",
        "whsec_ä",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_a_secret_that_is_none_waits_for_the_settings(text: str) -> None:
    with pytest.raises(NeedsSettings, match="webhook-secret must be whsec_"):
        read_secret(text, "p")
