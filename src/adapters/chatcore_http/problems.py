"""Errors over HTTP: problem details (RFC 9457) with the codes of the protocol."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil

from chatcore.errors import ChatError, Invalid
from chatcore.protocol import Object, error_object

from .responses import Response, json_response

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
"""Reason phrases of RFC 9110 that `http.HTTPStatus` has only since Python 3.13."""


class RequestTimeout(Invalid):
    """A body that does not come in time. Its status is 408."""


def problem(
    error: ChatError, *, status: HTTPStatus | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with the problem details of an error.

    Args:
        error: the error.
        status: a status other than the one of the error's code, such as 405.
        headers: further headers.
    """
    status = status or (HTTPStatus.REQUEST_TIMEOUT if isinstance(error, RequestTimeout) else STATUSES[error.code])
    return json_response(
        problem_object(error_object(error), status),
        status=status,
        content_type="application/problem+json",
        headers={**_headers_of(error), **(headers or {})},
    )


def problem_object(error: Object, status: HTTPStatus | None = None) -> Object:
    """Return the problem details (RFC 9457) of an error's wire object."""
    status = status or STATUSES[error["code"]]
    others = {name: value for name, value in error.items() if name not in ("code", "message")}
    return {
        "type": "about:blank",
        "title": TITLES.get(status, status.phrase),
        "status": status.value,
        "code": error["code"],
        "detail": error["message"],
        **others,
    }


def method_not_allowed(methods: Iterable[str]) -> Response:
    """Return the response 405 for a path that serves ``methods``."""
    error = Invalid("Method not allowed; the Allow header lists the methods of this path.")
    return problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(methods))})


def _headers_of(error: ChatError) -> Mapping[str, str]:
    headers = {}
    if error.code == "unauthenticated":
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None or error.code == "rate_limited":
        headers["Retry-After"] = str(max(1, ceil((error.retry_after_ms or 0) / 1000)))
    return headers
