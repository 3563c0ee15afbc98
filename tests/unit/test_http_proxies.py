"""The client's address and scheme, by X-Forwarded-For and X-Forwarded-Proto of trusted proxies."""

from collections.abc import Sequence

import pytest

from chatcore_http import Proxies

TRUSTED = Proxies.parse("10.0.0.0/8, 127.0.0.1,2001:db8:1::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["192.0.2.66,198.51.100.1 , 10.9.9.9,127.0.0.1"], "198.51.100.1"),
        ("10.1.2.3", ["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
        ("10.1.2.3", ["198.51.100.1:50000"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:db8:2::1]:50000"], "2001:db8:2::1"),
        ("10.1.2.3", ["2001:db8:2::1"], "2001:db8:2::1"),
        ("2001:db8:1::5", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, "], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, 10.7.7.7, \x00"], "10.1.2.3"),
        ("10.1.2.3", ["127.0.0.1.evil.example"], "10.1.2.3"),
        (None, ["198.51.100.1"], None),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_client_is_the_last_hop_that_is_not_a_trusted_proxy(
    peer: str | None, forwarded: Sequence[str], client: str | None
) -> None:
    assert TRUSTED.client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "schemes", "scheme"),
    [
        ("203.0.113.9", ["198.51.100.1"], ["https"], None),
        ("203.0.113.9", ["10.1.2.3"], ["https"], None),
        (None, [], ["https"], None),
        ("10.1.2.3", ["198.51.100.1"], [], None),
        ("10.1.2.3", ["198.51.100.1"], [""], ""),
        ("10.1.2.3", ["198.51.100.1"], ["https"], "https"),
        ("10.1.2.3", ["198.51.100.1"], ["http"], "http"),
        ("10.1.2.3", ["198.51.100.1"], [" HTTPS "], "https"),
        ("10.1.2.3", [], ["https"], "https"),
        ("10.1.2.3", ["unknown"], ["https"], "https"),
        ("::ffff:10.1.2.3", ["198.51.100.1"], ["https"], "https"),
        # The client wrote the first value itself.
        ("10.1.2.3", ["192.0.2.66, 198.51.100.1"], ["https, http"], "http"),
        ("10.1.2.3", ["198.51.100.1"], ["https", "http"], "http"),
        ("10.1.2.3", [], ["https, http"], "http"),
        # A second proxy, 10.4.4.4, has appended to the values, passed one on, or replaced them.
        ("10.1.2.3", ["198.51.100.1, 10.4.4.4"], ["https, http"], "https"),
        ("10.1.2.3", ["198.51.100.1", "10.4.4.4"], ["https", "http"], "https"),
        ("10.1.2.3", ["192.0.2.66, 198.51.100.1, 10.4.4.4"], ["https, http, http"], "http"),
        ("10.1.2.3", ["198.51.100.1, 10.4.4.4"], ["https"], "https"),
        ("10.1.2.3", ["198.51.100.1, 10.5.5.5, 10.4.4.4"], ["https, http"], "https"),
    ],
)
def test_scheme_is_the_one_that_the_first_trusted_proxy_names(
    peer: str | None, forwarded: Sequence[str], schemes: Sequence[str], scheme: str | None
) -> None:
    assert TRUSTED.scheme(peer, forwarded, schemes) == scheme


def test_scheme_counts_from_no_proxy_unless_named() -> None:
    assert Proxies().scheme("127.0.0.1", ["198.51.100.1"], ["https"]) is None


def test_proxy_is_not_trusted_unless_named() -> None:
    assert Proxies().client("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"
    assert not Proxies().trusts("127.0.0.1")


@pytest.mark.parametrize(
    "text", ["", " ", ",", "10.0.0.1,", "10.0.0.1/8", "proxy.example", "*", "10.0.0.0/33", "::/129"]
)
def test_invalid_list_of_proxies_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must hold addresses or networks"):
        Proxies.parse(text)
