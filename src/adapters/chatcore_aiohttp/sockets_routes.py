"""The HTTP routes of one's own open sockets."""

from collections.abc import Iterable

from aiohttp import web
from attrs import frozen

from chatcore.chat import Chat
from chatcore.errors import Invalid
from chatcore.ports.authenticator import Authenticator
from chatcore.protocol import timestamp

from . import paths
from .bodies import read_nothing
from .credentials import principal
from .endpoints import Endpoint
from .responses import json_response
from .texts import query_fields


@frozen(kw_only=True)
class SocketsRoutes:
    """Where one is connected, and how to end it from elsewhere."""

    chat: Chat
    authenticate: Authenticator

    def endpoints(self) -> Iterable[Endpoint]:
        return (
            Endpoint("GET", "/sockets", self._list),
            Endpoint("DELETE", "/sockets/{id}", self._close),
        )

    async def _list(self, request: web.Request, _: paths.Segments) -> web.Response:
        user = await self._user(request)
        found = [
            {"id": socket.id, "device": socket.device, "node": socket.node, "since": timestamp(socket.since)}
            for socket in await self.chat.sockets(user)
        ]
        return json_response({"sockets": found})

    async def _close(self, request: web.Request, given: paths.Segments) -> web.Response:
        user = await self._user(request)
        socket = paths.fields("/sockets/{id}", given)["id"]
        if socket is None:
            raise Invalid("The path must be percent-encoded UTF-8.", field="id")
        await self.chat.close_socket(user, socket)
        return web.Response(status=204)

    async def _user(self, request: web.Request) -> str:
        user = (await principal(request, self.authenticate)).user
        if query := query_fields(request.rel_url.raw_query_string):
            raise Invalid("This path has no query parameters.", field=min(query))
        await read_nothing(request)
        return user
