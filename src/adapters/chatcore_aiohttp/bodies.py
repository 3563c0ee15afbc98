"""The body of a request, within bounds of size and time."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_exceptions import HTTPRequestTimeout

from chatcore.errors import Invalid, TooLarge

from .codec import decode

BODY_MAX = 64 * 1024
"""In bytes."""
BODY_S = 10
"""How long a body may take, from the moment it is asked for."""
NO_TYPE = "application/octet-stream"
"""What a body is that nobody says anything about (RFC 9110, 8.3); some clients write it beside an empty one."""


async def read_object(request: web.BaseRequest) -> dict[str, object]:
    """The JSON object that a request carries; an empty one where it carries nothing and names no type.

    Raises `Invalid`, `TooLarge`, and HTTPRequestTimeout for a body that does not come.
    """
    if request.content_type == NO_TYPE:
        if await read_bytes(request):
            raise Invalid("The Content-Type header is missing; it must be application/json.")
        return {}
    _check_type(request)
    text = await read_bytes(request)
    found = decode(text)
    if not isinstance(found, dict):
        raise Invalid("The body must be a JSON object.")
    return found


async def read_nothing(request: web.BaseRequest) -> None:
    """Raises `Invalid` where a request carries a body that it can't have."""
    if request.body_exists and await read_bytes(request):
        raise Invalid(f"{request.method} must not have a body.")


async def read_bytes(request: web.BaseRequest) -> bytes:
    """The body of a request, whatever it is; the client that waits for leave to send it gets that first."""
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


async def no_leave_yet(request: web.Request) -> None:
    """An aiohttp ``expect_handler``: leave to send a body is given when it is wanted, by `read_bytes`."""


async def _read(request: web.BaseRequest) -> bytes:
    found = bytearray()
    while chunk := await request.content.readany():
        found += chunk
        if len(found) > BODY_MAX:
            raise TooLarge
    return bytes(found)


def _check_type(request: web.BaseRequest) -> None:
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Invalid("The body must be JSON in UTF-8, with Content-Type: application/json.")
