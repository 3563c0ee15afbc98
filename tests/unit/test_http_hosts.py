"""The setting of allowed hosts, and the hosts that are allowed without it."""

import pytest

from chatcore_http.hosts import Hosts, normalised

HOSTS = {
    "chat.example": "chat.example",
    "CHAT.Example": "chat.example",
    "chat.example.": "chat.example",
    "chat.example:3001": "chat.example",
    "chat.example.:3001": "chat.example",
    "chat.example:": "chat.example",
    "localhost": "localhost",
    "127.0.0.1:80": "127.0.0.1",
    "[::1]": "[::1]",
    "[::1]:3001": "[::1]",
    "[0:0:0:0:0:0:0:1]": "[::1]",
    "[2001:DB8::1]": "[2001:db8::1]",
    "xn--mnchen-3ya.example": "xn--mnchen-3ya.example",
    "my_host": "my_host",
}
NONE = [
    "",
    ".",
    ":3001",
    "::1",
    "[::1",
    "[::x]",
    "[::1%eth0]",
    "a b",
    "a/b",
    "a@b",
    "münchen.example",
    "a:b",
    "a\n",
    "x" * 301,
]
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


@pytest.mark.parametrize(("text", "host"), HOSTS.items())
def test_host_has_one_normalised_form(text: str, host: str) -> None:
    assert normalised(text) == normalised(host) == host


@pytest.mark.parametrize("text", NONE)
def test_invalid_host_is_refused(text: str) -> None:
    assert normalised(text) is None


def test_setting_lists_hosts_separated_by_commas() -> None:
    assert Hosts.parse("Chat.example., [::1],10.0.0.1").allowed == {"chat.example", "[::1]", "10.0.0.1"}


def test_star_as_setting_admits_any_host() -> None:
    assert Hosts.parse("*").allowed is None


@pytest.mark.parametrize(
    "setting",
    [*(text for text in NONE if text != "a\n"), "a.example,", "*,a", "*.a", "a:1", "[::1]:1", "http://a", "a/", "a b"],
)
def test_setting_with_an_invalid_host_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^(is empty|must be|must hold)"):
        Hosts.parse(setting)


@pytest.mark.parametrize(
    ("listening", "named", "allowed"),
    [
        (["127.0.0.1"], ["127.0.0.1"], LOOPBACK),
        (["::1"], ["::1"], LOOPBACK),
        (["127.0.0.1", "::1"], ["localhost"], LOOPBACK),
        (["127.0.1.1"], ["my-machine"], LOOPBACK | {"127.0.1.1", "my-machine"}),
        (["127.0.0.1"], ["127.0.0.1", "chat.example:8443", "localhost:5173"], LOOPBACK | {"chat.example"}),
        (["0.0.0.0"], ["0.0.0.0"], None),
        (["::"], ["::"], None),
        (["192.0.2.1"], ["192.0.2.1"], None),
        (["127.0.0.1", "192.0.2.1"], ["my-machine"], None),
        (["fe80::1%eth0"], ["fe80::1%eth0"], None),
    ],
)
def test_unset_hosts_admit_the_names_of_loopback_or_any_host(
    listening: list[str], named: list[str], allowed: set[str] | None
) -> None:
    assert Hosts.default(listening, named).allowed == allowed
