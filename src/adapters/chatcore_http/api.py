"""The HTTP API of a Chat for a host's own users."""

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator

from .command_routes import CommandRoutes
from .endpoints import Endpoints
from .guard import Guard
from .origins import Origins
from .requests import Request
from .responses import Response
from .socket_routes import SocketRoutes


class HttpApi:
    """The routes of all commands and of a user's sockets, without accounts.

    Args:
        chat: executes the commands.
        authenticate: returns the user who sends a request.
        origins: the web pages that may use the API, in addition to those of the same host.

    Raises:
        TypeError: ``authenticate`` or ``origins`` is something else.
    """

    def __init__(self, chat: Chat, authenticate: Authenticator, *, origins: Origins | None = None) -> None:
        if not callable(authenticate):
            raise TypeError(f"authenticate must be an async function of Credentials, not {type(authenticate).__name__}")
        if origins is not None and not isinstance(origins, Origins):
            raise TypeError(f'origins must be Origins(["https://shop.example"]), not {type(origins).__name__}')
        commands = CommandRoutes(chat=chat, authenticate=authenticate)
        sockets = SocketRoutes(chat=chat, authenticate=authenticate)
        self._endpoints = Endpoints([*sockets.endpoints(), *commands.endpoints()])
        self._guard = Guard(origins or Origins())

    async def answer(self, request: Request) -> Response:
        """Return the whole response to a request, whatever happens."""
        return await self._guard.answer(request, self._endpoints.answer)
