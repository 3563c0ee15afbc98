"""The setting of allowed origins."""

import pytest

from chatcore_http.origins import Origins, normalised

ORIGINS = {
    "https://chat.example": "https://chat.example",
    "HTTPS://Chat.Example": "https://chat.example",
    "https://chat.example:443": "https://chat.example",
    "http://chat.example:80": "http://chat.example",
    "http://chat.example:443": "http://chat.example:443",
    "https://chat.example:8443": "https://chat.example:8443",
    "http://localhost:3001": "http://localhost:3001",
    "http://[::1]:3001": "http://[::1]:3001",
    "http://127.0.0.1": "http://127.0.0.1",
    "https://xn--mnchen-3ya.example": "https://xn--mnchen-3ya.example",
    "capacitor://localhost": "capacitor://localhost",
    "chrome-extension://abcdefghijklmnop": "chrome-extension://abcdefghijklmnop",
}
NONE = [
    "",
    "null",
    "chat.example",
    "//chat.example",
    "https://",
    "https:///",
    "https://chat.example/",
    "https://chat.example/path",
    "https://chat.example?x",
    "https://user@chat.example",
    "https://chat.example:port",
    "https://chat.example:123456",
    "https://*.example",
    "https://münchen.example",
    "https://chat.example https://other.example",
    "https://chat.example\r\nSet-Cookie: a=b",
    "https://chat.example\0",
    "https://" + "a" * 300,
    "1https://chat.example",
]


@pytest.mark.parametrize(("text", "origin"), ORIGINS.items())
def test_origin_has_one_normalised_form(text: str, origin: str) -> None:
    assert normalised(text) == normalised(origin) == origin


@pytest.mark.parametrize("text", NONE)
def test_invalid_origin_is_refused(text: str) -> None:
    assert normalised(text) is None


def test_setting_lists_origins_separated_by_commas() -> None:
    assert Origins.parse("https://a.example, http://b.example:80").allowed == {"https://a.example", "http://b.example"}


def test_unset_origins_admit_no_other_origin() -> None:
    assert not Origins.parse(None).allowed


@pytest.mark.parametrize(
    "setting", ["", " ", ",", "https://a.example,", "*", "https://a.example,*", "https://*.x", *NONE]
)
def test_setting_that_is_empty_or_has_an_invalid_origin_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^(is empty|must name|must hold)"):
        Origins.parse(setting)
