"""The HTTP API of a Chat for a host's own users."""

from collections.abc import Callable, Iterable, Sequence

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator

from .command_routes import CommandRoutes
from .endpoints import Endpoint, Endpoints
from .guard import Guard
from .origins import Origins
from .requests import Request
from .responses import Response
from .socket_routes import SocketRoutes


def no_documents(_: Sequence[Endpoint]) -> Iterable[Endpoint]:
    """Return no endpoints."""
    return ()


class HttpApi:
    """The routes of all commands and of a user's sockets, without accounts.

    Args:
        chat: executes the commands.
        authenticate: returns the user who sends a request.
        origins: the web pages that may use the API, in addition to those of the same host.
        documents: makes the endpoints that stand beside the API's prefix from those below it.

    Raises:
        TypeError: ``authenticate`` or ``origins`` is something else.
    """

    def __init__(
        self,
        chat: Chat,
        authenticate: Authenticator,
        *,
        origins: Origins | None = None,
        documents: Callable[[Sequence[Endpoint]], Iterable[Endpoint]] = no_documents,
    ) -> None:
        if not callable(authenticate):
            raise TypeError(f"authenticate must be an async function of Credentials, not {type(authenticate).__name__}")
        if origins is not None and not isinstance(origins, Origins):
            raise TypeError(f'origins must be Origins(["https://shop.example"]), not {type(origins).__name__}')
        commands = CommandRoutes(chat=chat, authenticate=authenticate)
        sockets = SocketRoutes(chat=chat, authenticate=authenticate)
        endpoints = [*sockets.endpoints(), *commands.endpoints()]
        self._endpoints = Endpoints(endpoints)
        self._documents = Endpoints(documents(endpoints), prefix="")
        self._guard = Guard(origins or Origins())

    async def answer(self, request: Request) -> Response:
        """Return the whole response to a request, whatever happens."""
        endpoints = self._documents if self._documents.serves(request.path) else self._endpoints
        return await self._guard.answer(request, endpoints.answer)
