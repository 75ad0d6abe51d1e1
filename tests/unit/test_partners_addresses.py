"""Which callback addresses Shiprocket refuses."""

from __future__ import annotations

import pytest

from rms_bridge.partners.shiprocket import check_callback_url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://bridge.example/hooks/st/abc", []),
        ("https://bridge.example/hooks/shiprocket/abc", ["the path contains 'shiprocket'"]),
        ("https://bridge.example/kartrocket", ["the path contains 'kartrocket'"]),
        ("https://bridge.example/srv/hooks/st/abc", ["the path contains 'sr'"]),
        ("https://srv7.example/hooks/st/abc", ["the host contains 'sr'"]),
        ("https://BOOKRACK.example/hooks/st/abc", ["the host contains 'kr'"]),
        ("https://bridge.example/hooks/st/abc?x=SR", ["the query contains 'sr'"]),
        ("ftp://bridge.example/hooks/st/abc", ["the address must be http(s) and name a host"]),
        ("https:///hooks", ["the address must be http(s) and name a host"]),
        ("https://[", ["the address cannot be read"]),
    ],
)
def test_what_shiprocket_refuses_in_an_address_is_named(url: str, words: list[str]) -> None:
    assert check_callback_url(url) == words


def test_every_fault_of_an_address_is_named_at_once() -> None:
    assert len(check_callback_url("ftp://shiprocket.srv.example/kr")) == 4
