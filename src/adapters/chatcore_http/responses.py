"""A response as the HTTP API gives it, whatever server sends it."""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from .codec import encode


@frozen(eq=False)
class Response:
    """A response.

    Attributes:
        status: the status code.
        body: the whole body. The server leaves it out in the answer to HEAD.
        headers: the header fields without ``Content-Length``, each of them once.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        """Return the response with further header fields. Those that it has stay as they are."""
        return evolve(self, headers={**headers, **self.headers})


def json_response(
    value: object,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a response with ``value`` as compact JSON, and a newline for clients that print it to a terminal."""
    return Response(status, encode(value) + b"\n", {"Content-Type": content_type, **(headers or {})})


def text_response(text: str) -> Response:
    """Return a response with a plain text."""
    return Response(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
