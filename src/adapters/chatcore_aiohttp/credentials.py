"""What a request shows of who sends it."""

from aiohttp import hdrs, web

from chatcore.errors import Unauthenticated
from chatcore.ports.authenticator import Authenticator, Credentials, Principal


def credentials(request: web.BaseRequest, token: str | None = None) -> Credentials:
    """``token``, or the one that the request bears in ``Authorization`` (RFC 6750, 2.1); never one in its URL."""
    return Credentials(
        token=token or _bearer(request),
        headers={name.lower(): value for name, value in request.headers.items()},
        cookies=request.cookies,
        remote=request.remote,
    )


async def principal(request: web.BaseRequest, authenticate: Authenticator) -> Principal:
    """Who sends the request. Raises `Unauthenticated`, and what ``authenticate`` raises."""
    found = await authenticate(credentials(request))
    if found is None:
        raise Unauthenticated
    return found


def _bearer(request: web.BaseRequest) -> str | None:
    found = request.headers.getall(hdrs.AUTHORIZATION, [])
    scheme, _, token = found[0].partition(" ") if len(found) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None
