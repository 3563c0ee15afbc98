"""The cookies of a request, and the field that sets one."""

import re
from collections.abc import Mapping
from datetime import timedelta
from http.cookies import SimpleCookie

from attrs import field, frozen

from .requests import Request

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token (RFC 9110, section 5.6.2), as the name of a cookie is one."""
_VALUE = re.compile(r"[\x20-\x7e\x80-\U0010ffff]*")
"""No control characters. Browsers also send what RFC 6265 does not allow, such as spaces and commas."""
_PLAIN = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""The characters of a value that needs no quotes (RFC 6265, section 4.1.1)."""
_CODEC = SimpleCookie()


@frozen
class Cookies:
    """The cookies of a request, by name.

    Attributes:
        values: the cookies that have one value. A page of a neighbouring domain may set a second cookie of the same
            name; which one the browser sends first says nothing, so neither counts.
        fault: what is wrong with others, and what to do; None if there are none.
    """

    values: Mapping[str, str] = field(factory=dict, repr=False)
    fault: str | None = None


def parse_cookies(request: Request) -> Cookies:
    """Return the cookies in the fields ``Cookie`` of a request (RFC 6265, section 5.4)."""
    if "Cookie" not in request.headers:
        return Cookies()
    values: dict[str, str] = {}
    ambiguous: set[str] = set()
    fault = None
    for pair in ";".join(request.headers.getall("Cookie")).split(";"):
        name, equals, coded = (part.strip(" \t") for part in pair.partition("="))
        if not name and not equals:
            continue
        if not (equals and _NAME.fullmatch(name) and _VALUE.fullmatch(coded)):
            fault = "The request has a malformed cookie; clear the cookies of this site and sign in again."
            continue
        value, _ = _CODEC.value_decode(coded)
        if values.setdefault(name, value) != value:
            ambiguous.add(name)
    for name in ambiguous:
        del values[name]
    if ambiguous:
        fault = "The request has two cookies of one name; clear the cookies of this site and sign in again."
    return Cookies(values, fault)


def set_cookie(name: str, value: str, *, path: str, lifetime: timedelta, is_secure: bool) -> str:
    """Return the value of a field ``Set-Cookie`` (RFC 6265, section 4.1).

    No script reads the cookie, and browsers send it with requests of pages of the same site only.

    Args:
        name: the name of the cookie.
        value: the value; browsers forget the cookie if ``lifetime`` is zero.
        path: browsers send the cookie to this path and those below it.
        lifetime: how long browsers keep the cookie.
        is_secure: whether browsers send the cookie by TLS only.

    Raises:
        ValueError: the value cannot be in a cookie.
    """
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"the value of the cookie {name} has characters that a cookie cannot have")
    max_age = lifetime // timedelta(seconds=1)
    secure = "; Secure" if is_secure else ""
    return f"{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"
