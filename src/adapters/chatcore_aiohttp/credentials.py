"""The credentials in a request."""

from aiohttp import hdrs, web

from chatcore.ports.authenticator import Credentials


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


def _bearer(request: web.BaseRequest) -> str | None:
    headers = request.headers.getall(hdrs.AUTHORIZATION, [])
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None
