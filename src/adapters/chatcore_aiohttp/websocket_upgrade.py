"""A websocket of an aiohttp application, without aiohttp's own reader and writer."""

from typing import Any

from aiohttp import web

from chatcore_http.requests import Request
from chatcore_http.responses import Response
from chatcore_websocket.session import WebsocketSession
from chatcore_websocket.upgrade import Upgrade

from . import websocket_handshake
from .receiver import Receiver
from .transport_writer import Flusher, TransportWriter


class TransportUpgrade(Upgrade):
    """A request of aiohttp that may become a websocket over its transport.

    Attributes:
        response: what a handler of aiohttp returns after the websocket has ended.
    """

    def __init__(self, request: Request, upgradable: web.Request, flusher: Flusher) -> None:
        self.response: web.StreamResponse = web.StreamResponse()
        self._request = request
        self._upgradable = upgradable
        self._flusher = flusher

    def refusal(self) -> Response | None:
        refusal = websocket_handshake.version_refusal(self._request)
        if refusal is None:
            websocket_handshake.check_request(self._upgradable)
        return refusal

    async def accept(self, close_timeout: float) -> TransportWriter | None:
        self.response = websocket_handshake.acceptance_response(self._upgradable)
        try:
            stream = await self.response.prepare(self._upgradable)
        except ConnectionError:
            return None
        if stream is None or self._upgradable.transport is None:
            return None
        return TransportWriter(self._upgradable.transport, stream, self._flusher, close_timeout)

    async def run(self, session: WebsocketSession) -> None:
        if self._upgradable.transport is None:
            session.connection_lost()
        else:
            receiver: Any = Receiver(session, self._upgradable.transport)
            self._upgradable.protocol.set_parser(receiver)
        await session.run()
