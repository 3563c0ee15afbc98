"""Errors over HTTP: problem details (RFC 9457) with the contract's codes."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from aiohttp import web

from chatcore.errors import ChatError
from chatcore.protocol import error_object

from .responses import json_response

STATUSES: Mapping[str, HTTPStatus] = {
    "invalid": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "key_reused": HTTPStatus.CONFLICT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
TITLES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}
"""Phrases of RFC 9110 that Python has only from 3.13 on."""


def problem(
    error: ChatError, *, status: HTTPStatus | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The answer that says ``error``; ``status`` is given where it is not that of the error's code (405, 408)."""
    status = status or STATUSES[error.code]
    said = error_object(error)
    found = {
        "type": "about:blank",
        "title": TITLES.get(status, status.phrase),
        "status": status.value,
        "code": said.pop("code"),
        "detail": said.pop("message"),
        **said,
    }
    return json_response(
        found,
        status=status,
        content_type="application/problem+json",
        headers={**_headers_of(error), **(headers or {})},
    )


def _headers_of(error: ChatError) -> Mapping[str, str]:
    found = {}
    if error.code == "unauthenticated":
        found["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None or error.code == "rate_limited":
        found["Retry-After"] = str(max(1, ceil((error.retry_after_ms or 0) / 1000)))
    return found
