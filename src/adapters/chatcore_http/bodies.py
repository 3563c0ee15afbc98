"""The body of a request, within bounds of size and time."""

import asyncio
from email.message import Message

from chatcore.errors import Invalid, TooLarge

from .codec import decode
from .problems import RequestTimeout
from .requests import Request

BODY_MAX = 64 * 1024
"""Bytes of a body."""
BODY_S = 10
"""Seconds that a body may take, from the start of reading it."""
NO_TYPE = "application/octet-stream"
"""The type of a body without Content-Type (RFC 9110, section 8.3). Some clients send it with an empty body."""


async def read_object(request: Request) -> dict[str, object]:
    """Read the JSON object in the body of a request. A request without a body has an empty object,
    if its type is JSON or missing.

    Raises:
        Invalid: the body is no JSON object, or its type is wrong or missing.
        TooLarge: the body has more than `BODY_MAX` bytes.
        RequestTimeout: the body takes longer than `BODY_S`.
        Disconnected: the client has left.
    """
    if content_type(request)[0] == NO_TYPE:
        if await read_bytes(request):
            raise Invalid("The Content-Type header is missing; it must be application/json.")
        return {}
    if not is_json(request):
        raise Invalid("The body must be JSON in UTF-8, with Content-Type: application/json.")
    body = await read_bytes(request)
    if not body:
        return {}
    value = decode(body)
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.")
    return value


async def read_nothing(request: Request) -> None:
    """Check that a request has no body. Raises `Invalid`, and the errors of `read_bytes`."""
    if await _read_within_bounds(request):
        raise Invalid(f"{request.method} must not have a body.")


async def read_bytes(request: Request) -> bytes:
    """Read the body of a request.

    Raises:
        Invalid: the body is encoded, or does not match its headers.
        TooLarge: the body has more than `BODY_MAX` bytes.
        RequestTimeout: the body takes longer than `BODY_S`.
        Disconnected: the client has left.
    """
    if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise Invalid("Content-Encoding is not supported.")
    return await _read_within_bounds(request)


def is_json(request: Request) -> bool:
    """Return whether the type of the body is JSON in UTF-8."""
    kind, charset = content_type(request)
    return kind == "application/json" and (charset or "utf-8").lower() in ("utf-8", "utf8")


def content_type(request: Request) -> tuple[str, str | None]:
    """Return the media type and the charset that a request names, by default `NO_TYPE`."""
    text = request.headers.get("Content-Type")
    if text is None:
        return NO_TYPE, None
    header = Message()
    header["Content-Type"] = text
    charset = header.get_param("charset")
    kind = text.partition(";")[0].strip().lower()
    return kind if kind.count("/") == 1 else NO_TYPE, charset if isinstance(charset, str) else None


async def _read_within_bounds(request: Request) -> bytes:
    if not request.has_body:
        return b""
    if _content_length(request) > BODY_MAX:
        raise TooLarge
    try:
        async with asyncio.timeout(BODY_S):
            return await _read(request)
    except TimeoutError:
        raise RequestTimeout(f"The body did not come within {BODY_S} seconds.") from None


async def _read(request: Request) -> bytes:
    body = bytearray()
    while chunk := await request.receive():
        body += chunk
        if len(body) > BODY_MAX:
            raise TooLarge
    return bytes(body)


def _content_length(request: Request) -> int:
    """Return the length that a request names, 0 if it names none. A server refuses a length that is no number."""
    text = request.headers.get("Content-Length") or "0"
    return int(text) if text.isdecimal() else 0
