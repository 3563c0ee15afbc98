"""JSON responses."""

from collections.abc import Mapping

from aiohttp import web

from .codec import encode


def json_response(
    value: object,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A response with ``value`` as compact JSON, and a newline for those who read it in a terminal."""
    return web.Response(status=status, body=encode(value) + b"\n", content_type=content_type, headers=headers)
