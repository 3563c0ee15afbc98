"""Which cookies of a request count, and how a response sets one."""

from datetime import timedelta

import pytest

from chatcore_http import Headers, Request
from chatcore_http.cookies import Cookies, parse_cookies, set_cookie

TWO = "The request has two cookies of one name; clear the cookies of this site and sign in again."
MALFORMED = "The request has a malformed cookie; clear the cookies of this site and sign in again."


def parsed(*fields: str) -> Cookies:
    headers = Headers([("cookie", field) for field in fields])
    return parse_cookies(Request(method="GET", path="/", headers=headers))


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ([], {}),
        ([""], {}),
        (["a=1"], {"a": "1"}),
        (["a=1; b=2;c=3 ;"], {"a": "1", "b": "2", "c": "3"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),  # HTTP/2 may split the field
        (["a=1; a=1"], {"a": "1"}),
        (["a="], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (['a="b c"'], {"a": "b c"}),
        ([r'a="b\073c"'], {"a": "b;c"}),
        (["a=1; A=2"], {"a": "1", "A": "2"}),
        (["$Version=1; path=/; a=1"], {"$Version": "1", "path": "/", "a": "1"}),
        (["__Host-session=x"], {"__Host-session": "x"}),
    ],
)
def test_cookie_with_one_value_counts(fields: list[str], values: dict[str, str]) -> None:
    assert parsed(*fields) == Cookies(values)


@pytest.mark.parametrize("fields", [["a=1; b=2; a=3"], ["a=1; b=2", "a=3"], ["a=; b=2; a=1"], ["a=1; a=2; a=1; b=2"]])
def test_cookie_with_two_values_does_not_count_and_others_do(fields: list[str]) -> None:
    assert parsed(*fields) == Cookies({"b": "2"}, TWO)


@pytest.mark.parametrize("pair", ["a", "=1", "a b=1", "a\x7f=1", "a=\x00", "a=1\n", "a=\x7f", "ä=1", "="])
def test_malformed_cookie_does_not_count_and_others_do(pair: str) -> None:
    assert parsed(f"x=1;{pair}; y=2") == Cookies({"x": "1", "y": "2"}, MALFORMED)


def test_value_of_a_cookie_is_in_no_text() -> None:
    assert "secret" not in repr(parsed("a=secret")) + str(parsed("a=secret; a=secret2").fault)


def test_set_cookie_has_its_attributes_in_one_order() -> None:
    lifetime = timedelta(minutes=1, milliseconds=999)
    plain = "n=v-_.~=; Path=/a; Max-Age=60; HttpOnly; SameSite=Strict"
    assert set_cookie("n", "v-_.~=", path="/a", lifetime=lifetime, is_secure=False) == plain
    assert set_cookie("n", "v-_.~=", path="/a", lifetime=lifetime, is_secure=True) == f"{plain}; Secure"


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"', "a,b", "a\\", "a\r\nX: y", "a\n", "ä", "\x7f", "\x00"])
def test_value_that_needs_quotes_is_no_value_of_a_cookie(value: str) -> None:
    with pytest.raises(ValueError, match="the cookie n has characters") as refused:
        set_cookie("n", value, path="/", lifetime=timedelta(), is_secure=False)
    assert value not in str(refused.value)
