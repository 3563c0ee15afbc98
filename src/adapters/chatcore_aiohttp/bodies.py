"""The body of a request, within bounds of size and time."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_exceptions import HTTPRequestTimeout

from chatcore.errors import Invalid, TooLarge

from .codec import decode

BODY_MAX = 64 * 1024
"""Bytes of a body."""
BODY_S = 10
"""Seconds that a body may take, from the start of reading it."""
NO_TYPE = "application/octet-stream"
"""The type of a body without Content-Type (RFC 9110, section 8.3). Some clients send it with an empty body."""


async def read_object(request: web.BaseRequest) -> dict[str, object]:
    """Read the JSON object in the body of a request. A request without body and type has an empty object.

    Raises:
        Invalid: the body is no JSON object, or its type is wrong or missing.
        TooLarge: the body has more than `BODY_MAX` bytes.
        HTTPRequestTimeout: the body takes longer than `BODY_S`.
    """
    if request.content_type == NO_TYPE:
        if await read_bytes(request):
            raise Invalid("The Content-Type header is missing; it must be application/json.")
        return {}
    _check_type(request)
    value = decode(await read_bytes(request))
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.")
    return value


async def read_nothing(request: web.BaseRequest) -> None:
    """Check that a request has no body. Raises `Invalid`, and what `read_bytes` raises."""
    if request.body_exists and await read_bytes(request):
        raise Invalid(f"{request.method} must not have a body.")


async def read_bytes(request: web.BaseRequest) -> bytes:
    """Read the body of a request. A client that sent ``Expect: 100-continue`` gets 100 first.

    Raises:
        Invalid: the body is encoded, or does not match its headers.
        TooLarge: the body has more than `BODY_MAX` bytes.
        HTTPRequestTimeout: the body takes longer than `BODY_S`.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Invalid("Content-Encoding is not supported.")
    if (request.content_length or 0) > BODY_MAX:
        raise TooLarge
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        async with asyncio.timeout(BODY_S):
            return await _read(request)
    except TimeoutError:
        raise HTTPRequestTimeout(text=f"The body did not come within {BODY_S} seconds.") from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise Invalid("The body does not match its headers.") from None


async def defer_continue(request: web.Request) -> None:
    """Do nothing, as an aiohttp ``expect_handler``: `read_bytes` sends 100 once a handler wants the body."""


async def _read(request: web.BaseRequest) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > BODY_MAX:
            raise TooLarge
    return bytes(body)


def _check_type(request: web.BaseRequest) -> None:
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Invalid("The body must be JSON in UTF-8, with Content-Type: application/json.")
