"""Requests and responses of aiohttp as those of `chatcore_http`, and back."""

import re
from collections.abc import Awaitable, Callable
from weakref import ReferenceType, ref

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from chatcore.errors import Invalid
from chatcore_http.requests import Disconnected, Headers, Request
from chatcore_http.responses import Response

_KEPT: web.RequestKey[tuple[ReferenceType[web.BaseRequest], Request]] = web.RequestKey("kept", tuple)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)


def keep_pure_request(request: web.BaseRequest) -> Request:
    """Let `pure_request` return one object for this request, until `drop_pure_request`. Returns the object."""
    pure = pure_request(request)
    request[_KEPT] = ref(request), pure
    return pure


def drop_pure_request(request: web.BaseRequest) -> None:
    """Undo `keep_pure_request`: the object refers to the request, which would stay a reference cycle."""
    del request[_KEPT]


def pure_request(request: web.BaseRequest) -> Request:
    """Return a request of aiohttp without aiohttp."""
    if _KEPT in request:
        kept_for, pure = request[_KEPT]
        if kept_for() is request:  # not a clone, which has a copy of what its original keeps
            return pure
    absolute = _ABSOLUTE.match(request.raw_path)
    return Request(
        method=request.method,
        path=request.rel_url.raw_path,
        query=request.rel_url.raw_query_string,
        headers=Headers(request.headers.items()),
        remote=request.remote,
        is_secure=request.secure,
        authority=absolute[1].rpartition("@")[2] if absolute else None,
        has_body=request.body_exists,
        receive=_receiver(request),
    )


def aiohttp_response(response: Response) -> web.Response:
    """Return a response for aiohttp to send."""
    return web.Response(status=response.status, body=response.body, headers=response.headers)


async def defer_continue(request: web.Request) -> None:
    """Do nothing, as an aiohttp ``expect_handler``: 100 is sent once a handler wants the body."""


def _receiver(request: web.BaseRequest) -> Callable[[], Awaitable[bytes]]:
    """Return the function that receives the body. A client that sent ``Expect: 100-continue`` gets 100 first."""
    is_expected = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    is_begun = False

    async def receive() -> bytes:
        nonlocal is_expected, is_begun
        if not is_begun:
            is_begun = True
            if not request.can_read_body:
                return await request.read()  # a middleware of the host has read the body, and aiohttp keeps it
        try:
            if is_expected:
                is_expected = False
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            return await request.content.readany()
        except (HttpProcessingError, web.RequestPayloadError):
            raise Invalid("The body does not match its headers.") from None
        except OSError as error:
            raise Disconnected from error

    return receive
