"""The server's side of the WebSocket opening handshake (RFC 6455, section 4.2)."""

import base64
import hashlib
import re
from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web

from chatcore.errors import Invalid
from chatcore_http.problems import problem
from chatcore_http.requests import Request
from chatcore_http.responses import Response

VERSION = "13"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 7230, section 3.2.6."""


def version_refusal(request: Request) -> Response | None:
    """Return the refusal of a request for another version of the protocol; None if the version is supported."""
    if (request.headers.get("Sec-WebSocket-Version") or VERSION) == VERSION:
        return None
    error = Invalid(f"The server supports version {VERSION} of the WebSocket protocol only.")
    headers: dict[str, str] = {hdrs.UPGRADE: "websocket", hdrs.SEC_WEBSOCKET_VERSION: VERSION}
    return problem(error, status=HTTPStatus.UPGRADE_REQUIRED, headers=headers)


def check_request(request: web.Request) -> None:
    """Raise `Invalid` if a request is not the opening handshake of a websocket."""
    # aiohttp would log the subprotocols that the client offers if it knew none of them.
    is_websocket = web.WebSocketResponse(protocols=[_offered_protocol(request)]).can_prepare(request)
    if request.version < HttpVersion11 or not is_websocket:
        raise Invalid("Not a websocket request, or a proxy removed its Upgrade header.")


def acceptance_response(request: web.Request) -> web.StreamResponse:
    """Return the response that opens the websocket, for a request that `check_request` has accepted.

    A client that offers subprotocols gets the first one, because browsers fail if the server selects none. No
    extension is accepted: compression would multiply the memory that a socket takes.
    """
    digest = hashlib.sha1(f"{request.headers[hdrs.SEC_WEBSOCKET_KEY]}{_GUID}".encode()).digest()
    headers = {
        hdrs.UPGRADE: "websocket",
        hdrs.CONNECTION: "upgrade",
        hdrs.SEC_WEBSOCKET_ACCEPT: base64.b64encode(digest).decode(),
    }
    if _TOKEN.fullmatch(protocol := _offered_protocol(request)):
        headers[hdrs.SEC_WEBSOCKET_PROTOCOL] = protocol
    response = web.StreamResponse(status=HTTPStatus.SWITCHING_PROTOCOLS, headers=headers)
    response.force_close()
    return response


def _offered_protocol(request: web.Request) -> str:
    return request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").partition(",")[0].strip()
