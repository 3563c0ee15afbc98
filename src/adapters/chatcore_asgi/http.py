"""Requests and responses of ASGI as those of `chatcore_http`, and back."""

from collections.abc import Awaitable, Callable

from chatcore_http import Headers, Request, Response
from chatcore_http.requests import Disconnected

from .protocol import Receive, Scope, Send


def client_address(scope: Scope) -> str | None:
    """Return the address that the server names as the client's."""
    client = scope.get("client")
    return client[0] if client else None


def pure_request(scope: Scope, receive: Receive, *, path: str, remote: str | None) -> Request:
    """Return a request of ASGI without ASGI. ``scope`` may be one of a websocket, which has no body."""
    headers = Headers((_text(name), _text(value)) for name, value in scope["headers"])
    is_http_1 = scope.get("http_version", "1.1").startswith("1.")  # from HTTP/2 on no header says that a body follows
    return Request(
        method=scope.get("method", "GET"),
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        remote=remote,
        is_secure=scope.get("scheme") in ("https", "wss"),
        has_body=not is_http_1 or "Content-Length" in headers or "Transfer-Encoding" in headers,
        receive=_receiver(receive),
    )


async def send_response(send: Send, scope: Scope, response: Response) -> None:
    """Send a response, without its body if the request is HEAD."""
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    if response.body:
        headers.append((b"content-length", str(len(response.body)).encode()))
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})
    except OSError:
        pass  # the client has disconnected


def _receiver(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    is_complete = False

    async def chunk() -> bytes:
        nonlocal is_complete
        while not is_complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            is_complete = not message.get("more_body", False)
            if body := message.get("body", b""):
                return bytes(body)
        return b""

    return chunk


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
