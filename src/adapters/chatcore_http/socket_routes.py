"""The HTTP routes of a user's own open sockets."""

from collections.abc import Iterable

from attrs import frozen

from chatcore.chat import Chat
from chatcore.ids import UserId
from chatcore.ports.authenticator import Authenticator
from chatcore.protocol import timestamp

from .bodies import read_nothing
from .credentials import authenticated
from .endpoints import Endpoint
from .requests import Request
from .responses import Response, json_response
from .socket_operations import close_operation, list_operation
from .urls import Segments, path_fields, refuse_query, undecodable_path

SOCKET = "/sockets/{id}"


@frozen(kw_only=True)
class SocketRoutes:
    """Lists a user's open sockets, and closes one of them."""

    chat: Chat
    authenticate: Authenticator

    def endpoints(self) -> Iterable[Endpoint]:
        return (
            Endpoint("GET", "/sockets", self._list, list_operation),
            Endpoint("DELETE", SOCKET, self._close, close_operation),
        )

    async def _list(self, request: Request, _: Segments) -> Response:
        user = await self._user(request)
        sockets = [
            {"id": socket.id, "device": socket.device, "node": socket.node, "since": timestamp(socket.since)}
            for socket in await self.chat.sockets(user)
        ]
        return json_response({"sockets": sockets})

    async def _close(self, request: Request, segments: Segments) -> Response:
        user = await self._user(request)
        socket_id = path_fields(SOCKET, segments)["id"]
        if socket_id is None:
            raise undecodable_path("id")
        await self.chat.close_socket(user, socket_id)
        return Response(status=204)

    async def _user(self, request: Request) -> UserId:
        """Return the user of a request that has neither query parameters nor a body."""
        user = (await authenticated(self.chat, self.authenticate, request)).user
        refuse_query(request, "This path has no query parameters.")
        await read_nothing(request)
        return user
