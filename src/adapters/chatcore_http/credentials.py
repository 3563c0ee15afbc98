"""The credentials in a request, and the user that they belong to."""

from collections.abc import Sequence

from chatcore.chat import Chat
from chatcore.errors import Invalid, Unauthenticated
from chatcore.ports.authenticator import Authenticator, Credentials, Principal

from .bodies import is_json
from .cookies import parse_cookies
from .requests import Request

UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")


def credentials(request: Request, token: str | None = None) -> Credentials:
    """Return the credentials of a request.

    Args:
        request: its headers, cookies and address are part of the credentials; a token in its URL is not.
        token: a token from elsewhere; None for the token in ``Authorization`` (RFC 6750, section 2.1).

    Raises:
        Unauthenticated: the request has several ``Authorization`` headers and no token from elsewhere.
    """
    return Credentials(
        token=token or _bearer(request),
        headers={name: _joined(name, values) for name, values in request.headers.items()},
        cookies=parse_cookies(request).values,
        remote=request.remote,
    )


async def authenticated(chat: Chat, authenticate: Authenticator, request: Request) -> Principal:
    """Return the user who sends a request of the HTTP API.

    Raises:
        Invalid: a page of another site may have sent the request, with a cookie that the browser added.
        Unauthenticated: the credentials are not valid.
        ChatError: what `Chat.authenticated` raises.
    """
    shown = credentials(request)
    try:
        principal = await chat.authenticated(authenticate, shown)
    except Unauthenticated:
        if fault := parse_cookies(request).fault:
            raise Unauthenticated(fault) from None
        raise
    if shown.token is None and _may_be_forged(request):
        raise Invalid(f"Without a bearer token and Origin, {request.method} needs Content-Type: application/json.")
    return principal


def _may_be_forged(request: Request) -> bool:
    """Return whether a page of another site could send the request without asking first (a "simple" request of CORS).

    Browsers send Origin with every request of a page that may change something. Some proxies remove it.
    """
    return request.method in UNSAFE_METHODS and "Origin" not in request.headers and not is_json(request)


def _joined(name: str, values: Sequence[str]) -> str:
    """Return a header as one value: cookies joined (RFC 9113, section 8.2.3), of others the last value."""
    return "; ".join(values) if name == "cookie" else values[-1]


def _bearer(request: Request) -> str | None:
    headers = request.headers.getall("Authorization")
    if len(headers) > 1:
        raise Unauthenticated("The request has several Authorization headers; send one.")
    scheme, _, token = headers[0].partition(" ") if headers else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None
