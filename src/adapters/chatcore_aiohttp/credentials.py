"""The credentials in a request, and the user that they belong to."""

from aiohttp import hdrs, web

from chatcore.errors import Unauthenticated
from chatcore.ports.authenticator import Authenticator, Credentials, Principal


def credentials(request: web.BaseRequest, token: str | None = None) -> Credentials:
    """Return the credentials of a request.

    Args:
        request: its headers, cookies and address are part of the credentials; a token in its URL is not.
        token: a token from elsewhere. Without it the token is the one of ``Authorization`` (RFC 6750, section 2.1).
    """
    return Credentials(
        token=token or _bearer(request),
        headers={name.lower(): value for name, value in request.headers.items()},
        cookies=request.cookies,
        remote=request.remote,
    )


async def principal(request: web.BaseRequest, authenticate: Authenticator) -> Principal:
    """Return the user who sends the request. Raises `Unauthenticated`, and what ``authenticate`` raises."""
    authenticated = await authenticate(credentials(request))
    if authenticated is None:
        raise Unauthenticated
    return authenticated


def _bearer(request: web.BaseRequest) -> str | None:
    headers = request.headers.getall(hdrs.AUTHORIZATION, [])
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None
