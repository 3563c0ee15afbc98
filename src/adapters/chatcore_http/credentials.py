"""The credentials in a request."""

from chatcore.ports.authenticator import Credentials

from .cookies import parse_cookies
from .requests import Request


def credentials(request: Request, token: str | None = None) -> Credentials:
    """Return the credentials of a request.

    Args:
        request: its headers, cookies and address are part of the credentials; a token in its URL is not.
        token: a token from elsewhere; None for the token in ``Authorization`` (RFC 6750, section 2.1).
    """
    return Credentials(
        token=token or _bearer(request),
        headers={name: values[-1] for name, values in request.headers.items()},
        cookies=parse_cookies(request).values,
        remote=request.remote,
    )


def _bearer(request: Request) -> str | None:
    headers = request.headers.getall("Authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None
