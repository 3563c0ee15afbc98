"""aiohttp's protocol with what this server demands of a connection before any handler sees it."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from aiohttp import hdrs, web

from chatcore.errors import Internal, Invalid
from chatcore_aiohttp import problem
from chatcore_aiohttp.guard import EVERYWHERE

from .connections import Doorman

NOT_HTTP = "Not a valid HTTP/1.1 request, or a line or header is longer than 8 KiB."


class HttpProtocol(web.RequestHandler):
    """A connection, for which ``doorman`` has room; what aiohttp itself refuses is a problem detail too.

    aiohttp's own words repeat what was sent, which may be a token or a password, and name the library and its version.
    """

    __slots__ = ("_address", "_doorman")

    def __init__(self, manager: web.Server, doorman: Doorman, **options: Any) -> None:
        super().__init__(manager, **options)
        self._doorman = doorman
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = self._doorman.holder(transport.get_extra_info("peername"))
        if self._doorman.enter(address):
            self._address = address
            super().connection_made(transport)
        else:
            cast("asyncio.Transport", transport).abort()  # uvloop's transports are of no class of asyncio

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._address is not None:
            self._doorman.leave(self._address)
            super().connection_lost(exc)

    def eof_received(self) -> None:
        if self._address is not None:
            super().eof_received()

    async def start(self) -> None:
        """Serve requests. One whose absolute target has an invalid host name fails before anything can answer it."""
        try:
            await super().start()
        except UnicodeError:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs it, and raises where an answer has begun
        error = Internal() if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid(NOT_HTTP)
        response = problem(error, status=HTTPStatus(status), headers={**EVERYWHERE, hdrs.SERVER: "chatcore"})
        response.force_close()
        return response
